"""The routes of the console beside its files: what each needs, and what it does. They run in threads.

To add one, write its function here or in a file of its own and give it a line in ROUTES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from disync.console import explorer
from disync.console.attempts import Attempts
from disync.console.exchange import Asked, Told, forwarded, told
from disync.gateway.body import MAX_BODY
from disync.gateway.client import Client
from disync.gateway.parameters import texts
from disync.gateway.request import header
from disync.gateway.rpc import Gateway, Keys
from disync.model.errors import ApiError
from disync.services.keys import hint
from disync.services.sessions import LIFE_MS, Session, Sessions

log = structlog.get_logger()

COOKIE = "disync_session"
SMALL = 16 * 1024
"""Most bytes of a body that is no call of an operation."""


@dataclass(frozen=True, slots=True)
class Console:
    """What the routes work with."""

    gateway: Gateway
    sessions: Sessions
    attempts: Attempts
    keys: Keys


@dataclass(frozen=True, slots=True)
class Route:
    """`session`: only for who is signed in; what is no mere read must then have the session's X-CSRF-Token. `most`:
    bytes of the body."""

    answer: Callable[[Console, Asked], Told]
    session: bool = True
    most: int = SMALL


def sign_in(console: Console, asked: Asked) -> Told:
    """Trades an access key for a session. Why it is refused is not told: no key is confirmed to whoever guesses."""
    access_key_id, secret = asked.text("AccessKeyId", 128), asked.text("AccessKeySecret", 1024)
    console.attempts.admit(access_key_id, asked.address)
    session = console.sessions.open(access_key_id, secret)
    if session is None:
        log.warning("sign-in refused", address=asked.address)
        raise ApiError(403, "SignIn.Failed", "There is no such access key with this secret, or it is switched off.")
    console.attempts.succeed(access_key_id, asked.address)
    log.info("signed in", user=session.caller.user_id, key=hint(access_key_id), address=asked.address)
    return told(_shown(session), _cookie(session.token, LIFE_MS // 1000, asked.secure))


def who(console: Console, asked: Asked) -> Told:
    """{} for nobody: that is how a visit begins, and no failure."""
    return told(_shown(asked.session) if asked.session is not None else {})


def sign_out(console: Console, asked: Asked) -> Told:
    """Ends the session, here and in the browser; well done too where there is none any more."""
    if asked.session is not None:
        console.sessions.close(asked.session.token)
    return told({}, _cookie("", 0, asked.secure))


def call(console: Console, asked: Asked) -> Told:
    """Performs an operation as the user who is signed in; the answer is the API's own, failures included."""
    action, parameters = asked.text("Action", 128), asked.members("Parameters")
    return forwarded(console.gateway.perform(asked.signed_in.caller, action, parameters))


def operations(console: Console, asked: Asked) -> Told:
    """What the explorer lists."""
    return told(explorer.catalogue(console.gateway.spec))


def sign(console: Console, asked: Asked) -> Told:
    """The request that a client with the user's own key would send here, and code that makes it."""
    access_key_id = asked.signed_in.access_key_id
    key = console.keys(access_key_id)
    if key is None:
        raise ApiError(401, "SignIn.Required", "The access key of this session is no longer there.")
    endpoint = f"{'https' if asked.secure else 'http'}://{header(asked.headers, b'host')}"
    client = Client(endpoint, access_key_id, key.secret)
    action, parameters = asked.text("Action", 128), texts(asked.members("Parameters"))
    return told(explorer.signed(console.gateway.spec, client, action, parameters))


ROUTES: Mapping[tuple[str, str], Route] = {
    ("DELETE", "/console/session"): Route(sign_out, session=False),
    ("GET", "/console/operations"): Route(operations),
    ("GET", "/console/session"): Route(who, session=False),
    ("POST", "/console/call"): Route(call, most=MAX_BODY),
    ("POST", "/console/session"): Route(sign_in, session=False),
    ("POST", "/console/sign"): Route(sign, most=MAX_BODY),
}


def _shown(session: Session) -> dict[str, str | bool]:
    caller = session.caller
    return {"UserId": caller.user_id, "Name": caller.name, "Root": caller.root, "Csrf": session.csrf}


def _cookie(token: str, seconds: int, secure: bool) -> tuple[bytes, bytes]:
    text = (
        f"{COOKIE}={token}; Max-Age={seconds}; Path=/console; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
    )
    return b"set-cookie", text.encode()
