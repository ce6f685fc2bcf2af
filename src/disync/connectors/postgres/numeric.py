"""Decimal texts as PostgreSQL's binary numeric and back: groups of four digits, exact to the last one."""

from __future__ import annotations

import re
from struct import Struct, unpack_from

_TEXT = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,5}))?", re.ASCII)
_HEAD = Struct("!iHhHH")  # length of the field, groups, weight of the first group, sign, digits after the point
_SPECIAL = {"nan": 0xC000, "infinity": 0xD000, "inf": 0xD000, "-infinity": 0xF000, "-inf": 0xF000}
_SPECIAL_TEXT = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}
_NEGATIVE = 0x4000
_MOST_DIGITS = 131072
_MOST_SCALE = 16383


def encode(text: str, room: int | None = None, scale: int | None = None) -> bytes:
    """The field, its length first. `room`, `scale`: digits that the column has before and after the point.

    ValueError where the column would have to round: the server would do it without a word.
    """
    sign, whole, part = _parts(text)
    if sign is None:
        return _HEAD.pack(8, 0, 0, _SPECIAL[text.lower()], 0)
    if scale is not None and room is not None and (len(whole) > room or len(part.rstrip("0")) > scale):
        raise ValueError(f"it has more digits than numeric({room + scale},{scale})")
    if len(whole) > _MOST_DIGITS or len(part) > _MOST_SCALE:
        raise ValueError("it has more digits than any numeric")
    digits = "0" * (-len(whole) % 4) + whole + part + "0" * (-len(part) % 4)
    groups = [int(digits[at : at + 4]) for at in range(0, len(digits), 4)]
    weight = (len(whole) + 3) // 4 - 1
    while groups and not groups[-1]:
        groups.pop()
    lead = next((at for at, group in enumerate(groups) if group), 0)
    groups, weight = (groups[lead:], weight - lead) if groups else ([], 0)
    flag = _NEGATIVE if sign == "-" and groups else 0
    head = _HEAD.pack(8 + 2 * len(groups), len(groups), weight, flag, len(part))
    return head + b"".join([group.to_bytes(2, "big") for group in groups])


def decode(field: bytes) -> str:
    """The text of a field (without its length), as the server itself would write it."""
    count, weight, sign, scale = unpack_from("!HhHH", field)
    if sign in _SPECIAL_TEXT:
        return _SPECIAL_TEXT[sign]
    digits = "".join(f"{group:04d}" for group in unpack_from(f"!{count}H", field, 8))
    before = (weight + 1) * 4
    whole = digits[: max(before, 0)].ljust(max(before, 0), "0").lstrip("0") or "0"
    part = ("0" * max(-before, 0) + digits[max(before, 0) :])[:scale].ljust(scale, "0")
    return f"{'-' if sign == _NEGATIVE else ''}{whole}{'.' if scale else ''}{part}"


def _parts(text: str) -> tuple[str | None, str, str]:
    """Sign, digits before and digits after the point; the sign is None where it is no number but a special value."""
    match = _TEXT.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        if text.lower() in _SPECIAL:
            return None, "", ""
        raise ValueError("it is no decimal number")
    whole, part, power = match[2], match[3] or "", int(match[4] or 0)
    if power > 0:
        part = part.ljust(power, "0")
        whole, part = whole + part[:power], part[power:]
    elif power < 0:
        whole = whole.rjust(-power, "0")
        whole, part = whole[:power], whole[power:] + part
    return match[1], whole.lstrip("0"), part
