"""The files of the page: those of `static/`, and nothing else of the disk."""

from __future__ import annotations

import gzip
import mimetypes
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

NONCE = b"__CSP_NONCE__"
"""Stands in index.html where a page's own nonce goes, for the style element that the editor makes."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_TEXTS = ("text/", "application/json", "image/svg")
_SMALL = 512
"""Bytes; less is not worth compressing."""


@dataclass(frozen=True, slots=True)
class File:
    """`gzipped`: None where compressing it does not pay."""

    media_type: str
    etag: str
    plain: bytes
    gzipped: bytes | None = None


class Files:
    """Read when they are first asked for, and again when they have changed on disk."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder.resolve()
        self._known: dict[str, tuple[tuple[int, int], File]] = {}

    def find(self, name: str) -> File | None:
        """The file of this name below the folder; None for any other, whatever the name leads to."""
        if not _NAME.fullmatch(name):
            return None
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            return None
        stat = path.stat()
        state = stat.st_mtime_ns, stat.st_size
        known = self._known.get(name)
        if known is None or known[0] != state:
            known = self._known[name] = state, _file(name, path.read_bytes())
        return known[1]

    def page(self) -> tuple[bytes, str]:
        """index.html with a nonce in it that was never used before, and the nonce; "" where the page wants none."""
        found = self.find("index.html")
        if found is None:
            raise FileNotFoundError(self._folder / "index.html")
        if NONCE not in found.plain:
            return found.plain, ""
        nonce = secrets.token_urlsafe(16)
        return found.plain.replace(NONCE, nonce.encode()), nonce


def _file(name: str, plain: bytes) -> File:
    suffix = Path(name).suffix
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    etag = f'"{sha256(plain).hexdigest()[:32]}"'
    if not media_type.startswith(_TEXTS) or len(plain) < _SMALL:
        return File(media_type, etag, plain)
    return File(media_type, etag, plain, gzip.compress(plain, mtime=0))
