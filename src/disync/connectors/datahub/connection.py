"""Signed HTTP calls to a DataHub service: a pool of connections, time limits, careful repetition, named errors.

A call whose answer is lost is repeated where that is harmless. A put is repeated too: its records may then be in the
topic twice, which is what at-least-once means. Redirects are not followed, certificates are verified.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate

import msgspec
import urllib3
from urllib3 import exceptions

from disync.connectors import network
from disync.connectors.datahub.config import Content
from disync.connectors.datahub.wire import frame
from disync.connectors.datahub.wire.sign import authorization
from disync.connectors.endpoint import endpoint_of, pool_of
from disync.model.errors import BadConfig, PositionGone, TaskError, Unreachable

JSON = "application/json"
MAX_ANSWER = 64 * 1024 * 1024
_MAX_ERROR = 64 * 1024
_PIECE = 1024 * 1024
RETRY_SECONDS = 10.0
"""How long a call is repeated before the run gives up; the failover rule takes over from there."""

_BUSY = frozenset({"LimitExceeded", "InternalServerError", "ServiceUnavailable"})
_GONE = frozenset({"SeekOutOfRange", "InvalidCursor"})
KEY_CODES = frozenset({"Unauthorized", "NoPermission"})


class Rejected(BadConfig):
    """The service refuses a call for good; `reason` is its ErrorCode, `detail` its own words."""

    def __init__(self, message: str, reason: str, status: int, detail: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.detail = detail


class Gone(PositionGone):
    """The service does not have what a cursor or a sequence names; `reason` is its ErrorCode."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Busy(Exception):
    """The service asks for patience."""


class _Oversized(Exception):
    """An answer is longer than any that is meant for us."""


class _Error(msgspec.Struct, rename="pascal"):
    error_code: str
    error_message: str = ""


_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
_LONGEST_TEXT = 200


class Connection:
    """One endpoint and one access key. May be used by many threads."""

    def __init__(self, content: Content, retry_seconds: float = RETRY_SECONDS, read_seconds: float = 30.0) -> None:
        self._content = content
        self._endpoint = endpoint_of(content.endpoint)
        self._retry_seconds = retry_seconds
        self._closed = threading.Event()
        self._pool = pool_of(self._endpoint, read_seconds)

    def close(self) -> None:
        """Wake whoever waits, and let go of the connections. May be called twice."""
        self._closed.set()
        self._pool.close()

    @property
    def authority(self) -> str:
        return network.authority(self._endpoint.host, self._endpoint.port)

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, but not beyond `close`; whether the connection is closed."""
        return self._closed.wait(seconds)

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        packed: str = "",
        again: bool = True,
        before: Callable[[], None] | None = None,
    ) -> bytes:
        """One signed call, repeated with back-off while that may help; the answer's body, decompressed.

        `again`: whether it may be sent once more when it is not known whether the first was carried out. `before` is
        called before each time that it is sent.
        """
        extra = dict(headers or {})
        if packed and body:
            extra["Accept-Encoding"] = packed
            small = frame.compress(body, packed)
            if len(small) < len(body):
                extra |= {"Content-Encoding": packed, "x-datahub-content-raw-size": str(len(body))}
                body = small
        give_up = time.monotonic() + self._retry_seconds
        delay = 0.05
        while True:
            if before is not None:
                before()
            try:
                return self._send(method, path, body, {"Content-Type": content_type, **extra})
            except _Busy as error:
                failure = Unreachable(f"DataHub at {self._endpoint} cannot take the call now: {error}.")
            except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError) as error:
                failure = self._silent(error)
            except exceptions.HTTPError as error:
                failure = self._silent(error)
                if not again:
                    raise failure from error
            if time.monotonic() + delay > give_up or self.wait(delay * (0.5 + random.random())):
                raise failure
            delay = min(delay * 2, 2.0)

    def _silent(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"DataHub at {self._endpoint} does not answer: {_why(error)}. "
            "Check the endpoint of the data source, and that the service runs."
        )

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        sent = {
            "Accept-Encoding": "identity",
            "Date": formatdate(usegmt=True),
            "User-Agent": "disync",
            "x-datahub-client-version": "1.1",
            **headers,
        }
        key = self._content
        path = self._endpoint.path + path
        sent["Authorization"] = authorization(key.access_id, key.access_key, method, path, "", sent)
        answer = self._pool.urlopen(
            method,
            path,
            body=body or None,
            headers=sent,
            redirect=False,
            decode_content=False,
            preload_content=False,
        )
        try:
            data = _plain(answer)
        except _Oversized:
            raise Unreachable(f"DataHub at {self._endpoint} sent an answer that is too long.") from None
        except ValueError as error:
            if answer.status >= 300:
                raise self._failure(answer.status, b"") from error
            raise Unreachable(f"DataHub at {self._endpoint} sent an answer that cannot be read.") from error
        if answer.status < 300:
            return data
        raise self._failure(answer.status, data)

    def _failure(self, status: int, data: bytes) -> Exception:
        told = _told(data)
        code, text = told.error_code, told.error_message
        if code in _BUSY or status in (429, 502, 503, 504) or (status >= 500 and code not in _GONE):
            return _Busy(f"{code}: {text}" if code else f"HTTP {status}")
        return self._rejection(code, status, text)

    def _rejection(self, code: str, status: int, text: str) -> TaskError:
        where = f"DataHub at {self._endpoint}"
        if code in _GONE:
            return Gone(f"{where}: {code}: {text}", code)
        if code in KEY_CODES:
            message = (
                f"{where} refuses the access key of the data source ({code}: {text}). Check `accessId`, `accessKey`, "
                f"the key's rights on project {self._content.project}, and this machine's clock."
            )
        elif code.startswith("NoSuch"):
            message = f"{where}: {code}: {text}. Create it, or correct the data source or the step."
        elif not code:
            message = f"{where} answers with HTTP {status} and not as DataHub does. Check the endpoint."
        else:
            message = f"{where} refuses the call: {code}: {text}"
        return Rejected(message, code, status, text)


def _plain(answer: urllib3.BaseHTTPResponse) -> bytes:
    """The body, decompressed. It is read in pieces: how long it is said to be is nothing to rely on."""
    limit = MAX_ANSWER if answer.status < 300 else _MAX_ERROR
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := answer.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise _Oversized
            pieces.append(piece)
    except BaseException:
        answer.close()
        raise
    answer.release_conn()
    encoding = answer.headers.get("Content-Encoding", "")
    raw = int(answer.headers.get("x-datahub-content-raw-size") or 0)
    return frame.decompress(b"".join(pieces), encoding, raw, limit)


def _told(data: bytes) -> _Error:
    """What DataHub says about an error. Of an answer that is not DataHub's own nothing is passed on: whoever may name
    an endpoint would read with it what only this machine can reach."""
    try:
        told = msgspec.json.decode(data, type=_Error)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _Error("")
    if not _CODE.fullmatch(told.error_code):
        return _Error("")
    text = "".join(each if each.isprintable() else " " for each in told.error_message[:_LONGEST_TEXT])
    return _Error(told.error_code, text)


def _why(error: Exception) -> str:
    """Our own words for a failure: the driver's may quote what a stranger's service said."""
    if isinstance(error, exceptions.NewConnectionError):
        return "no connection can be made"
    if isinstance(error, exceptions.TimeoutError):
        return "it takes too long"
    if isinstance(error, exceptions.SSLError):
        return f"TLS fails ({getattr(error.args[0] if error.args else None, 'reason', None) or 'handshake'})"
    return "it hangs up, or does not speak HTTP"
