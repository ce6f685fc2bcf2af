"""Recorded requests of the official clients verify; changed in any signed part, they do not."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disync.gateway.digest import sign
from disync.gateway.request import Request, encode
from disync.gateway.signature import DIGESTS, RPC, Credential, read, rpc_string_to_sign, verify
from disync.model.errors import ApiError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "golden-requests.json").read_text("utf-8"))
CREDENTIALS = {
    key: Credential(entry["secret"], entry.get("security_token"))
    for key, entry in GOLDEN["credentials"].items()
    if isinstance(entry, dict)
}
SIGNED = [
    entry
    for entry in GOLDEN["requests"]
    if "expect" in entry and entry["expect"]["scheme"] in (RPC, *DIGESTS)  # SM3 is not in every OpenSSL
]
UNSIGNED = [entry for entry in GOLDEN["requests"] if "expect_error" in entry]
BY_ID = {entry["id"]: entry for entry in GOLDEN["requests"]}


def recorded(entry: dict[str, Any]) -> Request:
    path, _, query = entry["target"].partition("?")
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in entry["headers"]]
    return Request(entry["method"], path, query.encode(), headers, entry["body"].encode())


def name_of(entry: dict[str, Any]) -> str:
    return str(entry["id"])


@pytest.mark.parametrize("entry", SIGNED, ids=name_of)
def test_a_recorded_request_verifies(entry: dict[str, Any]) -> None:
    expected = entry["expect"]
    verified = verify(recorded(entry), CREDENTIALS.get, entry["now"])
    assert verified.scheme == expected["scheme"]
    assert verified.access_key_id == expected["access_key_id"]
    assert (verified.action, verified.version) == (expected["action"], expected["version"])
    assert verified.nonce == expected["nonce"]
    assert verified.params == expected["params"]
    assert verified.format == expected["format"]
    if verified.scheme == RPC:
        assert rpc_string_to_sign(read(recorded(entry))) == expected["string_to_sign"]


@pytest.mark.parametrize("entry", UNSIGNED, ids=name_of)
def test_bearer_and_anonymous_requests_lack_an_access_key(entry: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        verify(recorded(entry), CREDENTIALS.get, entry["now"])
    assert (caught.value.status, caught.value.code) == (400, entry["expect_error"]["code"])


def signed_headers(request: Request) -> list[bytes]:
    authorization = dict(request.headers).get(b"authorization", b"")
    names = authorization.partition(b"SignedHeaders=")[2].partition(b",")[0]
    return names.split(b";") if names else []


def with_header(request: Request, name: bytes, change: Callable[[bytes], bytes]) -> Request:
    headers = [(n, change(v) if n == name else v) for n, v in request.headers]
    return msgspec.structs.replace(request, headers=headers)


def altered_pairs(raw: bytes) -> Iterator[bytes]:
    """Each parameter changed in value, renamed, left out; and one more."""
    pairs = raw.split(b"&") if raw else []
    for i, pair in enumerate(pairs):
        for changed in (pair + b"x", b"x" + pair):
            yield b"&".join([*pairs[:i], changed, *pairs[i + 1 :]])
        yield b"&".join([*pairs[:i], *pairs[i + 1 :]])
    yield b"&".join([*pairs, b"Extra=1"])


def alterations(request: Request) -> Iterator[tuple[str, Request]]:
    replace = msgspec.structs.replace
    acs3 = signed_headers(request)
    form = b"form" in dict(request.headers).get(b"content-type", b"")
    yield "method", replace(request, method="PUT")
    yield "path", replace(request, path="/x")
    for query in altered_pairs(request.query):
        yield f"query {query!r}", replace(request, query=query)
    if acs3:
        yield "body", replace(request, body=request.body + b"&x=1")
    elif form and request.body:
        for body in altered_pairs(request.body):
            yield f"body {body!r}", replace(request, body=body)
    for name in acs3:
        yield f"{name!r}", with_header(request, name, lambda v: v + b"x")
        yield f"no {name!r}", replace(request, headers=[h for h in request.headers if h[0] != name])
    if acs3:
        for old, new in ((b"Signature=", b"Signature=0"), (b"Credential=", b"Credential=x"), (b"s=", b"s=a;")):
            yield f"{new!r}", with_header(request, b"authorization", lambda v, o=old, n=new: v.replace(o, n))  # type: ignore[misc]
        yield "unsigned x-acs", replace(request, headers=[*request.headers, (b"x-acs-more", b"1")])


@pytest.mark.parametrize("entry", SIGNED, ids=name_of)
def test_an_altered_request_is_refused(entry: dict[str, Any]) -> None:
    original = recorded(entry)
    tried = 0
    for what, request in alterations(original):
        if what == "path" and not signed_headers(original):
            continue  # RPC 1.0 does not sign the path; the gateway serves no other
        tried += 1
        with pytest.raises(ApiError) as caught:
            verify(request, CREDENTIALS.get, entry["now"])
            pytest.fail(f"accepted with another {what}")
        assert 400 <= caught.value.status < 500
    assert tried > 5


@pytest.mark.parametrize("entry", SIGNED, ids=name_of)
def test_another_secret_is_refused(entry: dict[str, Any]) -> None:
    def other(access_key_id: str) -> Credential:
        return Credential(CREDENTIALS[access_key_id].secret + "x", CREDENTIALS[access_key_id].token)

    with pytest.raises(ApiError) as caught:
        verify(recorded(entry), other, entry["now"])
    assert (caught.value.status, caught.value.code) == (400, "SignatureDoesNotMatch")
    assert ":" in str(caught.value), "a legacy client crashes on a text without a colon"
    if entry["expect"]["scheme"] == RPC:
        assert str(caught.value).split(":", 1)[1] == entry["expect"]["string_to_sign"]
    elif CREDENTIALS[entry["expect"]["access_key_id"]].token:
        assert str(CREDENTIALS[entry["expect"]["access_key_id"]].token) not in str(caught.value)


@pytest.mark.parametrize("entry_id", ["v6__basic_ak", "v4old__basic_ak"])
@pytest.mark.parametrize(("shift", "code"), [(-899, None), (899, None), (-902, "Expired"), (902, "Expired")])
def test_a_timestamp_holds_for_fifteen_minutes_either_way(entry_id: str, shift: int, code: str | None) -> None:
    entry = BY_ID[entry_id]
    stamp = verify(recorded(entry), CREDENTIALS.get, entry["now"]).timestamp
    if code is None:
        assert verify(recorded(entry), CREDENTIALS.get, stamp + shift).timestamp == stamp
        return
    with pytest.raises(ApiError) as caught:
        verify(recorded(entry), CREDENTIALS.get, stamp + shift)
    assert caught.value.code == f"InvalidTimeStamp.{code}"


@pytest.mark.parametrize("stamp", [b"yesterday", b"2026-13-01T00:00:00Z", b"2026-11-22 17:54:53", b"1795370099"])
def test_a_malformed_timestamp_is_told(stamp: bytes) -> None:
    entry = BY_ID["v6__basic_ak"]
    with pytest.raises(ApiError) as caught:
        verify(with_header(recorded(entry), b"x-acs-date", lambda _: stamp), CREDENTIALS.get, entry["now"])
    assert caught.value.code == "InvalidTimeStamp.Format"


def test_an_unknown_key_is_not_found() -> None:
    entry = BY_ID["v6__basic_ak"]
    with pytest.raises(ApiError) as caught:
        verify(recorded(entry), lambda _: None, entry["now"])
    assert (caught.value.status, caught.value.code) == (404, "InvalidAccessKeyId.NotFound")


@pytest.mark.parametrize(
    ("entry_id", "token", "code"),
    [
        ("node-oc__basic_sts", None, "InvalidSecurityToken.Malformed"),
        ("v2__basic_sts", None, "InvalidSecurityToken.Malformed"),
        ("node-oc__basic_sts", "another", "InvalidSecurityToken.MismatchWithAccessKey"),
        ("v6__basic_ak", "expected", "MissingSecurityToken"),
    ],
)
def test_a_token_belongs_to_its_temporary_key(entry_id: str, token: str | None, code: str) -> None:
    entry = BY_ID[entry_id]
    with pytest.raises(ApiError) as caught:
        verify(recorded(entry), lambda key: Credential(CREDENTIALS[key].secret, token), entry["now"])
    assert (caught.value.status, caught.value.code) == (400, code)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b"x-acs-action", "MissingAction"),
        (b"x-acs-version", "MissingVersion"),
        (b"x-acs-date", "MissingTimestamp"),
        (b"x-acs-signature-nonce", "MissingSignatureNonce"),
    ],
)
def test_every_mandatory_header_is_missed_by_name(header: bytes, code: str) -> None:
    entry = BY_ID["v6__basic_ak"]
    request = recorded(entry)
    request = msgspec.structs.replace(request, headers=[h for h in request.headers if h[0] != header])
    with pytest.raises(ApiError) as caught:
        verify(request, CREDENTIALS.get, entry["now"])
    assert (caught.value.code, str(caught.value)) == (code, f"{code[7:]} is mandatory for this action.")


@pytest.mark.parametrize(
    "name", ["Action", "Version", "Timestamp", "SignatureNonce", "AccessKeyId", "Signature", "SignatureMethod"]
)
def test_every_mandatory_parameter_is_missed_by_name(name: str) -> None:
    entry = BY_ID["v4old__basic_ak"]
    request = recorded(entry)
    pairs = [pair for pair in request.query.split(b"&") if not pair.startswith(name.encode() + b"=")]
    with pytest.raises(ApiError) as caught:
        verify(msgspec.structs.replace(request, query=b"&".join(pairs)), CREDENTIALS.get, entry["now"])
    assert caught.value.code == f"Missing{name}"


def test_fields_of_authorization_come_in_any_order_and_with_blanks() -> None:
    entry = BY_ID["v6__basic_ak"]

    def shuffled(value: bytes) -> bytes:
        scheme, _, rest = value.partition(b" ")
        return scheme + b"  " + b", ".join(reversed(rest.split(b",")))

    request = with_header(recorded(entry), b"authorization", shuffled)
    assert verify(request, CREDENTIALS.get, entry["now"]).action == "GetDISyncTask"


@pytest.mark.parametrize(
    ("query", "name"),
    [(b"A=1&FileId=%zz", "FileId"), (b"TaskType=%ff", "TaskType"), (b"x=1&Name=\xff", "Name"), (b"a%=1", "a%")],
)
def test_a_broken_encoding_names_its_parameter(query: bytes, name: str) -> None:
    with pytest.raises(ApiError) as caught:
        read(Request("GET", "/", query, [], b""))
    assert (caught.value.status, caught.value.code) == (400, "Param.Invalid")
    assert f"{name}:" in str(caught.value)


@pytest.mark.parametrize(("query", "body"), [(b"A=1&A=1", b""), (b"A=1", b"B=1&A=2"), (b"%41=1&A=2", b"")])
def test_a_name_comes_once(query: bytes, body: bytes) -> None:
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    with pytest.raises(ApiError) as caught:
        read(Request("POST", "/", query, form, body))
    assert (caught.value.code, str(caught.value)) == (
        "Param.Invalid",
        "The parameter is invalid. A: is given more than once",
    )


@pytest.mark.parametrize("name", [b"x-acs-action", b"authorization", b"host"])
def test_a_header_that_counts_comes_once(name: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        read(Request("POST", "/", b"", [(name, b"1"), (name, b"1")], b""))
    assert caught.value.code == "InvalidParameter"


def test_more_parameters_than_any_client_sends_are_refused_at_once() -> None:
    with pytest.raises(ApiError) as caught:
        read(Request("POST", "/", b"&" * 1_000_000, [], b""))
    assert caught.value.code == "InvalidParameter"


@settings(derandomize=True)
@given(st.text())
def test_encoding_leaves_only_unreserved_characters_and_loses_nothing(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    encoded = encode(text)
    assert set(encoded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%")
    decoded = read(Request("GET", "/", f"k={encoded}".encode(), [], b"")).parameters.query
    assert decoded == {"k": text}


def test_the_sm3_scheme_is_told_to_be_unknown_where_openssl_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(DIGESTS, "ACS3-HMAC-SM3", raising=False)
    entry = BY_ID["v10__sm3"]
    with pytest.raises(ApiError) as caught:
        verify(recorded(entry), CREDENTIALS.get, entry["now"])
    assert (caught.value.status, caught.value.code) == (400, "IncompleteSignature")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", *(["sm3"] if "ACS3-HMAC-SM3" in DIGESTS else [])])
@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 200])
def test_the_hmac_is_the_librarys(algorithm: str, length: int) -> None:
    for text in ("", "ä" * 100):
        assert sign("k" * length, text, algorithm) == hmac.digest(b"k" * length, text.encode(), algorithm)
