"""What a user writes: the content of a data source, and the parameters of a writer step.

The URL of a data source is taken apart here and never handed on: host, port, database and a few options that are
known to be harmless. Anything else in it is refused, as a URL is how strangers reach into a driver.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, unquote

import msgspec

from disync.model.connector import Site
from disync.model.errors import BadConfig

PORT = 5432
_URL = re.compile(
    r"jdbc:postgresql://(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?/(?P<database>[^/?#&=@:\\\s]{1,256})(?:\?(?P<options>[^#\\\s]*))?"
)
_IGNORED = {"applicationname", "tcpkeepalive", "rewritebatchedinserts", "stringtype", "preparethreshold"}
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-full")


@dataclass(frozen=True, slots=True)
class Url:
    """What a `jdbcUrl` says; `parameters` are libpq's, `schema` is its `currentSchema`."""

    host: str
    port: int
    database: str
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    schema: str | None = None


class Content(msgspec.Struct, rename="camel", frozen=True):
    """The self-hosted form of a data source: `jdbcUrl` is `jdbc:postgresql://HOST:PORT/DATABASE`.

    Options of the URL that count: `sslmode` (disable, allow, prefer, require, verify-full), `ssl=true` (as require),
    `connectTimeout` (seconds) and `currentSchema`. A few that only mean something to Java are passed over.

    The vendor's other forms, which name an instance in its cloud (`tag` rds or aliyun), can be stored and not used.
    """

    jdbc_url: str | None = None
    username: str = ""
    password: str | None = None
    tag: str = "public"

    def __post_init__(self) -> None:
        if self.tag != "public" and self.jdbc_url is None:
            return
        members = {"jdbcUrl": self.jdbc_url, "username": self.username or None, "password": self.password}
        missing = [name for name, value in members.items() if value is None]
        if missing:
            raise ValueError(f"Object missing required field `{missing[0]}`")
        _url(str(self.jdbc_url))
        if "\0" in self.username + str(self.password):
            raise ValueError("Neither `username` nor `password` may hold a NUL")


class WriterParameters(msgspec.Struct, rename="camel", frozen=True):
    """A writer step.

    `table`: the target's name; left out, every table keeps the name it has in the source. `datasourceSchema`, or
    `schema`: where the tables are (public). `writeMode`: `replay` repeats inserts, updates and deletes by key, `insert`
    appends every change as a row with five more columns. `conflictMode`: what happens to an insert whose key is there:
    `replace` or `ignore`. `suppressedRows`: what happens when a trigger or a rule of the target keeps rows out:
    `refuse` stops the task, `allow` does not count them. `batchSize`: rows that are gathered before they are sent,
    inside one transaction. `writerConcurrent`: sessions that the changes of a stream are parted over by key, each with
    commits of its own, so that a transaction of the source is seen in pieces. Only where `writeMode` is replay.
    """

    datasource: str
    table: str | None = None
    datasource_schema: str | None = None
    schema: str | None = None
    write_mode: Literal["replay", "insert"] = "replay"
    conflict_mode: Literal["replace", "ignore"] = "replace"
    suppressed_rows: Literal["refuse", "allow"] = "refuse"
    table_mapping_rule: dict[str, Any] | None = None
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 50_000
    writer_concurrent: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1

    @property
    def target_schema(self) -> str:
        return self.datasource_schema or self.schema or "public"


@dataclass(frozen=True, slots=True)
class Address:
    """Where and as whom to connect; `parameters` are libpq's."""

    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    schema: str | None = None


def address_of(content: Mapping[str, Any]) -> Address:
    """The content of a data source; BadConfig that names the member at fault."""
    try:
        found = msgspec.convert(dict(content), Content)
    except msgspec.ValidationError as error:
        raise BadConfig(f"The data source is not right: {error}.") from error
    if found.jdbc_url is None or found.password is None:
        raise BadConfig("The data source names an instance in the vendor's cloud. Give it a `jdbcUrl`, and tag public.")
    url = _url(found.jdbc_url)
    return Address(url.host, url.port, url.database, found.username, found.password, url.parameters, url.schema)


def step_of(site: Site) -> tuple[WriterParameters, Address]:
    """A step's parameters, and the address of the data source that it names."""
    try:
        parameters = msgspec.convert(dict(site.parameter), WriterParameters)
    except msgspec.ValidationError as error:
        raise BadConfig(f"The parameter of the writer step is not right: {error}.") from error
    if parameters.datasource not in site.sources:
        raise BadConfig(f"There is no data source named {parameters.datasource}. Create it, or correct `datasource`.")
    address = address_of(site.sources[parameters.datasource])
    if address.schema and not (parameters.schema or parameters.datasource_schema):
        parameters = msgspec.structs.replace(parameters, schema=address.schema)
    return parameters, address


def _url(text: str) -> Url:
    """Take a URL apart; the only place that does. ValueError, which does not quote it, for anything else."""
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("`jdbcUrl` must have the form jdbc:postgresql://HOST:PORT/DATABASE, and no user in it")
    port = int(match["port"] or PORT)
    database = unquote(match["database"])
    if not 0 < port < 65536 or not database.isprintable():
        raise ValueError("`jdbcUrl` has a port or a database name that cannot be")
    return Url(match["host"].strip("[]"), port, database, *_options(match["options"] or ""))


def _options(text: str) -> tuple[dict[str, str | int], str | None]:
    parameters: dict[str, str | int] = {}
    schema = None
    for name, value in parse_qsl(text, keep_blank_values=True):
        match name.lower():
            case "sslmode" if value in _SSL_MODES:
                parameters["sslmode"] = value
            case "ssl" if value in ("true", "false", ""):
                parameters.setdefault("sslmode", "prefer" if value == "false" else "require")
            case "connecttimeout" if value.isascii() and value.isdigit() and len(value) < 4:
                parameters["connect_timeout"] = max(2, int(value))
            case "currentschema" if value and "," not in value:
                schema = value
            case known if known in _IGNORED:
                pass
            case _:
                raise ValueError(f"`jdbcUrl` has an option that is not taken: {name}")
    if parameters.get("sslmode") == "verify-full":
        parameters["sslrootcert"] = "system"
    return parameters, schema
