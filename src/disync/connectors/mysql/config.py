"""What a user writes: the content of a data source, and the parameters of a reader step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import msgspec

from disync.model.connector import Site
from disync.model.errors import BadConfig
from disync.model.selection import SelectionRule

BatchSize = Annotated[int, msgspec.Meta(ge=1, le=100_000)]

_URL = re.compile(
    r"jdbc:(?:mysql|mariadb)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"/(?P<database>[^/?#]*)(?:\?(?P<options>[^#]*))?"
)

_HARMLESS = frozenset(
    "useUnicode characterEncoding serverTimezone connectTimeout socketTimeout autoReconnect rewriteBatchedStatements "
    "zeroDateTimeBehavior tinyInt1isBit yearIsDateType useCursorFetch allowPublicKeyRetrieval".lower().split()
)
"""Options that are found in the wild and change nothing here: values and character sets are read exactly anyway."""

_DANGEROUS = frozenset(
    "allowLoadLocalInfile allowLoadLocalInfileInPath allowUrlInLocalInfile autoDeserialize queryInterceptors "
    "statementInterceptors propertiesTransform socketFactory".lower().split()
)
"""Options by which a server can read this machine's files or run code in a Java client: refused even as `false`, so
that no such URL is ever handed on to a tool that obeys it."""


class Content(msgspec.Struct, rename="camel", frozen=True):
    """The self-hosted form of a MySQL or MariaDB data source."""

    jdbc_url: str
    username: str
    password: str = ""
    tag: str = "public"


class TableInfo(msgspec.Struct, rename="camel", frozen=True):
    table: str
    table_name: str = ""
    enable: bool = True


class SchemaInfo(msgspec.Struct, rename="camel", frozen=True):
    table_infos: tuple[TableInfo, ...] = ()


class SelectedTables(msgspec.Struct, rename="camel", frozen=True):
    """One database and the tables chosen in it; with none, all of its base tables."""

    db_name: str
    schema: tuple[SchemaInfo, ...] = ()


class Connection(msgspec.Struct, rename="camel", frozen=True):
    """Tables of the URL's database (`table`), of several ones (`selectedTables`), or by rule; all of them count."""

    datasource: str = ""
    datasource_type: str = "mysql"
    table: tuple[str, ...] = ()
    selected_tables: tuple[SelectedTables, ...] = ()
    source_object_selection_rules: tuple[SelectionRule, ...] = ()


class ReaderParameters(msgspec.Struct, rename="camel", frozen=True):
    """A reader step: tables of one data source. No table named: every base table of the URL's database.

    `table` is a list or a single name. `batchSize`: the most rows in one batch. `zeroDate`: what becomes of dates that
    no calendar has (0000-00-00): they are `null`; or all dates come as `text`, as MySQL writes them; or `dirty`: their
    rows are refused.
    """

    datasource: str = ""
    connection: tuple[Connection, ...] = ()
    table: tuple[str, ...] | str = ()
    batch_size: BatchSize = 10_000
    zero_date: Literal["null", "text", "dirty"] = "null"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and who we are there. `tls`: True demands it, False forbids it, None takes it where offered."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    tls: bool | None = None
    verify: bool = False


def address_of(content: Mapping[str, Any]) -> Address:
    """Where a data source's content leads; BadConfig that names the member at fault, and never shows the password."""
    try:
        found = msgspec.convert(dict(content), Content)
    except msgspec.ValidationError as error:
        raise BadConfig(f"The data source of type mysql is not complete: {error}.") from error
    parts = _URL.fullmatch(found.jdbc_url)
    if parts is None:
        raise BadConfig("The data source's `jdbcUrl` must have the form jdbc:mysql://HOST:PORT/DATABASE.")
    port = int(parts["port"] or 3306)
    if not 0 < port < 65536:
        raise BadConfig("The data source's `jdbcUrl` names a port that is not between 1 and 65535.")
    tls, verify = _tls(_options(parts["options"] or ""))
    host = parts["host"].strip("[]")
    return Address(host, port, unquote(parts["database"]), found.username, found.password, tls, verify)


def _options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for item in filter(None, text.split("&")):
        name, _, value = item.partition("=")
        key = name.lower()
        if key in _DANGEROUS:
            raise BadConfig(f"The data source's `jdbcUrl` has the option {name}, which is refused. Remove it.")
        if key not in _HARMLESS | {"usessl", "requiressl", "sslmode", "verifyservercertificate"}:
            raise BadConfig(f"The data source's `jdbcUrl` has the option {name}, which is not known. Remove it.")
        if options.setdefault(key, unquote(value)) != unquote(value):
            raise BadConfig(f"The data source's `jdbcUrl` has the option {name} twice. Remove one.")
    return options


def _tls(options: Mapping[str, str]) -> tuple[bool | None, bool]:
    """(`tls` of the Address, whether the server's certificate is verified)"""
    mode = options.get("sslmode", "").upper()
    if mode not in ("", "DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"):
        raise BadConfig(f"The data source's `jdbcUrl` has sslMode={mode}, which is not known.")
    verify = mode.startswith("VERIFY") or options.get("verifyservercertificate", "").lower() == "true"
    asked = "true" in (options.get("usessl", "").lower(), options.get("requiressl", "").lower())
    if verify or asked or mode == "REQUIRED":
        return True, verify
    return (False if mode == "DISABLED" or options.get("usessl", "").lower() == "false" else None), False


def step_of(site: Site) -> tuple[ReaderParameters, Address]:
    """A reader step's parameters, and the server it reads."""
    try:
        parameters = msgspec.convert(dict(site.parameter), ReaderParameters)
    except msgspec.ValidationError as error:
        raise BadConfig(f"The parameter of the mysql step is not right: {error}.") from error
    names = {c.datasource for c in parameters.connection if c.datasource} | ({parameters.datasource} - {""})
    if len(names) != 1:
        raise BadConfig(f"A mysql step reads one data source, and this one names {len(names)}: {sorted(names)}.")
    (name,) = names
    if name not in site.sources:
        raise BadConfig(f"There is no data source named {name}. Create it, or correct `datasource`.")
    return parameters, address_of(site.sources[name])
