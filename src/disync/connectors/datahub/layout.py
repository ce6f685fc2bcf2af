"""What a topic's records look like: its schema, and the numbers under which the service keeps the schema's versions."""

from __future__ import annotations

from disync.connectors.datahub.client import Client
from disync.connectors.datahub.wire.batch import BLOB_VERSION
from disync.connectors.datahub.wire.schema import Schema, same_layout


class Layout:
    """A topic's schema as it was when last looked at. Threads may share it: it is replaced as a whole."""

    def __init__(self, client: Client, topic: str) -> None:
        self.name = topic
        self._client = client
        self._schema: Schema | None = None
        self._versions: dict[int, Schema] = {}
        self.load()

    def load(self) -> None:
        """Look again."""
        schema = self._client.topic(self.name).schema
        versions = self._client.schemas(self.name) if schema is not None else {}
        self._schema, self._versions = schema, versions

    @property
    def schema(self) -> Schema | None:
        """The schema of today; None for BLOB."""
        return self._schema

    @property
    def version(self) -> int:
        """The number of today's schema; 0 where the service numbers none."""
        if self._schema is None:
            return BLOB_VERSION
        same = [number for number, schema in self._versions.items() if same_layout(schema, self._schema)]
        return max(same, default=0)

    def schema_of(self, version: int) -> Schema | None:
        """The schema of records of this version; that of today for a number which the service does not know."""
        if self._schema is None:
            return None
        if version not in self._versions and self._versions:
            self.load()
        return self._versions.get(version, self._schema)
