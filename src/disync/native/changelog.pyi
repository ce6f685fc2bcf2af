from collections.abc import Callable
from typing import Any

from disync.native.columns import Columns
from disync.native.packets import Packets

ENOUGH: object

class LogTable:
    subject: Any
    whole: int
    def __init__(self, columns: Columns, subject: Any) -> None: ...

class LogRows:
    checksums: bool
    offset: int
    count: int
    size: int
    whole: int
    refused: list[tuple[Any, str, bytes, str, str]]
    def __init__(
        self, packets: Packets, inflate: Callable[[bytes], bytes], most_rows: int, most_bytes: int
    ) -> None: ...
    def announce(self, body: bytes, table: LogTable | None) -> None: ...
    def forget(self) -> None: ...
    def next(self) -> Any: ...
    def end_transaction(self) -> None: ...
    def take(self, whole: bool) -> list[tuple[Any, bytes, bytes]]: ...
