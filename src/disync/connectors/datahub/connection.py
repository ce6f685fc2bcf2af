"""Signed HTTP calls to a DataHub service: a pool of connections, time limits, careful repetition, named errors.

A call whose answer is lost is repeated where that is harmless. A put is repeated too: its records may then be in the
topic twice, which is what at-least-once means. Redirects are not followed, certificates are verified.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import urlsplit

import msgspec
import urllib3

from disync.connectors.datahub.config import Content
from disync.connectors.datahub.wire import frame
from disync.connectors.datahub.wire.sign import authorization
from disync.model.errors import BadConfig, PositionGone, TaskError, Unreachable

JSON = "application/json"
MAX_ANSWER = 64 * 1024 * 1024
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


class _Error(msgspec.Struct, rename="pascal"):
    error_code: str
    error_message: str = ""


class Connection:
    """One endpoint and one access key. May be used by many threads."""

    def __init__(self, content: Content, retry_seconds: float = RETRY_SECONDS, read_seconds: float = 30.0) -> None:
        self._content = content
        base = urlsplit(content.endpoint.rstrip("/"))
        self._origin = f"{base.scheme}://{base.netloc}"
        self._prefix = base.path
        self._retry_seconds = retry_seconds
        self._closed = threading.Event()
        self._pool = urllib3.PoolManager(
            maxsize=64,
            retries=False,
            timeout=urllib3.Timeout(connect=min(5.0, read_seconds), read=read_seconds),
        )

    def close(self) -> None:
        """Wake whoever waits, and let go of the connections. May be called twice."""
        self._closed.set()
        self._pool.clear()

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
    ) -> bytes:
        """One signed call, repeated with back-off while that may help; the answer's body, decompressed.

        `again`: whether it may be sent once more when it is not known whether the first was carried out.
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
            try:
                return self._send(method, path, body, {"Content-Type": content_type, **extra})
            except _Busy as error:
                failure = Unreachable(f"DataHub at {self._content.endpoint} cannot take the call now: {error}.")
            except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
                failure = self._silent(error)
            except urllib3.exceptions.HTTPError as error:
                failure = self._silent(error)
                if not again:
                    raise failure from error
            if time.monotonic() + delay > give_up or self.wait(delay * (0.5 + random.random())):
                raise failure
            delay = min(delay * 2, 2.0)

    def _silent(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"DataHub at {self._content.endpoint} does not answer: {error}. "
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
        path = self._prefix + path
        sent["Authorization"] = authorization(key.access_id, key.access_key, method, path, "", sent)
        answer = self._pool.request(
            method,
            self._origin + path,
            body=body or None,
            headers=sent,
            redirect=False,
            decode_content=False,
            preload_content=True,
        )
        try:
            encoding = answer.headers.get("Content-Encoding", "")
            raw = int(answer.headers.get("x-datahub-content-raw-size") or 0)
            data = frame.decompress(answer.data, encoding, raw, MAX_ANSWER)
        except ValueError as error:
            raise Unreachable(f"DataHub at {key.endpoint} sent an answer that cannot be read: {error}.") from error
        if answer.status < 300:
            return data
        raise self._failure(answer.status, data)

    def _failure(self, status: int, data: bytes) -> Exception:
        try:
            told = msgspec.json.decode(data, type=_Error)
        except (msgspec.MsgspecError, UnicodeError):
            told = _Error("", data[:200].decode("utf-8", "replace"))
        code, text = told.error_code, told.error_message
        if code in _BUSY or status in (429, 502, 503, 504) or (status >= 500 and code not in _GONE):
            return _Busy(f"{code or status}: {text}")
        return self._rejection(code, status, text)

    def _rejection(self, code: str, status: int, text: str) -> TaskError:
        where = f"DataHub at {self._content.endpoint}"
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
            message = f"{where} answers with HTTP {status} and not as DataHub does. Check the endpoint: {text}"
        else:
            message = f"{where} refuses the call: {code}: {text}"
        return Rejected(message, code, status, text)
