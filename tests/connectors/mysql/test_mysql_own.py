"""What only MySQL has: binary JSON, vectors, GTID sets, log events of its own. MariaDB has nothing of it to read."""

from __future__ import annotations

import json
import struct
from contextlib import closing
from dataclasses import replace

import pymysql
import pytest
from source import Database, Log, changes_in, rows_in

import mysqld
from disync.connectors.mysql import position
from disync.connectors.mysql.charsets import decoder
from disync.connectors.mysql.config import address_of
from disync.connectors.mysql.connection import Session
from disync.model.data import Position, SchemaChange
from disync.model.errors import BadConfig, PositionGone

pytestmark = pytest.mark.mysql

DOCUMENTS = [
    "null",
    "true",
    "[]",
    "{}",
    '""',
    "0",
    "-0.0",
    "1.10",
    "1e-7",
    "1.7976931348623157e308",
    "5e-324",
    "18446744073709551615",
    "-9223372036854775808",
    "12345678901234567890123",
    "[1, -1, 32767, 32768, -32769, 65535, 65536, 2147483647, 2147483648, 4294967295, 4294967296]",
    '{"b": 1, "a": 2, "aa": 3, "": 4, "é": 5, "中": 6}',
    '{"a": {"b": [null, true, false, {"c": "d"}]}}',
    '"\\u0000\\b\\f\\n\\r\\t\\"\\\\\\/ \\u00e9 \\ud83d\\ude00"',
    json.dumps(["x" * 70_000, list(range(300)), {f"k{number}": number for number in range(2_000)}]),
    json.dumps({f"key {number}": "v" * number for number in range(400)}),
    "[" * 99 + "]" * 99,
]
"""As the server is given them."""

EXPRESSIONS = [
    "CAST(CAST('12.340' AS DECIMAL(10,3)) AS JSON)",
    "CAST(CAST('-99999999999999999999.123456789' AS DECIMAL(40,9)) AS JSON)",
    "CAST(CAST('2024-02-29' AS DATE) AS JSON)",
    "CAST(CAST('2024-02-29 12:34:56.123456' AS DATETIME(6)) AS JSON)",
    "CAST(CAST('-838:59:58.000001' AS TIME(6)) AS JSON)",
    "CAST(TIMESTAMP('0001-01-01 00:00:00') AS JSON)",
    "JSON_ARRAY(x'00ff10', b'101', 1.0, 1e0, CAST(1.5 AS DECIMAL(3,1)))",
    "CAST(x'cafe' AS JSON)",
    "JSON_OBJECT('t', CAST('00:00:01' AS TIME), 'y', CAST(2024 AS YEAR), 'p', ST_GeomFromText('POINT(1 2)'))",
]
"""Values that no text of JSON has, which a document keeps all the same."""


def test_c66_documents_are_the_servers_own_text_both_ways(database: Database) -> None:
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v JSON)")
    log = Log(database, database.reader("t"))
    with closing(database.server.root(database=database.name)) as connection, connection.cursor() as cursor:
        for number, document in enumerate(DOCUMENTS):
            cursor.execute("INSERT INTO t VALUES (%s, %s)", (number, document))
        for number, expression in enumerate(EXPRESSIONS, len(DOCUMENTS)):
            cursor.execute(f"INSERT INTO t VALUES ({number}, {expression})")
        cursor.execute("INSERT INTO t VALUES (1000, NULL)")
        cursor.execute("SELECT id, CAST(v AS CHAR) FROM t ORDER BY id")
        said = cursor.fetchall()
    followed = [row for _, row in changes_in(log.rows(len(said)))]
    (split,) = log.reader.split(1)
    loaded = rows_in(list(log.reader.read(split, None)))
    for (number, text), (_, one), (_, other) in zip(said, loaded, followed, strict=True):
        assert one == text, number
        assert other == text, number
    log.reader.close()


def test_c66_parts_of_documents_are_changed(database: Database) -> None:
    """The whole document is logged, since partial JSON is refused."""
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v JSON)", 'INSERT INTO t VALUES (1, \'{"a": [1, 2], "b": "x"}\')')
    log = Log(database, database.reader("t"))
    database.run("UPDATE t SET v = JSON_SET(v, '$.a[1]', 3, '$.c', 'new')", "UPDATE t SET v = JSON_REMOVE(v, '$.b')")
    found = [row[1] for op, row in changes_in(log.rows(4)) if op == "U"]
    assert found == ['{"a": [1, 3], "b": "x", "c": "new"}', '{"a": [1, 3], "c": "new"}']
    log.reader.close()


def test_c48_partial_json_is_refused_with_the_remedy(own_server: Database) -> None:
    own_server.run("CREATE TABLE t (id INT PRIMARY KEY, v JSON)")
    own_server.run("SET GLOBAL binlog_row_value_options = PARTIAL_JSON")
    with pytest.raises(BadConfig, match="SET GLOBAL binlog_row_value_options"):
        own_server.reader("t").check()


def test_vectors_are_their_bytes(database: Database) -> None:
    vector = struct.pack("<3f", 1.0, -2.5, 1e-3)
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v VECTOR(3), w VECTOR)")
    log = Log(database, database.reader("t"))
    database.run("INSERT INTO t VALUES (1, TO_VECTOR('[1, -2.5, 0.001]'), NULL)")
    assert changes_in(log.rows(1)) == [("I", (1, vector, None))]
    (split,) = log.reader.split(1)
    assert rows_in(list(log.reader.read(split, None))) == [(1, vector, None)]
    log.reader.close()


def test_a_point_on_the_globe_is_as_the_server_keeps_it(database: Database) -> None:
    """MySQL takes the latitude first, and keeps the longitude first."""
    kept = struct.pack("<IBI2d", 4326, 1, 1, 2.0, 1.0)
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v POINT SRID 4326)")
    log = Log(database, database.reader("t"))
    database.run("INSERT INTO t VALUES (1, ST_GeomFromText('POINT(1 2)', 4326))")
    assert changes_in(log.rows(1)) == [("I", (1, kept))]
    (split,) = log.reader.split(1)
    assert rows_in(list(log.reader.read(split, None))) == [(1, kept)]
    log.reader.close()


def test_a_key_that_the_server_made_by_itself(own_server: Database) -> None:
    """sql_generate_invisible_primary_key: a column that nobody asked for, and a key all the same."""
    own_server.run("SET sql_generate_invisible_primary_key = ON", "CREATE TABLE t (v INT)")
    reader = own_server.reader("t")
    (table,) = reader.tables()
    assert (table.keys, [column.name for column in table.columns]) == (("my_row_id",), ["my_row_id", "v"])
    log = Log(own_server, reader)
    own_server.run("INSERT INTO t VALUES (7), (8)", "DELETE FROM t WHERE v = 7")
    assert changes_in(log.rows(3)) == [("I", ("1", 7)), ("I", ("2", 8)), ("D", ("1", 7))]
    reader.close()


def test_columns_added_at_once_with_defaults_that_are_computed(database: Database) -> None:
    """ALGORITHM=INSTANT changes no row, and the log has them with what they have now."""
    database.run("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    log = Log(database, database.reader("t"))
    add = "ALTER TABLE t ADD COLUMN"
    database.run(f"{add} n INT NOT NULL DEFAULT 7 FIRST, ALGORITHM=INSTANT", f"{add} u JSON DEFAULT (JSON_ARRAY(1))")
    database.run("UPDATE t SET n = 8")
    events = log.rows(2)
    assert changes_in(events) == [("B", (7, 1, "[1]")), ("U", (8, 1, "[1]"))]
    database.run("ALTER TABLE t DROP COLUMN u, ALGORITHM=INSTANT", "INSERT INTO t VALUES (9, 2)")
    events += log.rows(1)
    assert changes_in(events)[2:] == [("I", (9, 2))]
    kinds = [event.kind for event in events if isinstance(event, SchemaChange)]
    assert kinds == ["ADDCOLUMN", "ADDCOLUMN", "DROPCOLUMN"]
    log.reader.close()


def test_xa_and_savepoints_and_what_is_rolled_back(database: Database) -> None:
    database.run("CREATE TABLE t (id INT PRIMARY KEY)")
    log = Log(database, database.reader("t"))
    insert = "INSERT INTO t VALUES ({})".format
    database.run("BEGIN", insert(1), "SAVEPOINT a", insert(2), "ROLLBACK TO a", insert(3), "COMMIT")
    database.run("XA START 'x'", insert(4), "XA END 'x'", "XA PREPARE 'x'")
    database.run(insert(5))
    database.run("XA COMMIT 'x'")
    assert [row[0] for _, row in changes_in(log.rows(4))] == [1, 3, 5, 4]
    log.reader.close()


def test_passwords_of_today_over_tls_and_without() -> None:
    """caching_sha2_password: in clear over TLS, else by the server's public key; the second time from its cache."""
    with mysqld.server(tls_version="TLSv1.2,TLSv1.3") as server:
        server.run("CREATE DATABASE d")
        for wish, cipher in (("true&requireSSL=true", True), ("false", False), ("false", False)):
            content = server.content("d")
            content["jdbcUrl"] += f"?useSSL={wish}"
            with closing(Session(address_of(content))) as session:
                ((_, value),) = session.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
                assert bool(value) is cipher


def test_what_an_account_must_not_do_is_told_and_not_tried_again() -> None:
    """A connection without TLS where the server wants it; a password that has expired; a role that is not active."""
    user = f"'{mysqld.USER}'@'127.0.0.1'"
    with mysqld.server(tls_version="TLSv1.2,TLSv1.3", require_secure_transport="ON") as server:
        server.run("CREATE DATABASE d")
        database = Database(server, "d")
        database.run("CREATE TABLE t (id INT PRIMARY KEY)")
        assert database.reader("t").check() == []
        content = server.content("d")
        with pytest.raises(BadConfig, match="insecure transport"):
            Session(address_of(content | {"jdbcUrl": f"{content['jdbcUrl']}?useSSL=false"}))
        server.run(f"ALTER USER {user} PASSWORD EXPIRE")
        with pytest.raises(BadConfig, match=r"(?i)password has expired"):
            database.reader("t").check()
        server.run([f"ALTER USER {user} PASSWORD EXPIRE NEVER", f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {user}"])
        server.run(f"ALTER USER {user} IDENTIFIED BY '{pymysql.converters.escape_string(mysqld.PASSWORD)}'")
        rights = ("SELECT ON d.*", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*")
        server.run(
            ["CREATE ROLE reading", *(f"GRANT {right} TO reading" for right in rights), f"GRANT reading TO {user}"]
        )
        with pytest.raises(BadConfig, match="refuses"):
            database.reader("t").check()
        server.run(f"SET DEFAULT ROLE reading TO {user}")
        assert database.reader("t").check() == []


def test_old_passwords_are_served_where_the_server_does() -> None:
    """mysql_native_password is gone in MySQL 9; what is left is caching_sha2_password and sha256_password."""
    with mysqld.server() as server:
        plugins = [row[0] for row in server.run("SHOW PLUGINS")]
        served = [name for name in ("mysql_native_password", "sha256_password") if name in plugins]
        server.run("CREATE DATABASE d")
        for name in served:
            server.run(f"ALTER USER '{mysqld.USER}'@'127.0.0.1' IDENTIFIED WITH {name} BY 'x y'")
            with closing(Session(address_of(server.content("d") | {"password": "x y"}))) as session:
                assert session.value("SELECT 1") == "1"
        assert served


def test_c70_every_character_of_gb18030(database: Database) -> None:
    """Of two codes and of four bytes: 1.1 million, which is all of Unicode."""
    decode = decoder("gb18030")
    assert decode is not None
    number, step = "CONVERT(UNHEX(LPAD(HEX(seq), 8, '0')) USING utf32)", 0x10000
    compared = 0
    for first in range(0, 0x110000, step):
        all_of = f"seq_{first}_to_{first + step - 1} WHERE seq NOT BETWEEN 0xD800 AND 0xDFFF"
        codes = f"(SELECT CONVERT({number} USING gb18030) AS code FROM {all_of}) AS codes"
        rows = database.run(f"SELECT CAST(code AS BINARY), CAST(CONVERT(code USING utf8mb4) AS BINARY) FROM {codes}")
        for code, text in rows:
            assert decode(code) == text.decode()
            compared += 1
    assert compared == 0x110000 - 0x800


def test_c43_gtids_with_tags(database: Database) -> None:
    """A group of numbers of its own for each tag, and none of them read twice or left out."""
    database.run("CREATE TABLE t (id INT PRIMARY KEY)")
    log = Log(database, database.reader("t"))
    _insert_tagged(database, range(1, 7))
    middle = log.rows(6)[-1].position
    _insert_tagged(database, range(7, 13))
    events = log.rows(6)
    assert [row[0] for _, row in changes_in(events)] == list(range(7, 13))
    log.reader.close()
    said = position.read(events[-1].position).gtid
    assert ":blue:1-" in said and ":red_2:1-" in said
    for after in (middle, _elsewhere(middle)):
        again = Log(database, database.reader("t"), after)
        assert [row[0] for _, row in changes_in(again.rows(6))] == list(range(7, 13))
        again.reader.close()


def _insert_tagged(database: Database, numbers: range) -> None:
    for number in numbers:
        tag = ("AUTOMATIC:blue", "AUTOMATIC", "AUTOMATIC:red_2")[number % 3]
        database.run(f"SET gtid_next = '{tag}'", f"INSERT INTO t VALUES ({number})", "SET gtid_next = 'AUTOMATIC'")


def _elsewhere(after: Position) -> Position:
    """As if another server of the group had told it: the place is looked for by its GTIDs."""
    other = "99999999-9999-9999-9999-999999999999"
    return position.write(replace(position.read(after), server=other, file="mysql-bin.000099"))


def test_a_server_without_gtids_is_followed_by_file_and_offset() -> None:
    with mysqld.server(gtid_mode="OFF", enforce_gtid_consistency="OFF") as server:
        server.run("CREATE DATABASE d")
        database = Database(server, "d")
        database.run("CREATE TABLE t (id INT PRIMARY KEY)")
        log = Log(database, database.reader("t"))
        database.run("INSERT INTO t VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2)")
        events = log.rows(2)
        log.reader.close()
        database.run("INSERT INTO t VALUES (3)")
        again = Log(database, database.reader("t"), events[-1].position)
        assert changes_in(again.rows(1)) == [("I", (3,))]
        again.reader.close()
        assert position.read(events[-1].position).gtid.strip(";") == ""
        with pytest.raises(PositionGone):
            Log(database, database.reader("t"), _elsewhere(events[-1].position)).rows(1)
