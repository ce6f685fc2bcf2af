"""The Authorization header: HMAC-SHA1 over method, content type, date, `x-datahub-*` headers and resource."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote


def authorization(access_id: str, secret: str, method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """`DATAHUB <id>:<signature>` for a request; header names in any case, `query` without its `?`, both as sent.

    A server compares the whole value with `hmac.compare_digest`. Neither body nor host is signed.
    """
    text = canonical(method, path, query, headers)
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogatepass")
    digest = hmac.digest(secret.encode(), data, "sha1")
    return f"DATAHUB {access_id}:{b64encode(digest).decode()}"


def canonical(method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """The text that is signed. Path and query are percent-decoded first, query parameters sorted by name."""
    lower = {name.lower(): value for name, value in headers.items()}
    own = [f"{name}:{lower[name]}" for name in sorted(lower) if name.startswith("x-datahub-")]
    pairs = sorted(parse_qsl(unquote(query), keep_blank_values=True), key=lambda pair: pair[0])
    parameters = "&".join(f"{name}={value}" if value else name for name, value in pairs)
    resource = unquote(path) + (f"?{parameters}" if parameters else "")
    return "\n".join([method, lower.get("content-type", ""), lower.get("date", ""), *own, resource])
