"""What is wrong with a job before it runs: held against the connectors and the data sources of its workspace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from disync.connectors import find
from disync.model import table_mapping
from disync.model.connector import Connector
from disync.model.data import Table
from disync.model.errors import BadConfig, Refused
from disync.model.job import Job, Step
from disync.model.job import warnings as unknown_members
from disync.model.table_mapping import TableMappings
from disync.services.data_sources import Known

LONGEST_GROUP = 512
_WHERE = ("topic", "table", "datasourceSchema", "schema")
"""Members of a step that name a place inside its data source."""


def problems(job: Job, known: Mapping[str, Known]) -> list[str]:
    """Everything that would keep the job from running, by JSON path. `known` has the data sources that exist."""
    found = [f"{step.place}.stepType: transform steps are not served yet ({step.type})." for step in job.transforms]
    for step, reads in ((job.source, True), (job.target, False)):
        found += _step_problems(step, reads)
        found += _data_source_problems(step, known)
    return [*found, *_poured(job), *_mapped(job), *_loop(job, known), *_group_problems(job)]


def require_runnable(job: Job, known: Mapping[str, Known]) -> None:
    found = problems(job, known)
    if found:
        raise Refused("; ".join(found), "Invalid.TaskContent")


def warnings(job: Job, known: Mapping[str, Known]) -> list[str]:
    """What is kept without effect, and what has to be put right before the task can be deployed."""
    found = unknown_members(job)
    for step, reads in ((job.source, True), (job.target, False)):
        found += _unknown_parameters(step, reads)
    return found + problems(job, known)


def _step_problems(step: Step, reads: bool) -> Iterator[str]:
    place = f"{step.place}.stepType"
    connector = find(step.type)
    if connector is None:
        yield f'{place}: there is no connector named "{step.type}".'
        return
    if (connector.reader if reads else connector.writer) is None:
        yield f'{place}: "{step.type}" cannot be {"read from" if reads else "written to"}.'
        return
    parameters = _parameters(connector, reads)
    if parameters is None:
        return
    try:
        msgspec.convert(step.parameter, parameters)
    except msgspec.ValidationError as error:
        # msgspec writes `… - at `$.batchSize``: the place is turned into one of the whole text, and put first.
        reason, _, path = str(error).partition(" - at ")
        yield f"{step.place}.parameter{path.strip('`').removeprefix('$')}: {reason}."


def _data_source_problems(step: Step, known: Mapping[str, Known]) -> Iterator[str]:
    connector = find(step.type)
    for name, place in step.data_sources:
        found = known.get(name)
        if found is None:
            yield f'{place}: there is no data source named "{name}".'
        elif connector is not None and find(found.type) is not connector:
            yield f'{place}: the data source "{name}" is of the type {found.type}, not {step.type}.'


def _poured(job: Job) -> Iterator[str]:
    """Several tables of the source must not become one by mistake."""
    connector, target = find(job.source.type), job.target
    tables = connector.named(job.source.parameter) if connector and connector.named else ()
    one = target.parameter.get("table")
    if len(tables) > 1 and isinstance(one, str):
        yield (
            f'{target.place}.parameter.table: {len(tables)} tables would be written to "{one[:100]}": '
            f"{', '.join(name for _, name in tables[:8])}. Leave it out: each keeps its name. Or make a task for each."
        )


def _mapped(job: Job) -> Iterator[str]:
    """Whether the tables that are named can all be mapped, each to a target of its own."""
    connector, target = find(job.source.type), job.target
    tables = connector.named(job.source.parameter) if connector and connector.named else ()
    source = next((name for name, _ in job.source.data_sources), "")
    try:
        mappings = TableMappings(table_mapping.read(target.parameter), source, "")
        mappings.routes([Table(".".join(filter(None, place)), path=place) for place in tables])
    except BadConfig as error:
        yield f"{target.place}.parameter.tableMappingRule: {str(error).removeprefix('tableMappingRule')}"


def _loop(job: Job, known: Mapping[str, Known]) -> Iterator[str]:
    """A task that reads what it has written never ends, and fills its target."""
    source, target = job.source, job.target
    if source.type.lower() != target.type.lower():
        return
    place = _place(source, known)
    if place is not None and place == _place(target, known):
        yield f"{target.place}.parameter: this is the place that {source.place} reads from; name another one."


def _place(step: Step, known: Mapping[str, Known]) -> tuple[Any, ...] | None:
    names = {name for name, _ in step.data_sources}
    found = known.get(names.pop()) if len(names) == 1 else None
    if found is None or found.place is None:
        return None
    return found.place, *(step.parameter.get(member) for member in _WHERE)


def _group_problems(job: Job) -> Iterator[str]:
    group = job.resource_group
    if group is not None and not (group.isprintable() and len(group) <= LONGEST_GROUP):
        yield f"$.extend.resourceGroup: this must be text of at most {LONGEST_GROUP} characters that can be printed."


def _unknown_parameters(step: Step, reads: bool) -> Iterator[str]:
    connector = find(step.type)
    parameters = _parameters(connector, reads) if connector else None
    if parameters is None:
        return
    known = {field.encode_name for field in msgspec.structs.fields(parameters)}
    for member in step.parameter:
        if member not in known:
            yield f"{step.place}.parameter.{member}: this member is kept but has no effect."


def _parameters(connector: Connector, reads: bool) -> type[Any] | None:
    return connector.reader_parameters if reads else connector.writer_parameters
