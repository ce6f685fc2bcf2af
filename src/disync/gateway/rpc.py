"""The API's one endpoint: a raw ASGI application for path `/`, RPC style.

A request passes, in this order: size, decoding, the members its signature scheme demands, Version, Action, timestamp,
access key, signature, nonce, parameters; then the operation's handler. Whatever happens, the answer is JSON (or XML)
in one of the vendor's two envelopes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import msgspec

from disync.gateway import signature
from disync.gateway.answer import Answer, Reply, complete, failed, refused, succeeded
from disync.gateway.body import Receive, read_body
from disync.gateway.parameters import convert, texts
from disync.gateway.protocol import INLINE_BYTES, MAX_LINE, RequestProtocol
from disync.gateway.request import Request
from disync.gateway.signature import Claim, Credential, Message
from disync.gateway.spec import Operation, Spec
from disync.model.errors import ApiError, Refused
from disync.store.trouble import fault

UVICORN_OPTIONS: dict[str, Any] = {
    "http": RequestProtocol,
    "timeout_keep_alive": 75,
    "proxy_headers": False,
    "server_header": False,
    "access_log": False,
}
"""How to start uvicorn for this application: `uvicorn.Config(app, **UVICORN_OPTIONS)`.

Keep-alive well above the idle time of the clients' pools. No proxy headers: nothing may rewrite what was signed.
"""

NONCE_SECONDS = 31 * 60
"""How long `Nonces` must remember: a timestamp may lie 15 minutes ahead and is good for 15 minutes after."""

_METHODS = frozenset(("GET", "POST", "PUT"))

_log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Key(Protocol):
    """An access key. `caller` is handed to the operation as it is."""

    @property
    def secret(self) -> str: ...
    @property
    def active(self) -> bool: ...
    @property
    def caller(self) -> Any: ...


class Nonces(Protocol):
    def claim(self, access_key_id: str, nonce: str, now: float, /) -> bool:
        """True for the first claim of this pair within NONCE_SECONDS, in whichever process; `now` in s since 1970."""
        ...


Handler = Callable[[Any, dict[str, Any], str], dict[str, Any]]
"""An operation: the caller, the typed parameters and the RequestId in, the members of the payload out.

The attribute `inline`, when true, says that it only does a quick read of the store: it may run on the event loop.
"""

Keys = Callable[[str], Key | None]
Observe = Callable[[str, int, float], None]
"""Told of each request: action ("" if it has none that is known), HTTP status, seconds."""


class Admitted(msgspec.Struct, frozen=True):
    """A request whose form is right, with the operation it wants; who sent it is not proved yet."""

    message: Message
    claim: Claim
    operation: Operation
    handler: Handler
    xml: bool


class Outcome(msgspec.Struct, frozen=True):
    """`action`: the operation that was asked for, "" while unknown."""

    action: str
    answer: Answer
    xml: bool


class Gateway:
    """`inline`: the store answers fast enough for the event loop (SQLite), so quick reads need no thread."""

    def __init__(
        self,
        keys: Keys,
        nonces: Nonces,
        operations: Mapping[str, Handler],
        *,
        spec: Spec | None = None,
        inline: bool = True,
        clock: Callable[[], float] = time.time,
        observe: Observe | None = None,
    ) -> None:
        self.spec = spec or Spec.load()
        unknown = sorted(operations.keys() - self.spec.operations.keys())
        if unknown:
            raise ValueError(f"the API has no such operations: {', '.join(unknown)}")
        self._keys = keys
        self._nonces = nonces
        self._operations = operations
        self._inline = inline
        self._clock = clock
        self._observe = observe
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="gateway")

    def close(self) -> None:
        """Wait for the operations that run in threads, then let the threads go."""
        self._threads.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the gateway speaks http, not {scope['type']}")
        began = time.perf_counter()
        request_id = os.urandom(16).hex()
        try:
            body = await read_body(receive)
        except ApiError as error:
            await _send(send, complete(request_id, failed(error, request_id)), close=True)
            return
        if body is None:
            return
        outcome = await self._outcome(request_id, _request(scope, body))
        await _send(send, self._reply(began, request_id, outcome))

    def answer_now(self, request: Request) -> Reply | None:
        """The whole answer where no thread is needed for it; None where the request must take the way above."""
        began = time.perf_counter()
        request_id = os.urandom(16).hex()
        outcome = self._begin(request_id, request)
        return self._reply(began, request_id, outcome) if isinstance(outcome, Outcome) else None

    def perform(self, caller: Any, action: str, parameters: Mapping[str, Any]) -> Reply:
        """What a signed request of this caller would be answered. Parameters are texts, or JSON values.

        For a caller who was authenticated by other means; it ends when the operation does, so call it from a thread.
        """
        began = time.perf_counter()
        request_id = os.urandom(16).hex()
        name = ""
        try:
            operation = self._operation(action)
            name = operation.name
            handler, params = self._handler(name), texts(parameters)
        except Exception as error:
            answer = _failure(error, name, request_id)
        else:
            answer = self._run(request_id, operation, handler, caller, params)
        return self._reply(began, request_id, Outcome(name, answer, False))

    async def _outcome(self, request_id: str, request: Request) -> Outcome:
        begun = self._begin(request_id, request)
        if isinstance(begun, Outcome):
            return begun
        threads = asyncio.get_running_loop().run_in_executor
        if begun is None:
            return await threads(self._threads, self._admit_and_perform, request_id, request)
        return await threads(self._threads, self._perform, request_id, begun)

    def _begin(self, request_id: str, request: Request) -> Outcome | Admitted | None:
        """As far as a request gets on the event loop: to its end, to the door of its operation, or nowhere."""
        if not self._inline or len(request.body) + len(request.query) > INLINE_BYTES:
            return None
        admitted = self._admit(request_id, request)
        if isinstance(admitted, Outcome) or not getattr(admitted.handler, "inline", False):
            return admitted
        return self._perform(request_id, admitted)

    def _reply(self, began: float, request_id: str, outcome: Outcome) -> Reply:
        reply = self._complete(request_id, outcome)
        if self._observe is not None:
            self._observe(outcome.action, reply.status, time.perf_counter() - began)
        return reply

    def _complete(self, request_id: str, outcome: Outcome) -> Reply:
        """A 500 where an operation returned what no form can hold."""
        try:
            return complete(request_id, outcome.answer, outcome.xml)
        except Exception as error:
            return complete(request_id, _failure(error, outcome.action, request_id), outcome.xml)

    def _admit_and_perform(self, request_id: str, request: Request) -> Outcome:
        admitted = self._admit(request_id, request)
        return admitted if isinstance(admitted, Outcome) else self._perform(request_id, admitted)

    def _admit(self, request_id: str, request: Request) -> Admitted | Outcome:
        """Everything that can be checked without the store."""
        action, xml = "", False
        try:
            _check_place(request)
            message = signature.read(request)
            xml = (message.format or "").upper() == "XML"
            claim = signature.identify(message)
            if claim.version != self.spec.version:
                raise ApiError(400, "InvalidVersion", "Specified parameter Version is not valid.")
            operation = self._operation(claim.action)
            action = operation.name
            return Admitted(message, claim, operation, self._handler(action), xml)
        except Exception as error:
            return Outcome(action, _failure(error, action, request_id), xml)

    def _perform(self, request_id: str, admitted: Admitted) -> Outcome:
        operation = admitted.operation
        try:
            caller, params = self._authenticate(admitted)
        except Exception as error:
            answer = _failure(error, operation.name, request_id)
        else:
            answer = self._run(request_id, operation, admitted.handler, caller, params)
        return Outcome(operation.name, answer, admitted.xml)

    def _run(
        self, request_id: str, operation: Operation, handler: Handler, caller: Any, params: Mapping[str, str]
    ) -> Answer:
        """The operation's answer to whoever is known to call."""
        try:
            payload = handler(caller, convert(operation, params), request_id)
            return succeeded(operation, request_id, payload)
        except Refused as refusal:
            return refused(operation, request_id, refusal)
        except Exception as error:
            return _failure(error, operation.name, request_id)

    def _operation(self, action: str) -> Operation:
        operation = self.spec.operations.get(action)
        if operation is None:
            raise _not_found()
        return operation

    def _handler(self, action: str) -> Handler:
        handler = self._operations.get(action)
        if handler is None:
            raise _unserved(action)
        return handler

    def _authenticate(self, admitted: Admitted) -> tuple[Any, Mapping[str, str]]:
        """The nonce is claimed only when the signature is right: else anybody could use up another's nonces."""
        found: list[Key] = []

        def credential_of(access_key_id: str) -> Credential | None:
            key = self._keys(access_key_id)
            if key is None:
                return None
            if not key.active:
                raise ApiError(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
            found.append(key)
            return Credential(key.secret)

        now = self._clock()
        verified = signature.prove(admitted.message, admitted.claim, credential_of, now)
        if not self._nonces.claim(verified.access_key_id, verified.nonce, now):
            raise ApiError(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
        return found[0].caller, verified.params


def _failure(error: Exception, action: str, request_id: str) -> Answer:
    if not isinstance(error, ApiError) or error.status >= 500:
        _log.error("%s failed, RequestId %s", action or "a request", request_id, exc_info=error)
    return failed(fault(error), request_id)


def _not_found() -> ApiError:
    what = "Specified api is not found, please check your url and method."
    return ApiError(404, "InvalidAction.NotFound", what)


def _unserved(action: str) -> ApiError:
    what = f"The API has {action}, but DISync does not serve it yet. docs/operations.md lists what it serves."
    return ApiError(400, "UnsupportedOperation", what)


def _check_place(request: Request) -> None:
    if request.path != "/":
        raise _not_found()
    if request.method not in _METHODS:
        raise ApiError(403, "UnsupportedHTTPMethod", "This http method not supported.")
    if len(request.query) > MAX_LINE:
        raise ApiError(414, "InvalidParameter", f"The query is longer than {MAX_LINE} bytes.")


def _request(scope: Scope, body: bytes) -> Request:
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    return Request(scope["method"], path, scope["query_string"], scope["headers"], body)


async def _send(send: Send, reply: Reply, close: bool = False) -> None:
    headers = [
        (b"content-type", reply.media_type),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-acs-request-id", reply.request_id.encode()),
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
