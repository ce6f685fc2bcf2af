from collections.abc import Sequence

from disync.native.columns import Columns
from disync.native.packets import Packets

class ResultRows:
    count: int
    total: int
    last: tuple[bytes | None, ...] | None
    refused: list[tuple[tuple[bytes | None, ...], str, str]]
    ending: bytes | None
    def __init__(self, packets: Packets, columns: Columns, widths: bytes, keys: Sequence[int]) -> None: ...
    @property
    def size(self) -> int: ...
    def advance(self, most_rows: int, most_bytes: int) -> bool: ...
    def take(self) -> bytes: ...
