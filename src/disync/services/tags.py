"""Tags of workspaces and of resource groups, as the API has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

Tag = Mapping[str, str]
"""`Key` and `Value`; one without a value asks for any."""


def written(tags: Sequence[Tag]) -> str:
    """As a store keeps them."""
    return msgspec.json.encode(tags).decode()


def kept(text: str) -> list[dict[str, str]]:
    return msgspec.json.decode(text, type=list[dict[str, str]])


def has(text: str, wanted: Sequence[Tag]) -> bool:
    """Whether every one that is wanted is among those kept."""
    own = kept(text) if wanted else []
    return all(any(tag.items() <= each.items() for each in own) for tag in wanted)
