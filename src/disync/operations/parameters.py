"""Groups of parameters that several operations have. The gateway has converted each to its declared type before."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from disync.model.errors import ParamInvalid
from disync.services.access import Place
from disync.services.pages import Page, Slice

Parameters = dict[str, Any]
Payload = dict[str, Any]


def place(parameters: Parameters) -> Place:
    """ProjectId, or ProjectIdentifier where there is no id."""
    return Place(parameters.get("ProjectId"), parameters.get("ProjectIdentifier"))


def asked(parameters: Parameters) -> Slice:
    return Slice(parameters.get("PageNumber", 1), parameters.get("PageSize", 10))


def counted(page: Page[Any]) -> Payload:
    """What every page says about itself."""
    return {"PageNumber": page.asked.number, "PageSize": page.asked.size, "TotalCount": page.total}


def keyword(parameters: Parameters) -> str | None:
    """A part of a name. SQLite gives up on patterns that are very long."""
    text = parameters.get("Keyword")
    if text and len(text) > 256:
        raise ParamInvalid("Keyword", "at most 256 characters.")
    return text


def numbers(name: str, text: str | None, most: int) -> tuple[int, ...] | None:
    """A list of numbers with commas between them; None if there is none."""
    if not text:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > most:
        raise ParamInvalid(name, f"at most {most} numbers.")
    if not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in parts):
        raise ParamInvalid(name, "numbers with commas between them.")
    return tuple(int(part) for part in parts)


def environment(parameters: Parameters) -> int | None:
    """EnvType where the API declares it as text."""
    env = parameters.get("EnvType")
    if env in (None, ""):
        return None
    if env not in ("0", "1"):
        raise ParamInvalid("EnvType", "0 (development) or 1 (production).")
    return int(env)


def tags(parameters: Parameters) -> list[dict[str, str]]:
    try:
        return msgspec.convert(parameters.get("Tags") or [], list[dict[Literal["Key", "Value"], str]])  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise ParamInvalid("Tags", "a list of objects with the texts Key and Value.") from error
