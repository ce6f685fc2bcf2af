"""Paging as every list has it: PageNumber from 1, PageSize 10 unless said, 100 at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from disync.model.errors import ParamInvalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slice:
    """Which page of a list is asked for."""

    number: int = 1
    size: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.number <= 1_000_000_000:
            raise ParamInvalid("PageNumber", "pages are counted from 1.")
        if not 1 <= self.size <= 100:
            raise ParamInvalid("PageSize", "a page has 1 to 100 entries.")

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list, and how many entries the list has in all."""

    asked: Slice
    total: int
    entries: list[T]
