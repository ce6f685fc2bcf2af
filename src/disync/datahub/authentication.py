"""Who sent a request: the signature of section DATAHUB, and a Date that is not old."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from disync.connectors.datahub.wire.sign import authorization
from disync.datahub.errors import Fault

WINDOW_MS = 15 * 60 * 1000
SecretOf = Callable[[str], str | None]
"""The secret of an access key id; None when there is no such key."""


def authenticate(secret_of: SecretOf, now: int, method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """The access key id that signed the request; Unauthorized otherwise. `headers` are lower-case; `now` in ms."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    access_id, _, signature = credentials.strip().rpartition(":")
    if scheme != "DATAHUB" or not access_id or not signature:
        raise Fault("Unauthorized", "the request is not signed (Authorization: DATAHUB <id>:<signature>)")
    _check_date(headers.get("date", ""), now)
    secret = secret_of(access_id)
    # An unknown key takes as long as a wrong signature.
    expected = authorization(access_id, secret or "no such key", method, path, query, headers)
    given = f"DATAHUB {access_id}:{signature}"
    same = hmac.compare_digest(expected.encode("utf-8", "replace"), given.encode("utf-8", "replace"))
    if not same or secret is None:
        raise Fault("Unauthorized", "the access key id or the signature is wrong")
    return access_id


def _check_date(text: str, now: int) -> None:
    try:
        sent = parsedate_to_datetime(text).timestamp() * 1000
    except (ValueError, OverflowError) as error:
        raise Fault("Unauthorized", "the Date header is missing or no RFC 822 date") from error
    if abs(sent - now) > WINDOW_MS:
        raise Fault("Unauthorized", "the Date header is more than 15 minutes off this server's clock")
