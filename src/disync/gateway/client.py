"""Signs and sends one API call (ACS3-HMAC-SHA256): what `disync call` is made of."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from disync.gateway.request import encode
from disync.gateway.spec import Operation
from disync.model.errors import ApiError, Refused

VERSION = "2020-05-18"
ALGORITHM = "ACS3-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signed:
    """A request that is good for sending once; `canonical` and `to_sign` are what its signature was made of."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    canonical: str
    to_sign: str


@dataclass(frozen=True, slots=True)
class Client:
    """`endpoint` is `http://HOST:PORT`."""

    endpoint: str
    access_key_id: str
    access_key_secret: str

    def __repr__(self) -> str:
        return f"Client({self.endpoint})"

    def call(self, operation: Operation, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The answer's JSON. A failure of the request raises ApiError with the server's code and message."""
        request = self.signed(operation, parameters)
        try:
            answer = urllib3.request(
                request.method, request.url, body=request.body, headers=request.headers, timeout=30, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise Refused(f"{self.endpoint} {_failing(error)}") from error
        return _read(answer.status, answer.data)

    def signed(self, operation: Operation, parameters: Mapping[str, str]) -> Signed:
        """Each parameter where the spec has its place."""
        places = {parameter.name: parameter.place for parameter in operation.parameters}
        query = {name: value for name, value in parameters.items() if places[name] == "query"}
        form = {name: value for name, value in parameters.items() if places[name] != "query"}
        body = urlencode(form).encode() if form else b""
        url = f"{self.endpoint}/?{urlencode(query)}" if query else f"{self.endpoint}/"
        headers = {
            "host": urlsplit(self.endpoint).netloc,
            "accept": "application/json",
            "x-acs-action": operation.name,
            "x-acs-version": VERSION,
            "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        }
        if body:
            headers["content-type"] = "application/x-www-form-urlencoded"
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical_query = "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(query.items()))
        canonical = f"{operation.method}\n/\n{canonical_query}\n{lines}\n{names}\n{headers['x-acs-content-sha256']}"
        to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self.access_key_secret.encode(), to_sign.encode(), "sha256").hex()
        credential = f"Credential={self.access_key_id},SignedHeaders={names},Signature={signature}"
        headers["authorization"] = f"{ALGORITHM} {credential}"
        return Signed(operation.method, url, headers, body, canonical, to_sign)


def _failing(error: urllib3.exceptions.HTTPError) -> str:
    """What to do about a request without an answer; what the library says of it names its own parts."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "does not answer: its name is not known here. Look at --endpoint."
        case urllib3.exceptions.NewConnectionError():
            return "does not answer: it cannot be reached. Does `disync serve` run there? Look at --endpoint."
        case urllib3.exceptions.TimeoutError():
            return "does not answer in time. Try again, or look at --endpoint."
    return f"does not answer: {error}"


def _read(status: int, data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError as error:
        raise Refused(f"The answer (HTTP {status}) is not JSON: is this a DISync endpoint?") from error
    if status >= 400:
        raise ApiError(status, body.get("Code", ""), f"{body.get('Message')} (RequestId {body.get('RequestId')})")
    return dict(body)
