from collections.abc import Mapping, Sequence
from typing import Any

class Unserved(ValueError): ...

class Columns:
    count: int
    names: tuple[str, ...]
    def __init__(self, lies: Sequence[Mapping[str, Any]]) -> None: ...
