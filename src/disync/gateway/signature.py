"""Who sent this request? Verifies RPC 1.0 (HMAC-SHA1) and ACS3-HMAC-SHA256 / -SM3 signatures.

Pure: keys and the time come from outside, nothing is remembered. `verify` is the whole; the gateway calls its steps
`read`, `identify` and `prove` one by one, since it has its own checks between them. Replayed nonces are the gateway's.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from disync.gateway.parameters import missing
from disync.gateway.request import Parameters, Request, encode, header_map, read_parameters
from disync.model.errors import ApiError, ParamInvalid

WINDOW = 15 * 60
"""Seconds that a timestamp may be away from the server's clock, either way."""

MAX_ECHO = 64 * 1024
"""Longest string to sign that is echoed: legacy clients compare it to tell a wrong secret from a wrong signature."""

RPC = "RPC-1.0"
PROTOCOL = frozenset(
    "Action Version Format Timestamp AccessKeyId SecurityToken BearerToken Signature SignatureNonce SignatureMethod "
    "SignatureVersion SignatureType".split()
)
"""Parameters of the protocol; no operation has one of the same name (a test holds the spec to it)."""

_AUTHORIZATION = re.compile(r"(ACS3-[A-Z0-9-]+)\s+(.+)", re.ASCII)
_SIGNED = ("x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)


def _digests() -> dict[str, str]:
    """SM3 only where this OpenSSL has it."""
    digests = {"ACS3-HMAC-SHA256": "sha256"}
    try:
        hashlib.new("sm3")
    except ValueError:
        return digests
    return digests | {"ACS3-HMAC-SM3": "sm3"}


DIGESTS = _digests()


@dataclass(frozen=True, slots=True)
class Credential:
    """What belongs to an access key id; `token` only for temporary keys."""

    secret: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """`timestamp` in seconds since 1970; `params` without those of the protocol; `format` as asked, None if not."""

    access_key_id: str
    nonce: str
    timestamp: float
    action: str
    version: str
    params: Mapping[str, str]
    scheme: str
    format: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """A request with its headers and parameters decoded, once."""

    request: Request
    headers: Mapping[str, str]
    parameters: Parameters

    @property
    def format(self) -> str | None:
        return self.parameters.get("Format")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of itself, before anything is proved. `signed_headers` is empty for RPC 1.0."""

    scheme: str
    access_key_id: str
    signature: str
    nonce: str
    timestamp: str
    action: str
    version: str
    token: str | None = None
    signed_headers: tuple[str, ...] = ()


CredentialOf = Callable[[str], Credential | None]


def verify(request: Request, credential_of: CredentialOf, now: float) -> Verified:
    """Raises ApiError, with the vendor's codes, unless the holder of the key made this very request just now."""
    message = read(request)
    return prove(message, identify(message), credential_of, now)


def read(request: Request) -> Message:
    headers = header_map(request)
    acs3 = headers.get("authorization", "").startswith("ACS3-")
    return Message(request, headers, read_parameters(request, headers, signed_json=not acs3))


def identify(message: Message) -> Claim:
    """The claim, with every mandatory member of its scheme present and well formed."""
    authorization = message.headers.get("authorization", "")
    claim = _acs3_claim(message, authorization) if authorization.startswith("ACS3-") else _rpc_claim(message)
    if len(claim.nonce) > 128 or not claim.nonce.isprintable():
        raise ParamInvalid("SignatureNonce", "must be at most 128 printable characters")
    return claim


def prove(message: Message, claim: Claim, credential_of: CredentialOf, now: float) -> Verified:
    timestamp = _fresh(claim.timestamp, now)
    credential = credential_of(claim.access_key_id) if _is_key_id(claim.access_key_id) else None
    if credential is None:
        raise ApiError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
    _check_token(claim.token, credential.token)
    if claim.scheme == RPC:
        _prove_rpc(message, claim, credential.secret)
    else:
        _prove_acs3(message, claim, credential.secret)
    everything = {**message.parameters.query, **message.parameters.form}
    return Verified(
        access_key_id=claim.access_key_id,
        nonce=claim.nonce,
        timestamp=timestamp,
        action=claim.action,
        version=claim.version,
        params={name: value for name, value in everything.items() if name not in PROTOCOL},
        scheme=claim.scheme,
        format=message.format,
    )


def _is_key_id(text: str) -> bool:
    return len(text) <= 128 and text.isascii() and text.isprintable()


def _fresh(text: str, now: float) -> float:
    try:
        if not _TIMESTAMP.fullmatch(text):
            raise ValueError(text)
        timestamp = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        what = "Specified time stamp or date value is not well formatted."
        raise ApiError(400, "InvalidTimeStamp.Format", what) from None
    if abs(now - timestamp) > WINDOW:
        raise ApiError(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
    return timestamp


def _check_token(given: str | None, expected: str | None) -> None:
    if given is None and expected is None:
        return
    if given is None:
        raise missing("SecurityToken")
    if expected is None:
        raise ApiError(400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")
    if not _same(given, expected):
        what = "Specified SecurityToken mismatch with the AccessKey."
        raise ApiError(400, "InvalidSecurityToken.MismatchWithAccessKey", what)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _rpc_claim(message: Message) -> Claim:
    """Trusts the signed parameters only, never the x-acs-action header that comes along unsigned."""
    parameters = message.parameters

    def need(name: str) -> str:
        if value := parameters.get(name):
            return value
        raise missing(name)

    key_id = need("AccessKeyId")
    claim = Claim(
        scheme=RPC,
        access_key_id=key_id,
        signature=need("Signature"),
        nonce=need("SignatureNonce"),
        timestamp=need("Timestamp"),
        action=need("Action"),
        version=need("Version"),
        token=parameters.get("SecurityToken"),
    )
    if (need("SignatureMethod"), need("SignatureVersion")) != ("HMAC-SHA1", "1.0"):
        what = "Specified signature method is not valid: HMAC-SHA1 with version 1.0, or ACS3, is supported."
        raise ApiError(400, "InvalidSignatureMethod", what)
    return claim


def _prove_rpc(message: Message, claim: Claim, secret: str) -> None:
    to_sign = rpc_string_to_sign(message)
    digest = hmac.digest(secret.encode() + b"&", to_sign.encode(), "sha1")
    expected = binascii.b2a_base64(digest, newline=False).decode()
    if not _same(claim.signature, expected):
        # Legacy clients split this text at its first colon: without one they crash.
        what = "Specified signature is not matched with our calculation. server string to sign is:"
        raise ApiError(400, "SignatureDoesNotMatch", what + to_sign[:MAX_ECHO])


def rpc_string_to_sign(message: Message) -> str:
    pairs = sorted([*message.parameters.query.items(), *message.parameters.form.items()])
    canonical = "&".join([f"{encode(name)}={encode(value)}" for name, value in pairs if name != "Signature"])
    # Encoding what is already encoded only touches these three characters.
    twice = canonical.replace("%", "%25").replace("=", "%3D").replace("&", "%26")
    return f"{message.request.method}&%2F&{twice}"


def _incomplete(why: str) -> ApiError:
    what = f"The request signature does not conform to Aliyun standards. {why}"
    return ApiError(400, "IncompleteSignature", what)


def _acs3_claim(message: Message, authorization: str) -> Claim:
    found = _AUTHORIZATION.fullmatch(authorization)
    if not found or found[1] not in DIGESTS:
        raise _incomplete(f"The algorithm must be one of: {', '.join(DIGESTS)}.")
    fields = dict(field.strip().partition("=")[::2] for field in found[2].split(","))
    if not all(fields.get(name) for name in ("Credential", "SignedHeaders", "Signature")):
        raise _incomplete("The header Authorization needs: Credential, SignedHeaders, Signature.")
    headers = message.headers

    def need(header: str, name: str) -> str:
        if value := headers.get(header):
            return value
        raise missing(name)

    claim = Claim(
        scheme=found[1],
        access_key_id=fields["Credential"],
        signature=fields["Signature"],
        nonce=need("x-acs-signature-nonce", "SignatureNonce"),
        timestamp=need("x-acs-date", "Timestamp"),
        action=need("x-acs-action", "Action"),
        version=need("x-acs-version", "Version"),
        token=headers.get("x-acs-security-token"),
        signed_headers=tuple(fields["SignedHeaders"].split(";")),
    )
    _check_signed_headers(claim.signed_headers, headers, bool(message.request.body))
    return claim


def _check_signed_headers(signed: tuple[str, ...], headers: Mapping[str, str], has_body: bool) -> None:
    listed = frozenset(signed)
    if len(listed) != len(signed) or list(signed) != sorted(signed):
        raise _incomplete("SignedHeaders must be sorted and without repetition.")
    wanted = [name for name in (*_SIGNED, *headers) if name.startswith("x-acs-")]
    if has_body:
        wanted.append("content-type")
    for name in wanted:
        if name not in listed:
            raise _incomplete(f"SignedHeaders must contain: {name}.")
    for name in signed:
        if name not in headers:
            raise _incomplete(f"SignedHeaders names a header that is not there: {name[:100]}.")


def _prove_acs3(message: Message, claim: Claim, secret: str) -> None:
    algorithm = DIGESTS[claim.scheme]
    content = hashlib.new(algorithm, message.request.body).hexdigest()
    intact = _same(message.headers["x-acs-content-sha256"], content)
    pairs = sorted(message.parameters.query.items())
    canonical = _canonical_request(message, claim, _canonical_query(pairs, True), content)
    to_sign = _acs3_string_to_sign(claim.scheme, canonical)
    if intact and _matches(claim.signature, to_sign, secret, algorithm):
        return
    if intact and not all(name.isascii() and encode(name) == name for name, _ in pairs):
        # Clients disagree whether names are percent-encoded before signing.
        raw = _canonical_request(message, claim, _canonical_query(pairs, False), content)
        if _matches(claim.signature, _acs3_string_to_sign(claim.scheme, raw), secret, algorithm):
            return
    if claim.token:
        canonical = canonical.replace(claim.token, "***")
    what = (
        f"Specified signature does not match our calculation. server StringToSign is [{to_sign}] "
        f"server CanonicalRequest is [{canonical[:MAX_ECHO]}]: check the secret and what is signed."
    )
    raise ApiError(400, "SignatureDoesNotMatch", what)


def _matches(signature: str, to_sign: str, secret: str, algorithm: str) -> bool:
    return _same(signature, hmac.digest(secret.encode(), to_sign.encode(), algorithm).hex())


def _canonical_query(pairs: list[tuple[str, str]], encode_names: bool) -> str:
    return "&".join([f"{encode(name) if encode_names else name}={encode(value)}" for name, value in pairs])


def _canonical_request(message: Message, claim: Claim, query: str, content: str) -> str:
    headers = message.headers
    lines = "".join([f"{name}:{headers[name]}\n" for name in claim.signed_headers])
    names = ";".join(claim.signed_headers)
    return f"{message.request.method}\n{message.request.path}\n{query}\n{lines}\n{names}\n{content}"


def _acs3_string_to_sign(scheme: str, canonical: str) -> str:
    return f"{scheme}\n{hashlib.new(DIGESTS[scheme], canonical.encode()).hexdigest()}"
