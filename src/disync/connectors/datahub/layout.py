"""What a topic's records look like: its schema, and the numbers under which the service keeps the schema's versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from disync.connectors.datahub.client import Client
from disync.connectors.datahub.wire.batch import BLOB_VERSION
from disync.connectors.datahub.wire.schema import Schema, same_layout


@dataclass(frozen=True, slots=True)
class Shape:
    """A topic's schema (None: BLOB), and its versions by number, at one moment."""

    schema: Schema | None = None
    versions: Mapping[int, Schema] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The number of the schema; 0 where the service numbers none."""
        if self.schema is None:
            return BLOB_VERSION
        same = [number for number, schema in self.versions.items() if same_layout(schema, self.schema)]
        return max(same, default=0)


class Layout:
    """A topic's shape as it was when last looked at. Threads share it; each takes `shape` once and stays with it."""

    def __init__(self, client: Client, topic: str) -> None:
        self.name = topic
        self._client = client
        self.shape = Shape()
        self.load()

    def load(self) -> None:
        """Look again."""
        schema = self._client.topic(self.name).schema
        self.shape = Shape(schema, self._client.schemas(self.name) if schema is not None else {})

    @property
    def schema(self) -> Schema | None:
        """The schema when last looked at; None for BLOB."""
        return self.shape.schema

    def schema_of(self, version: int) -> Schema | None:
        """The schema of records of this version; that of today for a number which the service does not know."""
        if self.shape.schema is not None and self.shape.versions and version not in self.shape.versions:
            self.load()
        return self.shape.versions.get(version, self.shape.schema)
