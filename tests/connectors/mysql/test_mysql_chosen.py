"""A place in the log that a person names: where reading can be taken up, and where not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from source import Database, Log, changes_in

import mysqld
from contract.source import take
from disync.connectors.mysql import position
from disync.connectors.mysql.changes import MySQLChangeReader
from disync.model.data import Position
from disync.model.errors import BadConfig, PositionGone
from disync.model.run import Split

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))"


def here(database: Database) -> str:
    file, at = database.run("SHOW MASTER STATUS")[0][:2]
    return f"{file}:{at}"


def stream(reader: MySQLChangeReader) -> Split:
    return reader.streams()[0]


def rows_after(database: Database, after: Position, count: int) -> list[int]:
    reader = database.reader("t")
    found = changes_in(Log(database, reader, after).rows(count))
    reader.close()
    return [row[0] for _, row in found]


def test_a_place_between_transactions_is_taken_up(database: Database) -> None:
    database.run(TABLE, "INSERT INTO t VALUES (1, 'a')")
    middle = here(database)
    database.run("INSERT INTO t VALUES (2, 'b')", "INSERT INTO t VALUES (3, 'c')")
    end = here(database)
    database.run("FLUSH BINARY LOGS", "INSERT INTO t VALUES (4, 'd')")
    reader = database.reader("t")
    found = reader.locate(stream(reader), middle)
    place = position.read(found)
    assert f"{place.file}:{place.at}" == middle
    if not mysqld.MYSQL:
        file, _, at = middle.partition(":")
        bare = database.run(f"SELECT BINLOG_GTID_POS('{file}', {at})")[0][0]
        assert [gtid.partition("@")[0] for gtid in place.gtid.split(",")] == bare.split(",")
    assert rows_after(database, found, 3) == [2, 3, 4]
    assert rows_after(database, reader.locate(stream(reader), f" {end}\n"), 1) == [4], "where a file ends"
    last = reader.locate(stream(reader), here(database))
    database.run("INSERT INTO t VALUES (5, 'e')")
    assert rows_after(database, last, 1) == [5], "where the log ended"
    begins = f"{position.read(last).file}:4"
    assert rows_after(database, reader.locate(stream(reader), begins), 2) == [4, 5], "where a file begins"
    reader.close()


def test_a_whole_position_is_looked_up_anew(database: Database) -> None:
    database.run(TABLE, "INSERT INTO t VALUES (1, 'a')")
    reader = database.reader("t")
    log = Log(database, reader)
    database.run("INSERT INTO t VALUES (2, 'b')", "INSERT INTO t VALUES (3, 'c')")
    shown = log.rows(2)[-1].position
    assert position.read(reader.locate(stream(reader), shown)) == replace(position.read(shown), schema="-")
    unknown = "77777777-7777-7777-7777-777777777777:1-7," if mysqld.MYSQL else "7-7-7,"
    stale = Position(shown.replace("gtid=", f"gtid={unknown}"))
    assert unknown not in reader.locate(stream(reader), stale)
    with pytest.raises(PositionGone, match="begun anew"):
        reader.locate(stream(reader), Position(shown.replace("log=", "log=1")))
    with pytest.raises(PositionGone, match="server id-77, and this is server"):
        reader.locate(stream(reader), position.write(replace(position.read(shown), server="id-77", gtid="")))
    reader.close()


def test_no_place_inside_of_a_transaction_or_outside_of_the_log(database: Database) -> None:
    database.run(TABLE)
    file, _, before = here(database).partition(":")
    database.run("BEGIN", "INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (2, 'b')", "COMMIT")
    database.run("INSERT INTO t VALUES (3, 'c')")
    end = int(here(database).partition(":")[2])
    reader = database.reader("t")
    events = database.run(f"SHOW BINLOG EVENTS IN '{file}' FROM {before}")
    for _, at, kind, *_ in events:
        if kind == "Gtid":
            assert reader.locate(stream(reader), f"{file}:{at}")
        else:
            with pytest.raises(BadConfig, match="not between two transactions"):
                reader.locate(stream(reader), f"{file}:{at}")
    for at in (int(before) + 1, int(before) + 25):
        with pytest.raises(BadConfig, match="not between two transactions"):
            reader.locate(stream(reader), f"{file}:{at}")
    with pytest.raises(BadConfig, match="outside of the log"):
        reader.locate(stream(reader), f"{file}:{end + 1}")
    with pytest.raises(PositionGone, match="has no binary log"):
        reader.locate(stream(reader), f"{file[:-6]}999999:4")
    for text in ("", "x", "17", f"{file}:", f"{file}:-4", "'; DROP TABLE t; --.1:4"):
        with pytest.raises((BadConfig, PositionGone)):
            reader.locate(stream(reader), text)
    reader.close()


def test_the_key_of_a_part_of_a_load(database: Database) -> None:
    database.run(TABLE, "INSERT INTO t SELECT seq, 'x' FROM seq_1_to_50")
    reader = database.reader("t", batchSize=10)
    (split,) = reader.split(1)
    after = take(reader.read(split, None), 10)[-1].position
    assert reader.locate(split, after) == after
    for wrong, why in (("17", "no key of a table"), ('["31", "32"]', "has 1 columns"), ('["x"]', "no key of a table")):
        with pytest.raises(BadConfig, match=why):
            reader.locate(split, wrong)
    reader.close()
