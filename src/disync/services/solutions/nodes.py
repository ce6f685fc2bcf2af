"""The batch nodes of a solution: a file of type 23 for each table that its run loads, named by `nodeNameRule`.

A node shows what is loaded, and how, in the form of an offline task. It does not run: the solution loads the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.model import node_name
from disync.model.data import Table
from disync.model.job import Job, parse
from disync.model.run import Split, Task
from disync.model.table_mapping import origin
from disync.services.clock import now_ms
from disync.services.solutions.tables import Targets
from disync.store import checkpoints, files, solutions

NODE_FILE = 23
OFFLINE = "DI_OFFLINE"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as its solution wants it: for a table, under a name that may be taken, with this text."""

    table: str
    name: str
    script: str


def planned(db: Connection, task: Task, splits: Sequence[Split]) -> tuple[Any, list[Node]] | None:
    """The solution that owns the task, and the nodes for what its run is about to load; None for a task of its own.
    With many tables this takes a while, and needs no lock."""
    solution = solutions.of_task(db, task.id)
    if solution is None or not splits:
        return None
    job = parse(task.code)
    targets, found = Targets(job), []
    for table in {split.table.name: split.table for split in splits}.values():
        place = targets.of(table)
        found.append(
            Node(table.name, name(solution, job, table, place), script(job, table, place, solution.node_group))
        )
    return solution, found


def follow(db: Connection, solution: Any, wanted: Sequence[Node], anew: bool) -> None:
    """A run has cut its load: its tables have nodes from now on, and are counted. `anew`: these are all tables."""
    known = solutions.nodes(db, solution.file_id)
    if anew:
        solutions.remove_nodes(db, solution.file_id, known.keys() - {node.table for node in wanted}, now_ms())
    _write(db, solution, wanted, known)
    _count(db, solution)


def leave(db: Connection, task_id: int, tables: Collection[str]) -> None:
    """These tables have left the task: their nodes go with them."""
    solution = solutions.of_task(db, task_id)
    if solution is not None:
        solutions.remove_nodes(db, solution.file_id, tables, now_ms())
        _count(db, solution)


def _count(db: Connection, solution: Any) -> None:
    """All that the run has, those that it has left behind included."""
    task = solution.realtime_id
    tables = solutions.loaded_tables(db, task) | checkpoints.failed(db, task).keys()
    solutions.change(db, solution.file_id, table_num=len(tables))


def name(solution: Any, job: Job, table: Table, place: tuple[str, str]) -> str:
    """By the rule; not yet told apart from other files. `place`: the schema and name of the target."""
    (database, of), (schema, to) = origin(table), place
    sources, targets = ([name for name, _ in step.data_sources] for step in (job.source, job.target))
    values = {
        "ds_name_src": sources[0] if sources else "",
        "db_name_src": database,
        "db_table_name_src": of,
        "db_name_src_transed": schema or database,
        "db_table_name_src_transed": to,
        "ds_name_dest": targets[0] if targets else "",
        "db_name_dest": schema,
        "db_table_name_dest": to,
        "ds_type_src": job.source.type.lower(),
        "ds_type_dest": job.target.type.lower(),
        "solution_name": solution.name,
    }
    return node_name.expand(solution.node_rule or node_name.NODE_RULE, values)


def script(job: Job, table: Table, place: tuple[str, str], group: str | None) -> str:
    """The load of one table as the JSON of an offline task."""
    (database, of), (schema, to) = origin(table), place
    columns = [column.name for column in table.columns]
    source = next((name for name, _ in job.source.data_sources), "")
    connection = {"datasource": source, "table": [f"{database}.{of}" if database else of]}
    reader: dict[str, Any] = {"datasource": source, "column": columns, "connection": [connection], "where": ""}
    if table.keys:
        reader["splitPk"] = table.keys[0]
    writer = {
        "datasource": next((name for name, _ in job.target.data_sources), ""),
        "table": f"{schema}.{to}" if schema else to,
        "column": columns,
        "conflictMode": job.target.parameter.get("conflictMode") or "replace",
    }
    steps = [
        {"stepType": job.source.type, "parameter": reader, "name": "Reader", "category": "reader"},
        {"stepType": job.target.type, "parameter": writer, "name": "Writer", "category": "writer"},
    ]
    setting: dict[str, Any] = {"errorLimit": {"record": "" if job.setting.dirty is None else job.setting.dirty}}
    setting["speed"] = {"concurrent": job.setting.concurrent or 1, "throttle": False}
    code: dict[str, Any] = {"type": "job", "version": "2.0", "steps": steps, "setting": setting}
    code["order"] = {"hops": [{"from": "Reader", "to": "Writer"}]}
    code["extend"] = {"mode": "wizard", **({"resourceGroup": group} if group else {})}
    return msgspec.json.encode(code).decode()


def _write(db: Connection, solution: Any, wanted: Sequence[Node], known: Mapping[str, Any]) -> None:
    """A new file for a table that has none; of one that has, the text as it is now."""
    realtime = files.get(db, solution.realtime_id)
    names = _names(db, realtime.workspace_id, [node.name for node in wanted if node.table not in known])
    now = now_ms()
    place = {"workspace_id": realtime.workspace_id, "folder_id": realtime.folder_id}
    owner = {"business_id": realtime.business_id, "owner_id": realtime.owner_id, "last_editor_id": realtime.owner_id}
    times = {"created_ms": now, "edited_ms": now, "commit_status": 1, "solution_id": solution.file_id}
    kind = {"file_type": NODE_FILE, "task_type": OFFLINE, "resource_group": solution.node_group}
    made: list[dict[str, Any]] = []
    for node in wanted:
        row = known.get(node.table)
        if row is None:
            of_table = {"name": next(names), "content": node.script, "table_name": node.table}
            made.append({**place, **owner, **times, **kind, **of_table})
        elif row.content != node.script:
            files.change(db, row.id, content=node.script, edited_ms=now)
    solutions.add_files(db, made)


def _names(db: Connection, workspace_id: int, wanted: Sequence[str]) -> Iterator[str]:
    """The names, one after the other; a number behind each that another file has, or that comes twice."""
    used = solutions.taken(db, workspace_id, wanted)
    given: list[str] = []
    counts: dict[str, int] = {}
    for each in wanted:
        free = each
        while free in used:
            counts[each] = counts.get(each, 1) + 1
            free = node_name.another(each, counts[each])
            if free not in used and solutions.taken(db, workspace_id, [free]):
                used.add(free)
        used.add(free)
        given.append(free)
    return iter(given)
