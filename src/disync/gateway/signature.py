"""Who sent this request? Verifies RPC 1.0 (HMAC-SHA1) and ACS3-HMAC-SHA256 / -SM3 signatures.

Pure: keys and the time come from outside, nothing is remembered. `verify` is the whole; the gateway calls its steps
`read`, `identify` and `prove` one by one, since it has its own checks between them. Replayed nonces are the gateway's.
"""

from __future__ import annotations

import binascii
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from disync.gateway.digest import DIGESTS, digest, sign
from disync.gateway.parameters import missing
from disync.gateway.request import Headers, Parameters, Request, encode, header, header_map, read_parameters
from disync.model.errors import ApiError, ParamInvalid

WINDOW = 15 * 60
"""Seconds that a timestamp may be away from the server's clock, either way."""

MAX_ECHO = 64 * 1024
"""Longest string to sign that is echoed: legacy clients compare it to tell a wrong secret from a wrong signature."""

RPC = "RPC-1.0"
PROTOCOL = frozenset(
    (
        *("Action", "Version", "Format", "Timestamp", "AccessKeyId", "SecurityToken", "BearerToken"),
        *("Signature", "SignatureNonce", "SignatureMethod", "SignatureVersion", "SignatureType"),
    )
)
"""Parameters of the protocol; no operation has one of the same name (a test holds the spec to it)."""

_FIELD = re.compile(r"(Credential|SignedHeaders)=([^,\s]+)").findall
_ACS3_MANDATORY = {
    b"x-acs-action": "Action",
    b"x-acs-version": "Version",
    b"x-acs-date": "Timestamp",
    b"x-acs-signature-nonce": "SignatureNonce",
    b"x-acs-content-sha256": "ContentSha256",
}
_SIGNATURE = "Signature="
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)


class Credential(msgspec.Struct, frozen=True):
    """What belongs to an access key id; `token` only for temporary keys."""

    secret: str
    token: str | None = None


class Verified(msgspec.Struct, frozen=True):
    """`timestamp` in seconds since 1970; `params` without those of the protocol; `format` as asked, None if not."""

    access_key_id: str
    nonce: str
    timestamp: float
    action: str
    version: str
    params: Mapping[str, str]
    scheme: str
    format: str | None


class Message(msgspec.Struct, frozen=True):
    """A request with its headers and parameters decoded, once."""

    request: Request
    headers: Headers
    parameters: Parameters

    @property
    def format(self) -> str | None:
        return self.parameters.get("Format")


class Claim(msgspec.Struct, frozen=True):
    """What a request says of itself, before anything is proved. `signed_headers` is empty for RPC 1.0."""

    scheme: str
    access_key_id: str
    signature: str
    nonce: str
    timestamp: str
    action: str
    version: str
    token: str | None = None
    signed_headers: tuple[bytes, ...] = ()


CredentialOf = Callable[[str], Credential | None]


def verify(request: Request, credential_of: CredentialOf, now: float) -> Verified:
    """Raises ApiError, with the vendor's codes, unless the holder of the key made this very request just now."""
    message = read(request)
    return prove(message, identify(message), credential_of, now)


def read(request: Request) -> Message:
    headers = header_map(request)
    acs3 = headers.get(b"authorization", b"").lstrip().startswith(b"ACS3-")
    return Message(request, headers, read_parameters(request, headers, signed_json=not acs3))


def identify(message: Message) -> Claim:
    """The claim, with every mandatory member of its scheme present and well formed."""
    authorization = header(message.headers, b"authorization")
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
    return Verified(
        access_key_id=claim.access_key_id,
        nonce=claim.nonce,
        timestamp=timestamp,
        action=claim.action,
        version=claim.version,
        params=_unprotocolled(message.parameters),
        scheme=claim.scheme,
        format=message.format,
    )


def _unprotocolled(parameters: Parameters) -> dict[str, str]:
    params = {**parameters.query, **parameters.form}
    for name in PROTOCOL & params.keys():
        del params[name]
    return params


def _is_key_id(text: str) -> bool:
    return len(text) <= 128 and text.isascii() and text.isprintable()


@lru_cache(64)
def _seconds(text: str) -> float:
    """Seconds since 1970. All requests of one second send the same text, so it is worth remembering."""
    try:
        if not _TIMESTAMP.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        what = "Specified time stamp or date value is not well formatted."
        raise ApiError(400, "InvalidTimeStamp.Format", what) from None


def _fresh(text: str, now: float) -> float:
    timestamp = _seconds(text)
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
    expected = binascii.b2a_base64(sign(secret + "&", to_sign, "sha1"), newline=False).decode()
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
    begin = authorization.find(_SIGNATURE)
    end = authorization.find(",", begin)
    if end < 0:
        end = len(authorization)
    signature = authorization[begin + len(_SIGNATURE) : end].strip() if begin > 0 else ""
    scheme, key_id, signed = _signer(authorization[:begin] + authorization[end:])
    if scheme not in DIGESTS or not (key_id and signed and signature):
        raise _incomplete(f"Authorization must be {' or '.join(DIGESTS)} with: Credential, SignedHeaders, Signature.")
    headers = message.headers
    given = [header(headers, name) for name in _ACS3_MANDATORY]
    if not all(given):
        raise missing(next(name for name, text in zip(_ACS3_MANDATORY.values(), given, strict=True) if not text))
    action, version, date, nonce, _ = given
    _check_signed_headers(signed, headers, bool(message.request.body))
    return Claim(
        scheme=scheme,
        access_key_id=key_id,
        signature=signature,
        nonce=nonce,
        timestamp=date,
        action=action,
        version=version,
        token=header(headers, b"x-acs-security-token") if b"x-acs-security-token" in headers else None,
        signed_headers=signed,
    )


@lru_cache(128)
def _signer(text: str) -> tuple[str, str, tuple[bytes, ...]]:
    """Scheme, access key id and signed headers. A client sends the same each time, so it is worth remembering."""
    scheme, _, rest = text.partition(" ")
    fields = dict(_FIELD(rest))
    names = fields["SignedHeaders"].split(";") if "SignedHeaders" in fields else []
    if names != sorted(set(names)):
        raise _incomplete("SignedHeaders must be sorted and without repetition.")
    return scheme, fields.get("Credential", ""), tuple(name.encode("latin-1") for name in names)


def _check_signed_headers(signed: tuple[bytes, ...], headers: Headers, has_body: bool) -> None:
    for name in headers.keys() - signed:
        if name.startswith(b"x-acs-") or (has_body and name == b"content-type"):
            raise _incomplete(f"SignedHeaders must contain: {name.decode('latin-1')}.")
    for name in signed:
        if name not in headers:
            raise _incomplete(f"SignedHeaders names a header that is not there: {name[:100].decode('latin-1')}.")


def _prove_acs3(message: Message, claim: Claim, secret: str) -> None:
    algorithm = DIGESTS[claim.scheme]
    content = digest(algorithm, message.request.body)
    intact = _same(header(message.headers, b"x-acs-content-sha256"), content)
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
    return _same(signature, sign(secret, to_sign, algorithm).hex())


def _canonical_query(pairs: list[tuple[str, str]], encode_names: bool) -> str:
    return "&".join([f"{encode(name) if encode_names else name}={encode(value)}" for name, value in pairs])


def _canonical_request(message: Message, claim: Claim, query: str, content: str) -> str:
    headers = message.headers
    lines = b"".join([b"%b:%b\n" % (name, headers[name].strip()) for name in claim.signed_headers]).decode("latin-1")
    names = b";".join(claim.signed_headers).decode("latin-1")
    return f"{message.request.method}\n{message.request.path}\n{query}\n{lines}\n{names}\n{content}"


def _acs3_string_to_sign(scheme: str, canonical: str) -> str:
    return f"{scheme}\n{digest(DIGESTS[scheme], canonical.encode())}"
