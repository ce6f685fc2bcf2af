"""A data synchronization solution as the user wrote it. The text is kept as it came; what is here is read from a copy.

It comes in two forms: `ProcessContent`, with a real-time task in its `realtimeSyncConfig.content`, or that task alone
as a full job (`type` "job", `extend.mode` "migration_…").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from disync.model import job as jobs
from disync.model import node_name
from disync.model.errors import Refused
from disync.model.job import Job, Step, group_of, object_of

MYSQL_TO_HOLO = 1007
"""The one `processRuleId` that the vendor has shown: full load and log of MySQL into Hologres."""

_CODE = "Invalid.TaskContent"
_CONTENT = "$.realtimeSyncConfig.content"
_KNOWN = {
    "$": {
        *("holoDatasource", "offlineSyncConfig", "processRuleId", "readerConcurrent", "realtimeSyncConfig", "setting"),
        *("srcType", "tableMappingRuleFromRealtimeSyncConfig"),
    },
    "$.offlineSyncConfig": {"nodeNameRule", "resourceGroup"},
    "$.realtimeSyncConfig": {"content", "extend"},
    "$.realtimeSyncConfig.extend": {"mode", "resourceGroup", "name"},
    "$.setting": {"autoCreateWorkflow", "userDefinedFileNameExpression"},
}
_HOLO = {"holo", "postgresql"}
_PLACE = re.compile(r"\$(?=[.:])")


class _Process(msgspec.Struct, rename="camel"):
    realtime_sync_config: msgspec.Raw


class _Realtime(msgspec.Struct):
    content: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Solution:
    """`realtime` is the text of the real-time task exactly as it stands in `content`, and `place` its path there.

    `group` is the resource group of the real-time task, `node_group` that of the batch nodes. `mapping` is the copy of
    the table mapping beside the task. `own_flow`: the files are to have a business flow of their own; `prefix` comes
    before their names.
    """

    content: str
    realtime: str
    place: str
    job: Job
    group: str | None = None
    node_group: str | None = None
    node_name_rule: str = ""
    concurrent: int | None = None
    mapping: Mapping[str, Any] | None = None
    own_flow: bool = False
    prefix: str = ""
    name: str | None = None

    @property
    def type(self) -> str:
        """The family of the target, as in `SolutionDetail.Type`."""
        return self.job.target.type.lower()

    @property
    def source_type(self) -> str:
        return self.job.source.type.lower()

    @property
    def data_sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for step in self.job.steps for name, _ in step.data_sources))

    @property
    def runs(self) -> str:
        """The text that runs: `realtime`, with what the solution says beside it where the task itself says nothing."""
        root = msgspec.json.decode(self.realtime)
        changed = False
        if self.concurrent and self.job.setting.concurrent is None:
            setting = root["setting"] = root.get("setting") or {}
            setting["speed"] = {**(setting.get("speed") or {}), "concurrent": self.concurrent}
            changed = True
        if self.mapping is not None and not self.job.target.parameter.get("tableMappingRule"):
            step = next(step for step in root["steps"] if step["name"] == self.job.target.name)
            step["parameter"] = {**(step.get("parameter") or {}), "tableMappingRule": self.mapping}
            changed = True
        return msgspec.json.encode(root).decode() if changed else self.realtime

    def at(self, text: str) -> str:
        """A message about the real-time task, its paths turned into those of the whole text."""
        return _PLACE.sub(lambda _: self.place, text)


def parse(content: str) -> Solution:
    """Read a solution's JSON text. Raises Refused with every problem found, each with its place in the JSON."""
    root = _decoded(content)
    if "realtimeSyncConfig" in root:
        return _process(content, root)
    if root.get("type") == "realtime":
        raise Refused(
            "$.type: this is the short form. Give it to GenerateDISyncTaskConfigForCreating as TaskParam, and pass on "
            "the TaskContent that QueryDISyncTaskConfigProcessResult then answers.",
            _CODE,
        )
    if "steps" not in root:
        raise Refused(
            "$.realtimeSyncConfig: a solution has a real-time task in realtimeSyncConfig.content, or is a full job "
            "with steps itself.",
            _CODE,
        )
    return _full(content)


def warnings(solution: Solution) -> list[str]:
    """What this text has that is kept and has no effect, by JSON path; not what the real-time task has."""
    if solution.place == "$":
        return []
    root = msgspec.json.decode(solution.content)
    found = [
        f"{path}.{member}: this member is kept but has no effect."
        for path, known in _KNOWN.items()
        for member in _at(root, path)
        if member not in known
    ]
    rule = root.get("processRuleId")
    if rule is not None and str(rule) != str(MYSQL_TO_HOLO):
        found.append(f"$.processRuleId: only {MYSQL_TO_HOLO} is known; this one is kept but has no effect.")
    written = solution.job.target.parameter.get("tableMappingRule")
    if written and solution.mapping and written != solution.mapping:
        found.append(
            "$.tableMappingRuleFromRealtimeSyncConfig: the writer step has another tableMappingRule, and that counts."
        )
    rules = {"$.offlineSyncConfig.nodeNameRule": solution.node_name_rule}
    rules["$.setting.userDefinedFileNameExpression"] = solution.prefix
    for path, text in rules.items():
        found += [f"{path}: there is no variable ${{{name}}}; it stays empty." for name in node_name.unknown(text)]
    return found


def _process(content: str, root: Mapping[str, Any]) -> Solution:
    problems: list[str] = []
    realtime = object_of(root, "realtimeSyncConfig", "$", problems)
    if not problems and not isinstance(realtime.get("content"), dict):
        problems.append(f"{_CONTENT}: a solution needs the JSON object of a real-time task here.")
    if problems:
        raise Refused("; ".join(problems), _CODE)
    outer = msgspec.json.decode(content, type=_Process)
    text = bytes(msgspec.json.decode(outer.realtime_sync_config, type=_Realtime).content).decode()
    try:
        job = jobs.parse(text)
    except Refused as error:
        raise Refused(_PLACE.sub(lambda _: _CONTENT, str(error)), _CODE) from error
    extend = object_of(realtime, "extend", "$.realtimeSyncConfig", problems)
    problems += [*_contradictions(root, job), *_mode(extend, "$.realtimeSyncConfig.extend.mode", job, _CONTENT)]
    task = Solution(content, text, _CONTENT, job, group_of(extend) or job.resource_group, name=_name(extend))
    solution = _with_what_is_beside(task, root, problems)
    if problems:
        raise Refused("; ".join(problems), _CODE)
    return solution


def _with_what_is_beside(task: Solution, root: Mapping[str, Any], problems: list[str]) -> Solution:
    """All that a ProcessContent says beside its real-time task."""
    offline = object_of(root, "offlineSyncConfig", "$", problems)
    setting = object_of(root, "setting", "$", problems)
    mapping = root.get("tableMappingRuleFromRealtimeSyncConfig")
    if mapping is not None and not isinstance(mapping, dict):
        problems.append("$.tableMappingRuleFromRealtimeSyncConfig: this must be an object.")
    return replace(
        task,
        node_group=group_of(offline),
        node_name_rule=_text(offline, "nodeNameRule", "$.offlineSyncConfig", problems),
        concurrent=_number(root, problems),
        mapping=mapping,
        own_flow=setting.get("autoCreateWorkflow") in (True, "true"),
        prefix=_text(setting, "userDefinedFileNameExpression", "$.setting", problems),
    )


def _full(content: str) -> Solution:
    job = jobs.parse(content)
    if problems := _mode(job.extend, "$.extend.mode", job, "$"):
        raise Refused("; ".join(problems), _CODE)
    return Solution(content, content, "$", job, job.resource_group, name=_name(job.extend))


def _contradictions(root: Mapping[str, Any], job: Job) -> list[str]:
    """What is said twice must be said alike."""
    found = []
    for member in ("holoDatasource", f"{job.target.type}Datasource"):
        named = root.get(member)
        there = [name for name, _ in job.target.data_sources]
        if named is not None and named not in there:
            place = f"{_in(job.target)}.parameter.datasource"
            found.append(f'$.{member}: it names "{named}", and {place} names {_quoted(there)}. Make them equal.')
    kind = root.get("srcType")
    if kind is not None and str(kind).lower() != job.source.type.lower():
        place = f"{_in(job.source)}.stepType"
        found.append(f'$.srcType: it says "{kind}", and {place} says "{job.source.type}". Make them equal.')
    pair = job.source.type.lower(), job.target.type.lower()
    if str(root.get("processRuleId")) == str(MYSQL_TO_HOLO) and not (pair[0] == "mysql" and pair[1] in _HOLO):
        found.append(
            f"$.processRuleId: {MYSQL_TO_HOLO} is MySQL to Hologres, and the steps of {_CONTENT} are "
            f"{pair[0]} to {pair[1]}. Leave it out."
        )
    return list(dict.fromkeys(found))


def _mode(extend: Mapping[str, Any], place: str, job: Job, content: str) -> list[str]:
    """`migration_TYPE` names the target; other modes (wizard, code) only say how a text was made."""
    mode = extend.get("mode")
    if not isinstance(mode, str) or not mode.startswith("migration_"):
        return []
    if mode.removeprefix("migration_").lower() == job.target.type.lower():
        return []
    at = _PLACE.sub(lambda _: content, job.target.place)
    return [f'{place}: it says "{mode}", and {at}.stepType says "{job.target.type}". Make them agree.']


def _in(step: Step) -> str:
    return step.place.replace("$", _CONTENT, 1)


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names) or "none"


def _decoded(content: str) -> dict[str, Any]:
    try:
        root = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Refused(f"$: this is not JSON: {error}", _CODE) from error
    except RecursionError as error:
        raise Refused("$: this JSON is nested too deeply.", _CODE) from error
    if not isinstance(root, dict):
        raise Refused("$: a solution is a JSON object.", _CODE)
    return root


def _at(root: Any, path: str) -> Mapping[str, Any]:
    for part in path.split(".")[1:]:
        root = root.get(part) if isinstance(root, dict) else None
    return root if isinstance(root, dict) else {}


def _text(parent: Mapping[str, Any], member: str, path: str, problems: list[str]) -> str:
    value = parent.get(member)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 512:
        problems.append(f"{path}.{member}: this must be text of at most 512 characters.")
        return ""
    return value


def _name(extend: Mapping[str, Any]) -> str | None:
    name = extend.get("name")
    return name if isinstance(name, str) and name else None


def _number(root: Mapping[str, Any], problems: list[str]) -> int | None:
    value = root.get("readerConcurrent")
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 8:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1_000_000:
        problems.append("$.readerConcurrent: this must be a number from 1 to 1000000.")
        return None
    return value
