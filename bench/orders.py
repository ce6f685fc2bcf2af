"""The table of the database measurements: 12 mixed columns, a fifth of all values null, the same rows at every call."""

from __future__ import annotations

from bench.contents import Column, Table
from bench.databases import DATABASE, Databases

_PRIME = 4294967291
"""The greatest below 2 ** 32: multiples of a number modulo this one look random enough, and cost a server little."""

_CITIES = "'北京', '上海', '广州市天河区', '深圳', '杭州西湖', '成都', 'Ürümqi 乌鲁木齐', 'Harbin'"

# Name, type in MariaDB, type in PostgreSQL, value from a hash of its own and the row's number.
_COLUMNS = (
    ("customer", "INT", "integer", "{hash} - 2147483648"),
    ("quantity", "INT", "integer", "{hash} % 1000"),
    ("store", "SMALLINT", "smallint", "{hash} % 65536 - 32768"),
    ("amount", "DECIMAL(12,2)", "numeric(12,2)", "({hash} - 2147483648) * 7 / 100"),
    ("city", "VARCHAR(40)", "varchar(40)", f"ELT(1 + {{hash}} % 8, {_CITIES})"),
    ("product", "VARCHAR(80)", "varchar(80)", "CONCAT('商品 ', {hash} % 100000, ' 规格 ', {hash} % 37)"),
    ("ordered", "DATETIME(3)", "timestamp(3)", "'2020-01-01' + INTERVAL {hash} * 37000 MICROSECOND"),
    ("due", "DATE", "date", "'2020-01-01' + INTERVAL {hash} % 3000 DAY"),
    ("paid", "TINYINT(1)", "smallint", "{hash} % 2"),
    ("weight", "DOUBLE", "double precision", "{hash} * 9.765625e-4"),
    ("note", "TEXT", "text", "CONCAT('第 ', {n}, ' 行\\t', MD5({n}), '\\nC:\\\\数据\\\\', {hash}, '\\t', MD5(-{n}))"),
)

TABLE = Table(
    "orders",
    (
        Column("id", "BIGINT NOT NULL", "bigint NOT NULL"),
        *(Column(name, source, target) for name, source, target, _ in _COLUMNS),
    ),
    ("id",),
)


def values(number: str) -> str:
    """The columns of row `number`, an SQL expression of an integer, as a list for SELECT."""
    given = [_value(place, value, number) for place, (_, _, _, value) in enumerate(_COLUMNS)]
    return ", ".join([number, *given])


def _value(place: int, value: str, number: str) -> str:
    hash_, other = (f"({number} * {factor + place * 7_654_321} % {_PRIME})" for factor in (2_654_435_761, 40_503_333))
    return f"IF({other} % 5 = 0, NULL, {value.format(hash=hash_, n=number)})"


def numbers(first: int, last: int) -> str:
    """Both included, as a table of one column, n: the server's own are unsigned, and nothing from them goes below 0."""
    return f"(SELECT CAST(seq AS SIGNED) AS n FROM seq_{first}_to_{last}) AS numbers"


def fill(servers: Databases, rows: int) -> None:
    """Make the source's table anew, with this many rows; the log says nothing of it."""
    servers.source.run(
        [
            "SET SESSION sql_log_bin = 0",
            f"DROP TABLE IF EXISTS {TABLE.name}",
            TABLE.create_source(),
            f"INSERT INTO {TABLE.name} SELECT {values('n')} FROM {numbers(1, rows)}",
        ],
        DATABASE,
    )
