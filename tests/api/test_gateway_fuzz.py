"""Nothing that a client sends gives a 5xx or an exception."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from calling import FORM, SERVED, TASK, Caller
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signing import KEY, timestamp

NAMES = st.sampled_from(
    (
        *("Action", "Version", "Format", "Timestamp", "SignatureNonce", "SignatureMethod", "SignatureVersion"),
        *("AccessKeyId", "Signature", "SecurityToken", "FileId", "ProjectId", "TaskType", "Tags.1.Key", "é", ""),
    )
)
VALUES = st.sampled_from(
    ["GetDISyncTask", "ListFiles", "2020-05-18", "XML", "1.0", "HMAC-SHA1", KEY, timestamp(), "%", "%zz", "%ff", "+"]
) | st.text(max_size=20)
QUERIES = st.lists(st.tuples(NAMES, VALUES), max_size=12).map(
    lambda pairs: "&".join(f"{n}={v}" for n, v in pairs).encode("utf-8", "replace")
) | st.binary(max_size=200)
HEADER_NAMES = (
    *(b"x-acs-action", b"x-acs-version", b"x-acs-date", b"x-acs-signature-nonce", b"x-acs-content-sha256"),
    *(b"x-acs-security-token", b"authorization", b"content-type", b"host", b"accept"),
)
HEADER_VALUES = (
    *(b"GetDISyncTask", b"2020-05-18", FORM.encode(), b"application/json", timestamp().encode(), b"Bearer x"),
    *(b"ACS3-HMAC-SHA256 Credential=testAccessKeyId,SignedHeaders=a;b,Signature=0", b"ACS3-HMAC-MD5 x"),
)
HEADERS = st.lists(
    st.tuples(st.sampled_from(HEADER_NAMES), st.sampled_from(HEADER_VALUES) | st.binary(max_size=40)), max_size=10
)
BODIES = QUERIES | st.sampled_from([b"{}", b'{"a": "\\ud800"}', b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000])


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Caller]:
    made = Caller()
    yield made
    made.close()


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]), query=QUERIES, headers=HEADERS, body=BODIES)
def test_nothing_unsigned_gets_anything_but_a_4xx(
    fuzzed: Caller, method: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    reply = fuzzed.send(method, query, headers, body)
    assert 400 <= reply.status < 500
    assert not fuzzed.operations.calls


PARAMS = st.dictionaries(NAMES.filter(lambda n: n and n[0] in "FPT"), st.text(max_size=30) | VALUES, max_size=6)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(action=st.sampled_from(SERVED), params=PARAMS, acs3=st.booleans())
def test_nothing_signed_gives_a_5xx(fuzzed: Caller, action: str, params: dict[str, str], acs3: bool) -> None:
    fuzzed.operations.outcome = {"Data": TASK}
    params = {n: v.encode("utf-8", "replace").decode() for n, v in params.items()}
    reply = fuzzed.acs3(action, params) if acs3 else fuzzed.rpc(action, params)
    assert reply.status < 500
    assert b"SignatureDoesNotMatch" not in reply.body
    fuzzed.operations.calls.clear()
