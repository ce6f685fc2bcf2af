"""One session with a server: raw rows, bytes as they are stored, every failure one of our errors."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, NoReturn

import pymysql
import pymysql.connections
from pymysql.cursors import SSCursor

from disync.connectors import network
from disync.connectors.mysql.config import Address
from disync.connectors.mysql.position import gone
from disync.model.errors import BadConfig, TaskError, Unreachable

Row = tuple[bytes | None, ...]

CONNECT_SECONDS = 10

ANSWER_SECONDS = 600
"""A server that says nothing for so long while a result is due is taken for gone. A peer that has vanished is noticed
sooner (`_keep_alive`); this is for what lies between and keeps a connection open that leads nowhere."""

_SESSION = (
    # Results come in each column's own character set, exactly as the log holds them; TIMESTAMPs come in UTC.
    "SET character_set_results = NULL, time_zone = '+00:00', sql_mode = '', "
    # A target that is slow for a while must not make the server hang up in the middle of a result.
    "net_write_timeout = 3600, net_read_timeout = 3600, wait_timeout = 28800, "
    # What a server sets for its users must neither cut a result short without a word, nor end one that takes long.
    "autocommit = 1, sql_select_limit = 18446744073709551615, sql_big_selects = 1 "
    "/*M!100101 , max_statement_time = 0 */ /*!50708 , max_execution_time = 0 */ "
    # How many rows a table has is estimated as of now: by itself MySQL 8 says what it said a day ago.
    "/*!80003 , information_schema_stats_expiry = 0 */"
)

_ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
"""With READ UNCOMMITTED rows would be loaded that are rolled back later, of which no log tells."""

_DENIED = frozenset({1044, 1045, 1049, 1130, 1142, 1143, 1146, 1227, 1251, 1698, 1820, 1862, 2049, 3118, 3159})
"""Access, names, accounts and how they are to be used: nothing that another try would cure."""

FATAL_LOG_ERROR = 1236
_GONE = (
    *("could not find", "impossible position", "purged", "not found", "not open log file"),
    # A position by GTID that the server does not have, has more of, or has gone past.
    *("not in the master's binlog", "not in the primary's binlog", "more gtids than", "diverged"),
)


class _NoClearText:
    """A server may ask for the password as clear text; whoever stands between would have it."""

    def __init__(self, connection: Any) -> None:
        del connection

    def authenticate(self, packet: Any) -> NoReturn:
        raise BadConfig("The server asks for the password in clear text, which is refused. Use another plugin for it.")


class _Connection(pymysql.connections.Connection):  # type: ignore[misc]
    """The driver's own, but for the TLS that it takes where a server offers it without having been asked to, and for
    the address, which is the one that the network policy has checked."""

    def connect(self, sock: socket.socket | None = None) -> None:
        if sock is None:
            sock = network.connect(self.host, self.port, self.connect_timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connect(sock)

    def _create_ssl_ctx(self, wanted: ssl.SSLContext | dict[str, Any]) -> ssl.SSLContext:
        return wanted if isinstance(wanted, ssl.SSLContext) else _tls_context(False)


class Session:
    """A connection for one thread; `close` may come from any other and wakes whoever waits."""

    def __init__(self, address: Address, seconds: int = CONNECT_SECONDS, read_seconds: int = 0) -> None:
        self.address = address
        self._closed = False
        with self.named():
            self._connection: Any = _Connection(
                host=address.host,
                port=address.port,
                database=address.database or None,
                user=address.user,
                password=address.password.encode(),
                charset="utf8mb4",
                autocommit=None,  # the driver cannot say it without its converters
                use_unicode=False,
                conv={},
                connect_timeout=seconds,
                read_timeout=read_seconds or ANSWER_SECONDS,
                ssl=_tls_context(address.verify) if address.tls else None,
                ssl_disabled=address.tls is False,
                auth_plugin_map={"mysql_clear_password": _NoClearText, b"mysql_clear_password": _NoClearText},
                program_name="disync",
            )
            _keep_alive(self._connection._sock)
            self._connection.query(_SESSION)
            self._connection.query(_ISOLATION)

    def query(self, statement: str) -> list[Row]:
        """All rows of a small result."""
        with self.named():
            self._connection.query(statement)
            return list(self._connection._result.rows or ())

    def value(self, statement: str) -> str | None:
        """The first value of the first row as text; None where there is none."""
        rows = self.query(statement)
        found = rows[0][0] if rows and rows[0] else None
        return None if found is None else found.decode()

    def stream(self, statement: str) -> Iterator[Row]:
        """The rows of a result as the server sends them, never all at once in memory."""
        with self.named():
            cursor = self._connection.cursor(SSCursor)
            try:
                cursor.execute(statement)
                while rows := cursor.fetchmany(500):
                    yield from rows
                cursor.close()
            except BaseException:
                _abandon(cursor)
                raise

    @property
    def server_version(self) -> str:
        return str(self._connection.get_server_info())

    def command(self, code: int, payload: bytes) -> None:
        """Send a command of the protocol; what answers is read by `acknowledged`, or from `socket`."""
        with self.named():
            self._connection._execute_command(code, payload)

    def acknowledged(self) -> None:
        with self.named():
            self._connection._read_packet()

    @property
    def socket(self) -> socket.socket:
        found: socket.socket | None = self._connection._sock
        if found is None:
            raise Unreachable("The connection was hung up.")
        return found

    def close(self) -> None:
        """Hang up without a word: the server may be in the middle of a result that nobody reads."""
        self._closed = True
        connection: Any = getattr(self, "_connection", None)
        # Its own thread may let go of it at any moment.
        opened = connection._sock if connection is not None else None
        if opened is not None:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                connection._force_close()

    @contextmanager
    def named(self) -> Iterator[None]:
        """Failures of the driver and of the network become ours."""
        try:
            yield
        except pymysql.MySQLError as error:
            raise self._error_of(*_parts(error)) from error
        except (OSError, ValueError, AttributeError, AssertionError, IndexError) as error:
            # The driver's own slips, when a socket is closed under it or a server breaks the protocol.
            raise Unreachable(f"The connection to MySQL at {self._place} broke: {error}.") from error

    def error_in(self, packet: bytes) -> TaskError:
        """What a packet that begins with 0xFF says: a number, in newer servers a state, and words."""
        text = packet[9:] if packet[3:4] == b"#" else packet[3:]
        return self._error_of(int.from_bytes(packet[1:3], "little"), text.decode(errors="replace"))

    def _error_of(self, code: int, text: str) -> TaskError:
        if "same server_" in text:
            return Unreachable(
                f"MySQL says: {text} (error {code}). Another reader has come with the server_id that this one had; it "
                "takes a new one at its next try."
            )
        if code == FATAL_LOG_ERROR:
            return _log_error(text)
        if code in _DENIED:
            return BadConfig(f"MySQL at {self._place} refuses: {text} (error {code}). Correct the data source.")
        return Unreachable(f"MySQL at {self._place} does not answer: {text} (error {code}).")

    @property
    def _place(self) -> str:
        return f"{self.address.host}:{self.address.port}"


def _abandon(cursor: Any) -> None:
    """The driver would read the rest of a result that nobody wants, even from a connection that is gone."""
    if cursor._result is not None:
        cursor._result.unbuffered_active = False
    cursor.connection = None


def _parts(error: pymysql.MySQLError) -> tuple[int, str]:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return code, str(error.args[-1]) if error.args else type(error).__name__


def _log_error(text: str) -> TaskError:
    """Error 1236 stands for all that can be wrong with a log that is asked for; its text says what."""
    lower = text.lower()
    if any(mark in lower for mark in _GONE):
        return gone(
            f"MySQL says: {text} (error {FATAL_LOG_ERROR}). The binary log does not hold the position any more: keep "
            "logs for longer (binlog_expire_logs_seconds)."
        )
    if "max_allowed_packet" in lower:
        return BadConfig(
            f"MySQL says: {text} (error {FATAL_LOG_ERROR}). A row is larger than the server's max_allowed_packet: "
            "raise it on the server, up to 1G."
        )
    return Unreachable(f"MySQL ended the binary log with: {text} (error {FATAL_LOG_ERROR}).")


@cache
def _tls_context(verify: bool) -> ssl.SSLContext:
    """Made once: reading all certificates that a machine trusts takes longer than everything else in a connection."""
    context = ssl.create_default_context()
    # The certificates that servers make for themselves do not pass the strict check, even when they are trusted.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _keep_alive(connected: socket.socket) -> None:
    """A peer that vanished is noticed after 10 + 3 · 5 seconds, also while nothing is to be sent."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
