"""DECIMAL as it lies in a row: groups of nine digits, big-endian, the sign in the first bit."""

from __future__ import annotations

from collections.abc import Callable

_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
"""Bytes that so many digits take."""


def size(precision: int, scale: int) -> int:
    whole = precision - scale
    return whole // 9 * 4 + _BYTES[whole % 9] + scale // 9 * 4 + _BYTES[scale % 9]


def decoder(precision: int, scale: int) -> Callable[[bytes], str]:
    """The text of a DECIMAL(precision, scale), with all digits of its scale and no needless zero before."""
    groups = _groups(precision - scale, leading=True)
    fraction = _groups(scale, leading=False)

    def read(data: bytes) -> str:
        negative = not data[0] & 0x80
        plain = bytes([data[0] ^ 0x80]) + data[1:]
        if negative:
            plain = bytes(byte ^ 0xFF for byte in plain)
        at = 0
        parts: list[str] = []
        for count, digits in groups:
            parts.append(f"{int.from_bytes(plain[at : at + count], 'big'):0{digits}d}")
            at += count
        whole = "".join(parts)
        text = "-" + whole if negative else whole
        if not fraction:
            return text
        parts = []
        for count, digits in fraction:
            parts.append(f"{int.from_bytes(plain[at : at + count], 'big'):0{digits}d}")
            at += count
        return f"{text}.{''.join(parts)}"

    return read


def _groups(digits: int, leading: bool) -> list[tuple[int, int]]:
    """(bytes, digits) of each group; the group that is not full comes first before the point, last behind it."""
    full, rest = divmod(digits, 9)
    groups = [(4, 9)] * full
    if rest:
        groups.insert(0 if leading else full, (_BYTES[rest], rest))
    return groups
