"""A job as the user wrote it. The text is kept as it came; what is here is read from a copy.

Direction comes from `order.hops` alone: a step that no hop leads to reads, a step that no hop leaves writes, a step
between them transforms. `category` is not asked, because the vendor's own sample calls both of its steps "writer".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from disync.model import ddl
from disync.model.ddl import Policy
from disync.model.errors import Refused

_KNOWN = {
    "$": {"type", "version", "extend", "nodeDef", "order", "setting", "steps"},
    "$.extend": {"mode", "resourceGroup", "name", "__new__", "formatType", "cu"},
    "$.order": {"hops"},
    "$.setting": {"errorLimit", "jvmOption", "speed", "executeMode", "ddlMarkMap"},
    "$.setting.errorLimit": {"record", "percentage"},
    "$.setting.speed": {"concurrent", "throttle", "mbps", "dmu", "readerConcurrent", "channel", "record", "byte"},
}
_KNOWN_STEP = {"stepType", "category", "displayName", "description", "parameter", "name", "gui"}
_KNOWN_HOP = {"from", "to"}
_SHOWN = 20
"""How many problems one message lists: a broken text of 8 MiB has more of them than anybody reads."""


@dataclass(frozen=True, slots=True)
class Step:
    """`place` is the step's own JSON path, for messages about it."""

    name: str
    type: str
    parameter: Mapping[str, Any]
    place: str

    @property
    def data_sources(self) -> tuple[tuple[str, str], ...]:
        """(name, JSON path) of every data source that the step names."""
        return tuple(_data_sources(self))


@dataclass(frozen=True, slots=True)
class Hop:
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Settings:
    """`dirty`: refused rows that a run may have. `concurrent`: splits read side by side. `bytes_per_second`: from
    `speed.mbps`, which means megabytes, and counts only with `throttle: true`. None: the job does not say. `ddl`:
    `ddlMarkMap`, DISync's own member of a setting, in the form of StartParam's."""

    dirty: int | None = None
    concurrent: int | None = None
    bytes_per_second: float | None = None
    ddl: Mapping[str, Policy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """Steps in the order of the flow: the first reads, the last writes, those between transform."""

    steps: tuple[Step, ...]
    hops: tuple[Hop, ...]
    setting: Settings
    extend: Mapping[str, Any]
    code: str

    @property
    def source(self) -> Step:
        return self.steps[0]

    @property
    def target(self) -> Step:
        return self.steps[-1]

    @property
    def transforms(self) -> tuple[Step, ...]:
        return self.steps[1:-1]

    @property
    def resource_group(self) -> str | None:
        return group_of(self.extend)


def parse(code: str) -> Job:
    """Read a task's JSON text. Raises Refused with every problem found, each with its place in the JSON."""
    problems: list[str] = []
    root = _document(code)
    steps = _steps(root, problems)
    hops = _hops(root, {step.name for step in steps}, problems)
    setting = _settings(root, problems)
    extend = object_of(root, "extend", "$", problems)
    if not problems:
        steps = _chain(steps, hops, problems)
    if problems:
        more = [f"and {len(problems) - _SHOWN} more."] if len(problems) > _SHOWN else []
        raise Refused("; ".join(problems[:_SHOWN] + more), "Invalid.TaskContent")
    return Job(tuple(steps), tuple(hops), setting, extend, code)


def warnings(job: Job) -> list[str]:
    """Members that this job's text has and nobody here reads, by JSON path. They are kept as they are."""
    root = _document(job.code)
    found = [_unknown(root, path, known) for path, known in _KNOWN.items()]
    for index in range(len(root["steps"])):
        found.append(_unknown(root, f"$.steps[{index}]", _KNOWN_STEP))
    for index in range(len(root["order"]["hops"])):
        found.append(_unknown(root, f"$.order.hops[{index}]", _KNOWN_HOP))
    return [f"{path}: this member is kept but has no effect." for paths in found for path in paths]


def _unknown(root: Any, path: str, known: set[str]) -> list[str]:
    node = root
    for part in path.replace("[", ".[").split(".")[1:]:
        node = node[int(part[1:-1])] if part.startswith("[") else node.get(part)
        if node is None:
            return []
    if not isinstance(node, dict):
        return []
    return [f"{path}.{member}" for member in node if member not in known]


def _document(code: str) -> dict[str, Any]:
    try:
        root = msgspec.json.decode(code)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Refused(f"$: this is not JSON: {error}", "Invalid.TaskContent") from error
    except RecursionError as error:
        raise Refused("$: this JSON is nested too deeply.", "Invalid.TaskContent") from error
    if not isinstance(root, dict):
        raise Refused("$: a task is a JSON object.", "Invalid.TaskContent")
    return root


def group_of(parent: Mapping[str, Any]) -> str | None:
    """The identifier that `resourceGroup` names: seen as text and as a bare number."""
    group = parent.get("resourceGroup")
    return str(group) if isinstance(group, str | int) and group != "" else None


def object_of(parent: Mapping[str, Any], member: str, path: str, problems: list[str]) -> Mapping[str, Any]:
    """An optional object; null counts as absent."""
    value = parent.get(member)
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(f"{path}.{member}: this must be an object.")
        return {}
    return value


def _steps(root: Mapping[str, Any], problems: list[str]) -> list[Step]:
    written = root.get("steps")
    if not isinstance(written, list) or not written:
        problems.append("$.steps: a task needs a list of steps, a source and a target at least.")
        return []
    steps: dict[str, Step] = {}
    for index, item in enumerate(written):
        step = _step(item, f"$.steps[{index}]", problems)
        if step is None:
            continue
        first = steps.setdefault(step.name, step)
        if first is not step:
            problems.append(f'{step.place}.name: {first.place} is named "{step.name}" too.')
    return list(steps.values())


def _step(item: Any, place: str, problems: list[str]) -> Step | None:
    if not isinstance(item, dict):
        problems.append(f"{place}: a step must be an object.")
        return None
    name, kind = item.get("name"), item.get("stepType")
    if not isinstance(name, str) or not name:
        problems.append(f"{place}.name: every step needs a name.")
    if not isinstance(kind, str) or not kind:
        problems.append(f"{place}.stepType: every step needs a stepType.")
    parameter = object_of(item, "parameter", place, problems)
    if not (isinstance(name, str) and name and isinstance(kind, str) and kind):
        return None
    return Step(name, kind, parameter, place)


def _hops(root: Mapping[str, Any], names: set[str], problems: list[str]) -> list[Hop]:
    written = object_of(root, "order", "$", problems).get("hops")
    if not isinstance(written, list) or not written:
        problems.append("$.order.hops: a task needs a list of hops, from its source to its target.")
        return []
    hops: list[Hop] = []
    for index, item in enumerate(written):
        place = f"$.order.hops[{index}]"
        ends = [item.get(end) for end in ("from", "to")] if isinstance(item, dict) else [None, None]
        for end, name in zip(("from", "to"), ends, strict=True):
            if not isinstance(name, str):
                problems.append(f"{place}.{end}: a hop names a step here.")
            elif name not in names:
                problems.append(f'{place}.{end}: no step is named "{name}".')
        if isinstance(ends[0], str) and isinstance(ends[1], str):
            hops.append(Hop(ends[0], ends[1]))
    return hops


def _settings(root: Mapping[str, Any], problems: list[str]) -> Settings:
    setting = object_of(root, "setting", "$", problems)
    limit = object_of(setting, "errorLimit", "$.setting", problems).get("record")
    speed = object_of(setting, "speed", "$.setting", problems)
    try:
        dirty = dirty_limit(limit)
    except ValueError as error:
        problems.append(f"$.setting.errorLimit.record: {error}")
        dirty = None
    concurrent = _number(speed, "concurrent", problems) or _number(speed, "readerConcurrent", problems)
    megabytes = _number(speed, "mbps", problems) if speed.get("throttle") in (True, "true") else None
    try:
        policies = ddl.read(setting.get("ddlMarkMap"), "$.setting.ddlMarkMap")
    except Refused as error:
        problems.append(str(error))
        policies = {}
    rate = megabytes * 1_000_000 if megabytes else None
    return Settings(dirty, int(concurrent) if concurrent else None, rate, policies)


def _number(speed: Mapping[str, Any], member: str, problems: list[str]) -> float | None:
    """A positive number, or its digits as text; "" and null count as absent."""
    value = speed.get(member)
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        number = 0.0
    if not 1 <= number <= 1_000_000:
        problems.append(f"$.setting.speed.{member}: this must be a number from 1 to 1000000.")
        return None
    return number


def dirty_limit(record: Any) -> int | None:
    """`errorLimit.record` as it is found in the wild: a number, its digits as text, "" or null for no limit."""
    if record is None or record == "":
        return None
    if isinstance(record, str) and record.isascii() and record.isdigit() and len(record) < 20:
        record = int(record)
    if isinstance(record, int) and not isinstance(record, bool) and 0 <= record < 2**53:
        return record
    raise ValueError("this must be a whole number of rows, 0 or more.")


def _chain(steps: list[Step], hops: list[Hop], problems: list[str]) -> list[Step]:
    """The steps in the order of the flow. A job is one chain: one source, one target, no fork, no loop."""
    into: dict[str, list[str]] = {step.name: [] for step in steps}
    out: dict[str, list[str]] = {step.name: [] for step in steps}
    for hop in hops:
        out[hop.source].append(hop.target)
        into[hop.target].append(hop.source)
    problems += [f'{s.place}: no hop touches the step "{s.name}".' for s in steps if not into[s.name] + out[s.name]]
    sources = [step for step in steps if not into[step.name] and out[step.name]]
    targets = [step for step in steps if into[step.name] and not out[step.name]]
    if len(sources) > 1:
        problems.append(f"$.order.hops: a task has one source, this one has {len(sources)}: {_names(sources)}.")
    if len(targets) > 1:
        problems.append(f"$.order.hops: a task has one target, this one has {len(targets)}: {_names(targets)}.")
    ordered = _sorted(into, out)
    looped = [step for step in steps if step.name not in ordered]
    if looped:
        problems.append(f"$.order.hops: the hops go round in a loop at {_names(looped)}.")
    forks = [step for step in steps if len(into[step.name]) > 1 or len(out[step.name]) > 1]
    if forks and not problems:
        problems.append(f"$.order.hops: only one hop may lead to and from a step; look at {_names(forks)}.")
    return sorted(steps, key=lambda step: ordered.get(step.name, 0))


def _sorted(into: Mapping[str, list[str]], out: Mapping[str, list[str]]) -> dict[str, int]:
    """The rank of every step in the flow; steps in a loop, and all behind them, get none."""
    waiting = {name: len(before) for name, before in into.items()}
    ready = [name for name, count in waiting.items() if not count]
    ranks: dict[str, int] = {}
    while ready:
        name = ready.pop()
        ranks[name] = len(ranks)
        for after in out[name]:
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    return ranks


def _names(steps: list[Step]) -> str:
    shown = ", ".join(f'"{step.name}"' for step in steps[:5])
    return shown if len(steps) <= 5 else f"{shown} and {len(steps) - 5} more"


def _data_sources(step: Step) -> Iterator[tuple[str, str]]:
    place = f"{step.place}.parameter"
    yield from _named(step.parameter, place)
    connection = step.parameter.get("connection")
    if isinstance(connection, list):
        for index, item in enumerate(connection):
            if isinstance(item, dict):
                yield from _named(item, f"{place}.connection[{index}]")


def _named(holder: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    name = holder.get("datasource")
    if isinstance(name, str) and name:
        yield name, f"{place}.datasource"
