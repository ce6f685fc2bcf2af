"""A CREATE TABLE that a user wrote: held to be that one statement and no more, and run.

It runs as the user of the data source, whose secret the writer of the statement need not know. So what it may be is
read here, word by word, as the server reads it, and the protocol that it is sent by takes one statement only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import psycopg

from disync.connectors.postgres.catalog import describe
from disync.connectors.postgres.config import Address
from disync.connectors.postgres.connection import MADE_MEANWHILE, Connection, connect, reason, told
from disync.connectors.postgres.sql import Relation, literal
from disync.connectors.postgres.target import Dialect, make_schema, properties
from disync.model.errors import BadConfig

LONGEST = 200_000
"""Characters: a table of 1,600 columns needs fewer."""
SECONDS = 10
FORM = "Write one statement of the form CREATE TABLE schema.name (columns …), and nothing before or after it."

_TOKEN = re.compile(
    r"""
      (?P<space>\s+ | --[^\r\n]*)
    | (?P<comment>/\*)
    | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
    | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
    | (?P<text>(?:[uU]&|[bBxXnN])?'(?:[^']|'')*')
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<other>[^\s"'$])
    """,
    re.VERBOSE | re.DOTALL,
)
_AFTER = frozenset({"PARTITION", "BY", "RANGE", "LIST", "HASH", "WITH", "WITHOUT", "OIDS", "TABLESPACE", "USING"})
"""Words that may follow the columns, outside of parentheses; names of tablespaces and access methods are quoted."""


@dataclass(frozen=True, slots=True)
class _Token:
    """`word`: in capitals, "" for what is no plain word."""

    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """As a name: what is not quoted is in small letters."""
        if self.kind == "word":
            return self.text.lower()
        if self.kind == "quoted" and self.text.startswith('"'):
            return self.text[1:-1].replace('""', '"')
        raise _refused(f"{self.text[:60]} is no name")


def create(address: Address, ddl: str, detect: Callable[[Connection], Dialect]) -> str:
    """Run the statement in the database; its schema is made where it is missing. The name of the table. BadConfig where
    the statement is another one, or the server refuses it; a table that is there stays as it is."""
    relation = relation_of(ddl, address.schema or "public")
    with closing(connect(address)) as connection, told(f"creating {relation}"):
        dialect = detect(connection)
        connection.rollback()
        if describe(connection, relation) is not None:
            raise _there(relation)
        connection.rollback()
        _run(connection, relation, ddl, dialect)
    return f"{relation.schema}.{relation.name}"


def _run(connection: Connection, relation: Relation, ddl: str, dialect: Dialect) -> None:
    schema = relation.schema or "public"
    try:
        for setting in ("statement_timeout", "lock_timeout"):
            connection.execute(f"SET LOCAL {setting} = '{SECONDS}s'".encode())
        make_schema(connection, schema)
        connection.execute(f"SELECT set_config('search_path', quote_ident({literal(schema)}), true)".encode())
        connection.execute(ddl.encode(), binary=True)  # the extended protocol, which takes one statement only
        for setting in properties(relation, dialect):
            connection.execute(setting.encode())
        connection.commit()
    except MADE_MEANWHILE as error:
        raise _there(relation) from error
    except (psycopg.errors.SyntaxError, psycopg.errors.UndefinedObject) as error:
        raise BadConfig(f"PostgreSQL refuses the statement: {reason(error)}. Correct it.") from error


def relation_of(ddl: str, schema: str) -> Relation:
    """The table that the statement makes; `schema`: of a name that has none. BadConfig for any other statement."""
    if len(ddl) > LONGEST or "\0" in ddl:
        raise _refused(f"the statement is longer than {LONGEST} characters, or has a NUL in it")
    tokens = _tokens(ddl)
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if [token.word for token in tokens[:2]] != ["CREATE", "TABLE"]:
        raise _refused("it does not begin with CREATE TABLE")
    if len(tokens) > 2 and tokens[2].word == "IF":
        raise _refused("leave IF NOT EXISTS out: a table that is there must not pass for one that was made")
    opening = next((place for place, token in enumerate(tokens) if token.text == "("), len(tokens))
    parts = tokens[2:opening]
    if opening == len(tokens) or len(parts) not in (1, 3) or (len(parts) == 3 and parts[1].text != "."):
        raise _refused("its name is not followed by columns in parentheses")
    _require_end(tokens[opening:])
    names = [part.name for part in parts[::2]]
    return Relation(names[0] if len(names) == 2 else schema, names[-1])


def _require_end(tokens: Sequence[_Token]) -> None:
    """Behind the columns nothing may come that runs a query, or is a statement of its own."""
    depth = 0
    for place, token in enumerate(tokens):
        if token.text == ";":
            raise _refused("there is a second statement in it")
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0:
            break
        if depth == 0 and token.text != ")" and token.word not in _AFTER and token.kind != "quoted":
            raise _refused(f"{token.text[:60]} may not stand behind the columns")
        if token.word in ("SELECT", "EXECUTE", "VALUES") and tokens[place - 1].text == "(":
            raise _refused("a query may not stand in it")
    if depth:
        raise _refused("its parentheses do not match")


def _tokens(ddl: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(ddl):
        match = _TOKEN.match(ddl, at)
        if match is None:
            raise _refused(f"what begins at {ddl[at : at + 20]!r} does not end")
        kind, at = str(match.lastgroup), match.end()
        if kind == "comment":
            at = _end_of_comment(ddl, at)
        elif kind == "dollar":
            at = ddl.find(match[0], at) + len(match[0])
            if at < match.end() + len(match[0]):
                raise _refused(f"the text that begins with {match[0]} does not end")
            found.append(_Token("text", match[0]))
        elif kind != "space":
            found.append(_Token(kind, match[0]))
    return found


def _end_of_comment(ddl: str, at: int) -> int:
    """They may be nested."""
    depth = 1
    while depth:
        mark = re.compile(r"/\*|\*/").search(ddl, at)
        if mark is None:
            raise _refused("a comment in it does not end")
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return at


def _there(relation: Relation) -> BadConfig:
    return BadConfig(
        f"There is a table {relation} already, and it stays as it is. Use it, drop it first, or name another one."
    )


def _refused(why: str) -> BadConfig:
    return BadConfig(f"This is not one CREATE TABLE statement: {why}. {FORM}")
