"""What a user may write, and what is refused with the place at fault."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from source import Database

import mysqld
from disync.connectors import find
from disync.connectors.mysql import selection as selecting
from disync.connectors.mysql.config import address_of, step_of
from disync.model.connector import Site
from disync.model.data import Table
from disync.model.errors import BadConfig, Unreachable

OFF = {"table": "c", "enable": False}
GOOD = "jdbc:mysql://db.example.com:3307/shop"


def _content(url: str) -> dict[str, str]:
    return {"jdbcUrl": url, "username": "u", "password": "geheim", "tag": "public"}


def test_a_url_in_full() -> None:
    found = address_of(_content(f"{GOOD}?useSSL=true&characterEncoding=utf8&verifyServerCertificate=true"))
    assert (found.host, found.port, found.database, found.user) == ("db.example.com", 3307, "shop", "u")
    assert (found.tls, found.verify) == (True, True)
    assert "geheim" not in repr(found)
    assert address_of(_content("jdbc:mysql://[::1]/x")).host == "::1"
    assert address_of(_content(f"{GOOD}?useSSL=false")).tls is False
    assert address_of(_content(GOOD)).tls is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://h/d", "must have the form"),
        ("jdbc:mysql://h:0/d", "port"),
        ("jdbc:mysql://h:99999/d", "port"),
        ("jdbc:mysql://u:p@h/d", "must have the form"),
        ("jdbc:mysql://h,i/d", "must have the form"),
        ("jdbc:mysql://h/d#x", "must have the form"),
        (f"{GOOD}?allowLoadLocalInfile=true", "allowLoadLocalInfile, which is refused"),
        (f"{GOOD}?ALLOWURLINLOCALINFILE=false", "refused"),
        (f"{GOOD}?autoDeserialize=yes", "refused"),
        (f"{GOOD}?surprise=1", "surprise, which is not known"),
        (f"{GOOD}?useSSL=true&useSSL=false", "twice"),
        (f"{GOOD}?sslMode=MAYBE", "sslMode"),
    ],
)
def test_other_urls_are_refused(url: str, why: str) -> None:
    with pytest.raises(BadConfig, match=why) as caught:
        address_of(_content(url))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameter", "selected"),
    [
        ({"datasource": "x"}, {"shop": set()}),
        ({"datasource": "x", "table": "a"}, {"shop": {"a"}}),
        ({"connection": [{"datasource": "x", "table": ["a", "b"]}]}, {"shop": {"a", "b"}}),
        ({"connection": [{"datasource": "x", "selectedTables": [{"dbName": "m"}]}]}, {"m": set()}),
        (
            {
                "connection": [
                    {
                        "datasourceType": "mysql",
                        "datasource": "x",
                        "selectedTables": [
                            {"dbName": "m", "schema": [{"tableInfos": [{"table": "a", "tableName": "a"}]}]},
                            {
                                "dbName": "n",
                                "schema": [{"tableInfos": [{"table": "b"}, {"table": "c", "enable": False}]}],
                            },
                        ],
                    }
                ]
            },
            {"m": {"a"}, "n": {"b"}},
        ),
    ],
)
def test_the_tables_that_a_step_selects(parameter: Mapping[str, Any], selected: dict[str, set[str]]) -> None:
    step, address = step_of(Site(parameter, {"x": _content(GOOD)}))
    selection = selecting.of_step(step, address.database)
    assert {name: set(tables) for name, tables in selection.databases.items()} == selected


def test_very_many_tables_are_selected_at_once() -> None:
    names = [f"table_{number}" for number in range(100_000)]
    parameter = {"connection": [{"datasource": "x", "table": names[:60_000]}, {"datasource": "x", "table": names}]}
    began = time.process_time()
    assert selecting.named(parameter) == [("", name) for name in sorted(names)]
    assert time.process_time() - began < 5  # a minute, where each name is looked at beside all others


@pytest.mark.parametrize(
    ("parameter", "why"),
    [
        ({}, "names 0"),
        ({"datasource": "x", "connection": [{"datasource": "y"}]}, "names 2"),
        ({"datasource": "z"}, "no data source named z"),
        ({"datasource": "x", "batchSize": 0}, "batchSize|batch_size"),
    ],
)
def test_a_step_that_is_wrong(parameter: Mapping[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        step_of(Site(parameter, {"x": _content(GOOD), "y": _content(GOOD)}))


def test_probe_and_catalog(database: Database) -> None:
    connector = find("MySQL")
    assert connector is not None and connector.probe is not None and connector.catalog is not None
    database.run("CREATE TABLE b (id INT)", "CREATE TABLE a (id INT)", "CREATE VIEW v AS SELECT 1")
    content = database.server.content(database.name)
    connector.probe(content)
    assert {found.name: found.tables for found in connector.catalog(content)}[database.name] == ("a", "b")
    with pytest.raises(BadConfig, match="Access denied"):
        connector.probe(content | {"password": "wrong"})
    with pytest.raises(BadConfig, match=r"Unknown database"):
        connector.probe(content | {"jdbcUrl": content["jdbcUrl"] + "_not"})
    with pytest.raises(Unreachable):
        connector.probe(content | {"jdbcUrl": "jdbc:mysql://127.0.0.1:1/x"})


def test_tables_of_several_databases_have_the_database_in_their_names(database: Database) -> None:
    database.run("CREATE TABLE t (id INT PRIMARY KEY)", f"CREATE DATABASE {database.name}_b")
    database.run(f"CREATE TABLE {database.name}_b.t (id INT PRIMARY KEY)")
    selected = [{"dbName": database.name}, {"dbName": f"{database.name}_b"}]
    connection = [{"datasource": "here", "selectedTables": selected}]
    try:
        tables: list[Table] = database.reader(connection=connection).tables()
        assert [table.name for table in tables] == [f"{database.name}.t", f"{database.name}_b.t"]
    finally:
        database.run(f"DROP DATABASE {database.name}_b")


def test_a_statement_may_take_as_long_as_it_takes(database: Database) -> None:
    limit = "max_execution_time" if mysqld.MYSQL else "max_statement_time"
    database.run(f"SET GLOBAL {limit} = 100")
    try:
        reader = database.reader("t")
        with reader.session() as session:
            assert float(session.value(f"SELECT @@{limit}") or 1) == 0
        reader.close()
    finally:
        database.run(f"SET GLOBAL {limit} = 0")
