"""Projects, topics, schema versions and shards: in memory as frozen values, in SQLite as truth.

Every change is committed before it shows. One thread uses it, the event loop's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from disync.connectors.datahub.wire import schema as schemas
from disync.connectors.datahub.wire.schema import Schema
from disync.datahub.database import transaction
from disync.datahub.errors import Fault
from disync.datahub.shards import Shard, Shards


@dataclass(frozen=True, slots=True)
class Project:
    """Times in seconds since 1970, here and below, as the wire has them."""

    name: str
    comment: str
    created: int
    modified: int


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """A deleted version takes no new records; those written under it are still read by it."""

    version: int
    schema: Schema
    text: str
    created: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """`id` is never used twice, so nothing of a deleted topic can reach a new one of the same name."""

    id: int
    project: str
    name: str
    is_tuple: bool
    lifecycle: int
    comment: str
    extend: bool
    created: int
    modified: int
    schemas: tuple[SchemaVersion, ...] = ()
    shards: Shards = ()

    @property
    def schema(self) -> SchemaVersion | None:
        """The schema that JSON and protobuf records have: the newest; None for BLOB."""
        live = [version for version in self.schemas if not version.deleted]
        return live[-1] if live else None


class Catalog:
    """Owns no file: the connection is the hub's."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._projects = {row[0]: Project(*row) for row in database.execute("SELECT * FROM project ORDER BY created")}
        self._topics: dict[tuple[str, str], Topic] = {}
        for row in database.execute("SELECT * FROM topic ORDER BY id").fetchall():
            self._show(self._load(row))

    def projects(self) -> list[Project]:
        return list(self._projects.values())

    def project(self, name: str) -> Project:
        if name not in self._projects:
            raise Fault("NoSuchProject", f"there is no project {name!r}")
        return self._projects[name]

    def topics(self, project: str | None = None) -> list[Topic]:
        """The topics of a project, or all."""
        if project is not None:
            self.project(project)
        return [topic for topic in self._topics.values() if project in (None, topic.project)]

    def topic(self, project: str, name: str) -> Topic:
        self.project(project)
        if (project, name) not in self._topics:
            raise Fault("NoSuchTopic", f"there is no topic {name!r} in project {project!r}")
        return self._topics[project, name]

    def create_project(self, project: Project) -> None:
        if project.name in self._projects:
            raise Fault("ProjectAlreadyExist", f"project {project.name!r} exists")
        self.save_project(project)

    def save_project(self, project: Project) -> None:
        self._database.execute(
            "INSERT INTO project VALUES (?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET comment = excluded.comment, modified = excluded.modified",
            (project.name, project.comment, project.created, project.modified),
        )
        self._projects[project.name] = project

    def delete_project(self, name: str) -> None:
        if self.topics(name):
            raise Fault("OperationDenied", f"project {name!r} still has topics")
        self._database.execute("DELETE FROM project WHERE name = ?", (name,))
        del self._projects[name]

    def create_topic(self, topic: Topic) -> Topic:
        """Store a topic; the one that comes back has its id."""
        self.project(topic.project)
        if (topic.project, topic.name) in self._topics:
            raise Fault("TopicAlreadyExist", f"topic {topic.name!r} exists in project {topic.project!r}")
        with transaction(self._database):
            row = self._database.execute(
                "INSERT INTO topic (project, name, tuple, lifecycle, comment, extend, created, modified)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (
                    *(topic.project, topic.name, topic.is_tuple, topic.lifecycle),
                    *(topic.comment, topic.extend, topic.created, topic.modified),
                ),
            ).fetchone()
            topic = replace(topic, id=row[0])
            self._write_parts(topic)
        return self._show(topic)

    def save_topic(self, topic: Topic) -> Topic:
        """Store a topic's new comment, lifecycle, schemas and shards."""
        with transaction(self._database):
            self._database.execute(
                "UPDATE topic SET lifecycle = ?, comment = ?, modified = ? WHERE id = ?",
                (topic.lifecycle, topic.comment, topic.modified, topic.id),
            )
            self._write_parts(topic)
        return self._show(topic)

    def delete_topic(self, topic: Topic) -> None:
        self._database.execute("DELETE FROM topic WHERE id = ?", (topic.id,))
        del self._topics[topic.project, topic.name]

    def _show(self, topic: Topic) -> Topic:
        self._topics[topic.project, topic.name] = topic
        return topic

    def _load(self, row: Iterable[object]) -> Topic:
        number, project, name, is_tuple, lifecycle, comment, extend, created, modified = row
        versions = self._database.execute(
            "SELECT version, text, created, deleted FROM schema WHERE topic = ? ORDER BY version", (number,)
        )
        shards = self._database.execute(
            "SELECT id, first, beyond, parents, closed_time FROM shard WHERE topic = ? ORDER BY id", (number,)
        )
        return Topic(
            *(number, project, name, bool(is_tuple), lifecycle, comment, bool(extend), created, modified),  # type: ignore[arg-type]
            schemas=tuple(SchemaVersion(v, schemas.parse(t), t, c, bool(d)) for v, t, c, d in versions),
            shards=tuple(
                Shard(i, int(first, 16), int(beyond, 16), tuple(int(p) for p in parents.split()), closed)
                for i, first, beyond, parents, closed in shards
            ),
        )

    def _write_parts(self, topic: Topic) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO schema VALUES (?, ?, ?, ?, ?)",
            [(topic.id, v.version, v.text, v.created, v.deleted) for v in topic.schemas],
        )
        self._database.executemany(
            "INSERT OR REPLACE INTO shard VALUES (?, ?, ?, ?, ?, ?)",
            [
                (topic.id, s.id, f"{s.begin:x}", f"{s.end:x}", " ".join(map(str, s.parents)), s.closed_time)
                for s in topic.shards
            ],
        )
