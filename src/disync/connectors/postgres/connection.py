"""Connections, and what a driver's exception means for the task."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.rows import TupleRow

from disync.connectors import network
from disync.connectors.postgres.config import Address
from disync.model.data import Table
from disync.model.errors import BadConfig, Fenced, TaskError, Unreachable

Connection: TypeAlias = psycopg.Connection[TupleRow]


class Bound(bytes):
    """A field as it is in rows of binary COPY, bound to a statement as it is: the server knows the type by where it
    stands."""


class _AsItIs(Dumper):
    oid = 0
    format = Format.BINARY

    def dump(self, obj: Bound) -> Bound:
        return obj


APPLICATION = "disync"
CONNECT_SECONDS = 10
LONGEST_REFUSAL = 300
"""Who answers before the password was accepted may be anybody."""

_SESSION = "-c standard_conforming_strings=on -c timezone=UTC -c datestyle=ISO -c client_min_messages=error"
# A worker that was cut off must not hold its locks for the two hours after which a server looks for it by itself.
_SESSION += " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
_SESSION += " -c idle_in_transaction_session_timeout=60000"
# A limit that is set for the users of a database would cut off every load that takes longer, again and again.
_SESSION += " -c statement_timeout=0"
# Rows that a policy hides would neither be changed nor compared, without a word: the server is to say so.
_SESSION += " -c row_security=off"
# With fewer digits, as a database or a user may have them, two floats that differ are written alike.
_SESSION += " -c extra_float_digits=1"
_STAY = (
    # A limit that is set for the users of a database would end the sessions of a task whose source is quiet.
    (140_000, b"SET idle_session_timeout = 0"),
    # While an answer waits for a client that is gone, the server asks for no sign of life.
    (120_000, b"SET tcp_user_timeout = 30000"),
)
"""From which version on a server has a setting: an older one refuses a session that names it as it begins."""
_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
_TRANSIENT = ("starting up", "shutting down", "too many", "remaining connection slots", "recovery", "terminating")
_RETRIED = frozenset({"08", "40", "53", "55", "57", "58", "XX"})
_ENDED = frozenset({"25P03", "25P04"})
"""A session that stood still in a transaction, or a transaction that took too long: the server has ended it."""
MADE_MEANWHILE = (
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateSchema,
    psycopg.errors.UniqueViolation,
)
"""What CREATE says when another session was quicker; IF NOT EXISTS does not help against that."""

_COLUMN = re.compile(r"^COPY .*, line \d+, column (.+)$", re.MULTILINE)
_OF_THE_ROW = frozenset({"21", "22", "23", "44", "54", "P0"})


def connect(address: Address, seconds: int = CONNECT_SECONDS, name: str = APPLICATION) -> Connection:
    """A session of this `name` that is in no transaction until its first statement; the caller commits.

    The driver is told the addresses that were checked, and the name only for the sake of certificates.
    """
    addresses = network.addresses_of(address.host, address.port)
    parameters: dict[str, Any] = {**_ALIVE, "connect_timeout": seconds, **address.parameters}
    try:
        connection = psycopg.connect(
            host=",".join([address.host] * len(addresses)),
            hostaddr=",".join(addresses),
            port=address.port,
            dbname=address.database,
            user=address.username,
            password=address.password,
            application_name=name,
            client_encoding="UTF8",
            options=_SESSION,
            prepare_threshold=None,
            cursor_factory=psycopg.RawCursor,  # $1 binds, and a % in a name means nothing
            **parameters,
        )
    except psycopg.Error as error:
        raise refusal(error) from error
    connection.adapters.register_dumper(Bound, _AsItIs)
    _stay(connection)
    return connection


def _stay(connection: Connection) -> None:
    """Set outside of any transaction, so that no rollback takes it back."""
    try:
        connection.autocommit = True
        for version, statement in _STAY:
            if connection.info.server_version >= version:
                with suppress(psycopg.errors.UndefinedObject, psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
        connection.autocommit = False
    except psycopg.Error as error:
        connection.close()
        raise refusal(error) from error


def refusal(error: psycopg.Error) -> TaskError:
    """Why there is no connection. The server says it in words only: libpq keeps no code for it."""
    said = _first_line(error)[:LONGEST_REFUSAL]
    if "FATAL" in said and not any(word in said for word in _TRANSIENT):
        return BadConfig(f"PostgreSQL refuses the connection; correct the data source: {said}")
    return Unreachable(f"PostgreSQL cannot be reached: {said}")


def trouble(error: psycopg.Error, doing: str) -> TaskError:
    """What an error of a statement means for the task."""
    state = error.sqlstate
    if state == "53200" and "lock" in (error.diag.message_hint or ""):
        return Unreachable(
            f"PostgreSQL has no room for the locks of all tables that its transactions are about, while {doing}. Raise "
            "max_locks_per_transaction there (it wants a restart): 512 is enough for transactions over 10,000 tables."
        )
    if state is None or state[:2] in _RETRIED or state in _ENDED:
        return Unreachable(f"PostgreSQL failed while {doing}: {reason(error)}")
    if state == "42501":
        return BadConfig(f"The user of the data source may not do this while {doing}: {reason(error)}. Grant it.")
    return BadConfig(f"PostgreSQL refused what was asked while {doing}: {reason(error)}. Check the target table.")


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Errors of the driver leave as ours; `doing` says what was being done."""
    try:
        yield
    except psycopg.Error as error:
        raise trouble(error, doing) from error


@contextmanager
def about(table: Table) -> Iterator[None]:
    """Errors that trying again does not cure say that they are about this table of the target."""
    try:
        yield
    except TaskError as error:
        if not error.retry and not isinstance(error, Fenced):
            error.tables = error.tables or frozenset({table.name})
        raise


def of_the_row(error: psycopg.Error) -> bool:
    """Whether a value of the row is at fault, so that another row may well be taken."""
    return error.sqlstate is not None and error.sqlstate[:2] in _OF_THE_ROW


def cannot_be_held(error: psycopg.Error) -> bool:
    """Whether the target's column has no such values."""
    return error.sqlstate is not None and error.sqlstate[:2] == "22"


def reason(error: psycopg.Error) -> str:
    """The server's own words, without the statement."""
    diagnosis = error.diag
    if diagnosis.message_primary is None:
        return _first_line(error)
    detail = f" ({diagnosis.message_detail})" if diagnosis.message_detail else ""
    return f"{diagnosis.message_primary}{detail}"


def reason_of_row(error: psycopg.Error) -> str:
    """Why the server does not take a row that was copied; which column is at fault it says in the context."""
    column = _COLUMN.search(error.diag.context or "")
    return f"column {column[1]}: {reason(error)}" if column else reason(error)


def _first_line(error: psycopg.Error) -> str:
    text = " ".join(str(error).split())
    return "".join(each for each in text if each.isprintable()) or type(error).__name__
