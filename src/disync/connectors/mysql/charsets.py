"""Character sets of columns. Text is taken as the server stores it and decoded here, in a full load as in the log.

Only sets whose Python codec gives what the server itself gives are here (a test compares every code point): a column
in another one is refused by name rather than read almost right.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

_EXACT = {
    "utf8mb4": "utf-8",
    "utf8mb3": "utf-8",
    "utf8": "utf-8",
    "ascii": "ascii",
    "ucs2": "utf-16-be",
    "utf16": "utf-16-be",
    "utf16le": "utf-16-le",
    "utf32": "utf-32-be",
    "gbk": "gbk",
    "gb2312": "gb2312",
    "gb18030": "gb18030",
    "cp932": "cp932",
    "latin2": "iso8859_2",
    "latin5": "iso8859_9",
    "latin7": "iso8859_13",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1256": "cp1256",
    "cp1257": "cp1257",
    "cp850": "cp850",
    "cp852": "cp852",
    "hp8": "hp_roman8",
    "koi8r": "koi8_r",
    "macroman": "mac_roman",
    "macce": "mac_latin2",
}

_LATIN1 = "".join(
    bytes([code]).decode("cp1252") if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(code) for code in range(256)
)
"""MySQL's latin1 is Windows' code page 1252, with control characters in its five gaps."""

_EXCHANGED = str.maketrans("\u1e3f\ue7c7", "\ue7c7\u1e3f") if b"\xa8\xbc".decode("gb18030") == "\ue7c7" else {}
"""The standard's edition of 2005, which is MySQL's, gave a letter the code of one for private use, and that one its; a
codec may be of the edition of 2000."""

Decoder = Callable[[bytes], str]


def decoder(charset: str) -> Decoder | None:
    """bytes → text; raises UnicodeDecodeError. None for a set that cannot be decoded exactly."""
    if charset == "latin1":
        return lambda data: codecs.charmap_decode(data, "strict", _LATIN1)[0]
    name = _EXACT.get(charset)
    if name is None:
        return None
    if name == "utf-8":
        return bytes.decode
    if name == "gb18030" and _EXCHANGED:
        return lambda data: data.decode(name).translate(_EXCHANGED)
    return lambda data: data.decode(name)
