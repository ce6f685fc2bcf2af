"""What a user writes: the content of a data source, and the parameters of a reader and of a writer step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from disync.connectors.endpoint import endpoint_of
from disync.model.connector import Site
from disync.model.errors import BadConfig

BatchSize = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,127}\Z")]
"""Of a project or a topic."""
KeyId = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,256}\Z")]
"""It stands in a header as it is."""


class Content(msgspec.Struct, rename="camel", frozen=True):
    """The self-hosted form of a DataHub data source."""

    endpoint: str
    project: Name
    access_id: KeyId
    access_key: str
    tag: str = "public"

    def __post_init__(self) -> None:
        endpoint_of(self.endpoint)
        if not self.access_key.isprintable():
            raise ValueError("`accessKey` has characters that no key has")


class ReaderParameters(msgspec.Struct, rename="camel", frozen=True):
    """A reader step. `batchSize`: records asked for in one call."""

    datasource: str
    topic: Name
    batch_size: BatchSize = 1000


class WriterParameters(msgspec.Struct, rename="camel", frozen=True):
    """A writer step. `batchSize`: records put in one call.

    `keyColumns` is DISync's own member: columns whose values choose the shard, so that rows with equal values stay in
    one shard and in order. Left out, records keep the order and the grouping of the source's shards.
    """

    datasource: str
    topic: Name
    batch_size: BatchSize = 1000
    key_columns: tuple[str, ...] = ()


_P = TypeVar("_P", ReaderParameters, WriterParameters)


def content_of(content: Mapping[str, Any]) -> Content:
    """The content of a data source; BadConfig that names the member at fault."""
    try:
        return msgspec.convert(dict(content), Content)
    except msgspec.ValidationError as error:
        raise BadConfig(f"The data source of type datahub is not right: {error}.") from error


def step_of(site: Site, kind: type[_P]) -> tuple[_P, Content]:
    """A step's parameters, and the content of the data source that it names."""
    try:
        parameters = msgspec.convert(dict(site.parameter), kind)
    except msgspec.ValidationError as error:
        raise BadConfig(f"The parameter of the datahub step is not right: {error}.") from error
    if parameters.datasource not in site.sources:
        raise BadConfig(f"There is no data source named {parameters.datasource}. Create it, or correct `datasource`.")
    return parameters, content_of(site.sources[parameters.datasource])
