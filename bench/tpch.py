"""TPC-H as a whole database of 8 tables, loaded by one task, beside dlt."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from bench import contents, peers, replication
from bench.contents import Checksum, Column, Table
from bench.databases import DATABASE, Databases, databases
from bench.load import MOST_MB
from bench.table import Limit, Row

ROUNDS = 3
DLT_ROUNDS = 1
SCHEMA = "tpch"
_ROWS = 8_661_245
"""At scale factor 1."""

_COLUMNS = {
    "region": "r_regionkey k, r_name text 25, r_comment text 152",
    "nation": "n_nationkey k, n_name text 25, n_regionkey int, n_comment text 152",
    "supplier": "s_suppkey k, s_name text 25, s_address text 40, s_nationkey int, s_phone text 15, s_acctbal money, "
    "s_comment text 101",
    "customer": "c_custkey k, c_name text 25, c_address text 40, c_nationkey int, c_phone text 15, c_acctbal money, "
    "c_mktsegment text 10, c_comment text 117",
    "part": "p_partkey k, p_name text 55, p_mfgr text 25, p_brand text 10, p_type text 25, p_size int, "
    "p_container text 10, p_retailprice money, p_comment text 23",
    "partsupp": "ps_partkey k, ps_suppkey k, ps_availqty int, ps_supplycost money, ps_comment text 199",
    "orders": "o_orderkey k, o_custkey int, o_orderstatus text 1, o_totalprice money, o_orderdate date, "
    "o_orderpriority text 15, o_clerk text 15, o_shippriority int, o_comment text 79",
    "lineitem": "l_orderkey k, l_partkey int, l_suppkey int, l_linenumber k, l_quantity money, l_extendedprice money, "
    "l_discount money, l_tax money, l_returnflag text 1, l_linestatus text 1, l_shipdate date, l_commitdate date, "
    "l_receiptdate date, l_shipinstruct text 25, l_shipmode text 10, l_comment text 44",
}
"""The standard's tables; k: a number that is of the key."""

_TYPES = {"k": ("INT NOT NULL", "integer NOT NULL"), "int": ("INT", "integer"), "date": ("DATE", "date")}


def _column(told: str) -> Column:
    name, kind, *length = told.split()
    if kind == "text":
        return Column(name, f"VARCHAR({length[0]})", f"varchar({length[0]})")
    source, target = _TYPES.get(kind, ("DECIMAL(15,2)", "numeric(15,2)"))
    return Column(name, source, target)


def _table(name: str, told: str) -> Table:
    columns = told.split(", ")
    return Table(
        name, tuple(map(_column, columns)), tuple(column.split()[0] for column in columns if column.endswith(" k"))
    )


TABLES = tuple(_table(name, told) for name, told in _COLUMNS.items())
_NAMES = [table.name for table in TABLES]


def measure_all(rows: int | None = None) -> list[Row]:
    """`rows`: about how many, of all tables together."""
    scale = min(1.0, (rows or _ROWS) / _ROWS)
    with databases() as servers:
        expected = _fill(servers, scale)
        count = sum(checksum[0] for checksum in expected)
        ours = [_ours(servers, count, expected) for _ in range(ROUNDS)]
        dlt = [_dlt(servers, expected) for _ in range(DLT_ROUNDS)]
    rate, theirs = (count / median(run.seconds for run in runs) for runs in (ours, dlt))
    most = max(run.rss_mb for run in ours)
    beside = f"{theirs:,.0f} rows/s (dlt, {DLT_ROUNDS} round, no keys, {max(run.rss_mb for run in dlt):.0f} MB RSS)"
    what = f"full load of TPC-H, scale {scale:.3g}, {len(TABLES)} tables, {count:,} rows"
    return [
        Row(what, f"{rate:,.0f} rows/s", beside, rate / theirs),
        Row("… memory of the worker, most of all rounds", f"{most:.0f} MB RSS", limit=Limit(most, MOST_MB, "MB")),
    ]


def _fill(servers: Databases, scale: float) -> list[Checksum]:
    with tempfile.TemporaryDirectory(prefix="tpch-") as folder:
        program = peers.installed("tpchgen", "bin/tpchgen-cli")
        peers.run([str(program), "--scale-factor", f"{scale:.6f}", "--output-dir", folder])
        for table in TABLES:
            with servers.source.root(database=DATABASE, local_infile=True) as session, session.cursor() as cursor:
                cursor.execute("SET SESSION sql_log_bin = 0, unique_checks = 0")
                cursor.execute(table.create_source())
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE %s INTO TABLE {table.name} CHARACTER SET utf8mb4 "
                    r"FIELDS TERMINATED BY '|' ESCAPED BY '' LINES TERMINATED BY '|\n'",
                    (str(Path(folder, f"{table.name}.tbl")),),
                )
    return [contents.source_checksum(servers, table, DATABASE) for table in TABLES]


def _ours(servers: Databases, count: int, expected: list[Checksum]) -> replication.Loaded:
    servers.empty_schema(SCHEMA)
    loaded = replication.load(servers, SCHEMA, _NAMES, count)
    _compare(servers, expected)
    return loaded


def _dlt(servers: Databases, expected: list[Checksum]) -> peers.Ran:
    servers.empty_schema(SCHEMA)
    ran = peers.dlt(servers, _NAMES, SCHEMA)
    _compare(servers, expected)
    return ran


def _compare(servers: Databases, expected: list[Checksum]) -> None:
    for table, checksum in zip(TABLES, expected, strict=True):
        contents.same(servers, table, SCHEMA, checksum)
