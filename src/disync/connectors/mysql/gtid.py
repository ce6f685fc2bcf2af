"""Global transaction ids seen so far, as each dialect writes them."""

from __future__ import annotations

from disync.model.errors import BadConfig


class MariaGtids:
    """The last transaction of each domain: `0-1-100,1-2-7`."""

    def __init__(self, text: str = "") -> None:
        self._last = {gtid.split("-")[0]: gtid for gtid in filter(None, text.split(","))}

    def add(self, gtid: str) -> None:
        self._last[gtid.split("-", 1)[0]] = gtid

    def __str__(self) -> str:
        return ",".join(self._last[domain] for domain in sorted(self._last))


class MySQLGtids:
    """Ranges of numbers for each source: `3e11fa47-…:1-5:7`. A source may carry a tag: `uuid:tag:1-5`."""

    def __init__(self, text: str = "") -> None:
        self._ranges: dict[str, list[list[int]]] = {}
        try:
            for part in filter(None, "".join(text.split()).split(",")):
                self._read(part)
        except ValueError as error:
            raise BadConfig(f"{text!r} is no set of GTIDs.") from error

    def _read(self, part: str) -> None:
        source, *pieces = part.split(":")
        name = source
        for piece in pieces:
            if piece[:1].isdigit():
                first, _, last = piece.partition("-")
                self._ranges.setdefault(name, []).append([int(first), int(last or first)])
            else:
                name = f"{source}:{piece}"

    def add(self, gtid: str) -> None:
        source, _, last_part = gtid.rpartition(":")
        number = int(last_part)
        ranges = self._ranges.setdefault(source, [])
        if ranges and ranges[-1][0] <= number <= ranges[-1][1] + 1:
            ranges[-1][1] = max(number, ranges[-1][1])
            return
        ranges.append([number, number])
        ranges.sort()
        merged: list[list[int]] = []
        for first, last in ranges:
            if merged and first <= merged[-1][1] + 1:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        self._ranges[source] = merged

    def __str__(self) -> str:
        return ",".join(
            ":".join([source, *(f"{first}-{last}" if last > first else str(first) for first, last in ranges)])
            for source, ranges in sorted(self._ranges.items())
        )


Gtids = MariaGtids | MySQLGtids
