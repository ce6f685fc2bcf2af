"""Write spec/operations.json: every operation of the API as data, read from the vendor's published Python SDK.

The SDK is read as source text, never imported, so its dependencies are not needed:

    uv venv build/sdk
    uv pip install --python build/sdk --no-deps alibabacloud-dataworks-public20200518==10.1.1
    python scripts/generate_spec.py build/sdk spec/operations.json

Where each fact comes from:

* operations, methods and a parameter's place: the `..._with_options` methods of client.py;
* names and types: `to_map` and the annotated constructor of each model class;
* required: the sentence "This parameter is required." in the comment above a member;
* values, minimum, maximum: the comment too, where it is plain enough to parse; else nothing is claimed;
* amendments.json, beside the output, replaces values where comments contradict each other, and says why.

The SDK knows only `int`: whether an integer has 32 or 64 bits is not in it, so all are 64. `Dict[...]` members are
"object" in the tree, `Any` is "any". The same SDK gives the same bytes.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = "alibabacloud_dataworks_public20200518"
SCALARS = {"str": "string", "int": "integer", "bool": "boolean", "float": "number", "Any": "any"}
PLACES = {"query": "query", "body": "form"}
REQUIRED = "This parameter is required."


@dataclass(frozen=True)
class Member:
    """A member of a model class: its name on the wire, its annotation and the comment above it."""

    wire: str
    annotation: ast.expr
    comment: str


Model = dict[str, Member]


def read_models(folder: Path) -> dict[str, Model]:
    models: dict[str, Model] = {}
    for path in sorted(folder.glob("_*.py")):
        if path.name == "__init__.py":
            continue
        source = path.read_text("utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                models[node.name] = read_model(node, source.splitlines())
    return models


def read_model(node: ast.ClassDef, lines: list[str]) -> Model:
    functions = {f.name: f for f in node.body if isinstance(f, ast.FunctionDef)}
    wires = wire_names(functions["to_map"])
    init = functions["__init__"]
    comments = {
        target.attr: comment_above(lines, statement.lineno)
        for statement in init.body
        if isinstance(statement, ast.Assign) and isinstance(target := statement.targets[0], ast.Attribute)
    }
    members: Model = {}
    for argument in init.args.args[1:]:
        if argument.annotation is None:
            raise SystemExit(f"{node.name}.{argument.arg} has no type")
        members[argument.arg] = Member(wires[argument.arg], argument.annotation, comments.get(argument.arg, ""))
    return members


def wire_names(to_map: ast.FunctionDef) -> dict[str, str]:
    """Attribute → name on the wire: each `if self.x is not None` block fills result['X']."""
    names: dict[str, str] = {}
    for block in (n for n in to_map.body if isinstance(n, ast.If)):
        attributes = [n.attr for n in ast.walk(block.test) if isinstance(n, ast.Attribute)]
        for node in ast.walk(block):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and attributes:
                names.setdefault(attributes[0], str(node.slice.value))
    return names


def comment_above(lines: list[str], lineno: int) -> str:
    found: list[str] = []
    index = lineno - 2
    while index >= 0 and lines[index].lstrip().startswith("#"):
        found.append(lines[index].strip().lstrip("#").strip())
        index -= 1
    return "\n".join(reversed(found))


def type_tree(annotation: ast.expr, models: dict[str, Model]) -> Any:
    """An annotation as data: a word, [items] or {member: tree}."""
    match annotation:
        case ast.Name(id=name):
            return "string" if name == "BinaryIO" else SCALARS[name]
        case ast.Attribute(attr=name):
            return {m.wire: type_tree(m.annotation, models) for m in models[name].values()}
        case ast.Subscript(value=ast.Name(id="List"), slice=item):
            return [type_tree(item, models)]
        case ast.Subscript(value=ast.Name(id="Dict")):
            return "object"
    raise SystemExit(f"unknown annotation {ast.unparse(annotation)}")


def find_calls(client: ast.Module) -> list[ast.FunctionDef]:
    clients = [n for n in client.body if isinstance(n, ast.ClassDef) and n.name == "Client"]
    return [f for f in clients[0].body if isinstance(f, ast.FunctionDef) and f.name.endswith("_with_options")]


def read_call(function: ast.FunctionDef, models: dict[str, Model]) -> tuple[str, dict[str, Any]]:
    params: dict[str, str] = {}
    request = response = ""
    places: dict[str, str] = {}
    encoded: set[str] = set()
    whole_query = False
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(attr="Params"), keywords=keywords):
                params = {str(k.arg): str(k.value.value) for k in keywords if isinstance(k.value, ast.Constant)}
            case ast.Call(
                func=ast.Attribute(attr="array_to_string_with_specified_style"),
                args=[_, ast.Constant(value=name), ast.Constant(value="json")],
            ):
                encoded.add(str(name))
            case ast.Subscript(value=ast.Name(id="query" | "body" as place), slice=ast.Constant(value=name)):
                places[str(name)] = PLACES[place]
            case ast.Call(func=ast.Attribute(attr="query"), args=[ast.Call(func=ast.Attribute(attr="to_map"))]):
                whole_query = True
            case ast.arg(annotation=ast.Attribute(attr=name)) if name.endswith("Request"):
                request = name
    if isinstance(function.returns, ast.Attribute):
        response = function.returns.attr + "Body"
    members = models.get(request, {})
    if whole_query:
        places = {m.wire: "query" for m in members.values()}
    parameters = {
        m.wire: parameter(m, places[m.wire], m.wire in encoded, models)
        for m in sorted(members.values(), key=lambda m: m.wire)
    }
    tree = {m.wire: type_tree(m.annotation, models) for m in models[response].values()}
    return params["action"], {"method": params["method"], "parameters": parameters, "response": tree}


def parameter(member: Member, place: str, encoded: bool, models: dict[str, Model]) -> dict[str, Any]:
    tree = type_tree(member.annotation, models)
    entry: dict[str, Any] = {"in": place, "type": tree}
    if REQUIRED in member.comment:
        entry["required"] = True
    if encoded:
        entry["json"] = True
    if tree == "string":
        entry |= enumeration(member.comment)
    if tree == "integer":
        entry |= bounds(member.comment)
    return entry


WORD = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"
INLINE = re.compile(r"Valid values:[ ]*([^.\n]+)(?:\.|$)", re.M)
BULLETS = re.compile(r"Valid values:\s*\n((?:\s*\n|[ ]*[-*] .*\n?)+)")
BULLET = re.compile(rf"^[ ]*[-*]\s+\**`?({WORD})`?\**\s*(?:[:(]|\.?$)")


def enumeration(comment: str) -> dict[str, list[str]]:
    """The values a comment lists, when it lists upper-case words once, one to be chosen."""
    if only := re.search(rf"(?:Set the value to|The value) ({WORD})(?:\.|,| indicates)", comment):
        return {"values": [only[1]]} if "Valid values" not in comment else {}
    if comment.count("Valid values") != 1 or re.search("ommas|multiple|JSON", comment):
        return {}
    if found := BULLETS.search(comment + "\n"):
        bullets = [BULLET.match(line) for line in found[1].splitlines() if line.strip()]
        return {"values": [b[1] for b in bullets if b]} if all(bullets) and len(bullets) > 1 else {}
    if found := INLINE.search(comment):
        words = re.split(r",? and |, ", re.sub(r"\s*\([^)]*\)|\*\*|`", "", found[1]).strip())
        return {"values": words} if len(words) > 1 and all(re.fullmatch(WORD, w) for w in words) else {}
    return {}


def bounds(comment: str) -> dict[str, int]:
    """`Valid values: 1 to 100.`, `Minimum value: 1.`, `Maximum value: 1,000.`"""
    found: dict[str, int] = {}
    if between := re.search(r"Valid values: (\d+) to ([\d,]+)\.", comment):
        found = {"minimum": int(between[1]), "maximum": int(between[2].replace(",", ""))}
    for name in ("minimum", "maximum"):
        if one := re.search(rf"{name} value(?: is)?:? ?(\d[\d,]*)\.?(?: |$)", comment, re.M | re.I):
            found[name] = int(one[1].rstrip(",").replace(",", ""))
    return found


def generate(environment: Path) -> dict[str, Any]:
    package = next(iter(sorted(environment.glob(f"lib/python*/site-packages/{PACKAGE}"))), environment / PACKAGE)
    if not package.is_dir():
        raise SystemExit(f"{PACKAGE} is not installed in {environment}: see the head of this file")
    release = re.search(r"['\"]([\d.]+)['\"]", (package / "__init__.py").read_text("utf-8"))
    models = read_models(package / "models")
    calls = find_calls(ast.parse((package / "client.py").read_text("utf-8")))
    operations = dict(sorted(read_call(call, models) for call in calls))
    return {
        "version": "2020-05-18",
        "source": f"{PACKAGE.replace('_', '-')} {release[1] if release else '?'} (Apache-2.0)",
        "operations": operations,
    }


def amend(spec: dict[str, Any], amendments: dict[str, dict[str, dict[str, Any]]]) -> None:
    for action, parameters in amendments.items():
        for name, amendment in parameters.items():
            spec["operations"][action]["parameters"][name]["values"] = amendment["values"]


def render(spec: dict[str, Any]) -> str:
    """One operation a line: small, and a diff shows which operation changed."""
    compact = {"ensure_ascii": False, "separators": (",", ":")}
    lines = [f"{json.dumps(n)}:{json.dumps(o, **compact)}" for n, o in spec["operations"].items()]  # type: ignore[arg-type]
    head = ",\n".join(f"{json.dumps(k)}:{json.dumps(spec[k])}" for k in ("version", "source"))
    return "{" + head + ',\n"operations":{\n' + ",\n".join(lines) + "\n}}\n"


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: generate_spec.py ENVIRONMENT OUTPUT", file=sys.stderr)
        return 2
    environment, output = Path(arguments[0]), Path(arguments[1])
    spec = generate(environment)
    amend(spec, json.loads(output.with_name("amendments.json").read_text("utf-8")))
    output.write_text(render(spec), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
