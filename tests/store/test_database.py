"""Both databases: the same schema, made once, with transactions that neither lose nor mix anything."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from disync.model.errors import BadConfig
from disync.store import access_keys, files, folders, quick, workspaces
from disync.store.database import Store, open_store
from disync.store.migrations import HEAD, migrate, revision
from disync.store.schema import member, metadata, nonces

MIGRATE = """
import sys
from pathlib import Path
from disync.store.database import open_store
from disync.store.migrations import migrate
store = open_store(Path(sys.argv[1]), sys.argv[2] or None)
print("ready", flush=True)
sys.stdin.readline()
migrate(store)
with store.read() as db:
    print(db.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all())
store.close()
"""


def people(store: Store) -> None:
    with store.write() as db:
        access_keys.add_user(db, "u", "u")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_start_at_once_make_the_tables_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_database") if kind == "postgresql" else ""
    command = [sys.executable, "-c", MIGRATE, str(tmp_path), url]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60) for process in started]
    assert ended == [(f"['{HEAD}']\n", "")] * 3


def test_the_migrations_make_what_the_schema_says(store: Store) -> None:
    with store.read() as db:
        context = MigrationContext.configure(db, opts={"include_name": lambda name, *_: name != "nonce"})
        assert compare_metadata(context, metadata) == []
    migrate(store)


def test_a_store_of_the_first_release_grows_and_keeps_its_rows(store: Store) -> None:
    people(store)
    with store.write() as db:
        gone = ("session", "audit", "solution", "config_process", "failed_table", "sample", "event", "lineage")
        for table in (*gone, "verification", "omitted_column"):
            db.execute(text(f"DROP TABLE {table}"))
        db.execute(text("DROP INDEX file_solution"))
        for table, columns in _LATER.items():
            for column in columns:
                db.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    migrate(store)
    with store.read() as db:
        context = MigrationContext.configure(db, opts={"include_name": lambda name, *_: name != "nonce"})
        assert compare_metadata(context, metadata) == []
        assert [row.id for row in access_keys.users(db)] != []


_LATER = {
    "instance": ("recalled", "replays", "confirmed_ms"),
    "dirty": ("state", "request", "whole"),
    "file": ("solution_id", "table_name", "cu"),
    "deployment": ("cu",),
    "checkpoint": ("chosen",),
    "load_split": ("rows_written", "stream", "gone", "target_name"),
    "resource_group": ("nodes", "cpus", "memory_bytes", "seen_ms", "tags"),
}


def test_a_store_of_a_later_release_is_refused_and_left_as_it_is(store: Store) -> None:
    with store.write() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BadConfig, match="later release"):
        migrate(store)
    assert revision(store) == "9999"
    with store.write() as db:
        db.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


def test_the_clocks_of_one_machine_agree(store: Store) -> None:
    assert abs(store.ahead_ms()) < 1000


def test_numbers_stay_exact_in_clients_whose_numbers_are_doubles(store: Store) -> None:
    people(store)
    with store.write() as db:
        first = workspaces.add(db, identifier="a", name="a", owner_id="u", created_ms=2**52, modified_ms=0)
        second = workspaces.add(db, identifier="b", name="b", owner_id="u", created_ms=0, modified_ms=0)
        folders.add(db, id="f", workspace_id=first, parent="", path="p")
        values = {"workspace_id": first, "file_type": 900, "folder_id": "f", "owner_id": "u", "last_editor_id": "u"}
        file_id = files.add(db, name="n", created_ms=0, edited_ms=0, **values)
    assert (first, second, file_id) == (10000, 10001, 1000001)
    with store.read() as db:
        assert workspaces.get(db, first).created_ms == 2**52
    for table in metadata.tables.values():
        for column in table.columns:
            if column.name.endswith("_ms"):
                assert isinstance(column.type, BigInteger), f"{table.name}.{column.name}"


def test_an_error_undoes_the_whole_transaction(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as db:
        access_keys.add_user(db, "u", "u")
        raise RuntimeError
    with store.read() as db:
        assert access_keys.get_user(db, "u") is None


def test_a_reader_sees_one_moment(store: Store) -> None:
    people(store)
    with store.read() as db:
        before = [row.id for row in access_keys.users(db)]
        with store.write() as other:
            access_keys.add_user(other, "v", "v")
        assert [row.id for row in access_keys.users(db)] == before
    with store.read() as db:
        assert [row.id for row in access_keys.users(db)] == [*before, "v"]


def test_writers_wait_for_each_other(store: Store) -> None:
    people(store)
    with store.write() as db:
        db.execute(text('UPDATE "user" SET name = :zero'), {"zero": "0"})

    def add() -> None:
        for _ in range(20):
            with store.write() as db:
                store.alone(db, "count")
                name = access_keys.get_user(db, "u").name
                db.execute(text('UPDATE "user" SET name = :next'), {"next": str(int(name) + 1)})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as db:
        assert access_keys.get_user(db, "u").name == "80"


def test_rows_that_belong_to_nothing_are_refused(store: Store) -> None:
    with pytest.raises(IntegrityError), store.write() as db:
        workspaces.set_role(db, 1, "nobody", "owner")
    with store.read() as db:
        assert db.execute(select(member)).all() == []


def test_quick_connections_belong_to_their_threads(store: Store) -> None:
    people(store)
    seen = [store.quick, store.quick]
    thread = threading.Thread(target=lambda: seen.append(store.quick))
    thread.start()
    thread.join()
    assert seen[0] is seen[1]
    assert seen[2] is not seen[0]
    assert store.quick.one('SELECT name FROM "user" WHERE id = ?', ("u",)) == ("u",)
    assert store.quick.one('SELECT name FROM "user" WHERE id = ?', ("%",)) is None
    assert store.reachable()


def test_a_connection_that_the_server_dropped_is_made_anew(postgres_store: str, tmp_path: Path) -> None:
    store = open_store(tmp_path, postgres_store)
    assert store.quick.one("SELECT 1") == (1,)
    with store.read() as db:
        assert access_keys.users(db) == []
    with psycopg.connect(postgres_store, autocommit=True) as other:
        others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        other.execute(f"{others} AND datname = current_database()".encode())
    assert store.quick.one("SELECT 1") == (1,)
    with store.read() as db:
        assert access_keys.users(db) == []
    store.close()


def test_a_store_that_does_not_answer_is_not_reachable(postgres_url: str, tmp_path: Path) -> None:
    store = open_store(tmp_path, postgres_url.rpartition("/")[0] + "/no_such_database")
    assert not store.reachable()
    store.close()


def test_other_databases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="must begin with postgresql://"):
        open_store(tmp_path, "mysql://localhost/x")


def test_nonces_do_not_lie_in_the_main_file_of_sqlite(sqlite_template: Path) -> None:
    store = open_store(sqlite_template)
    assert "nonce" not in inspect(store.engine).get_table_names()
    assert set(nonces.tables) == {"nonce"}
    store.close()
    files = {path.name: path.stat().st_mode & 0o777 for path in sqlite_template.iterdir()}
    assert files == {"disync.db": 0o600, "nonces": 0o600}


def test_who_is_cut_off_inside_a_transaction_does_not_keep_its_locks(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_store(tmp_path, postgres_database)) as plain:
        migrate(plain)
        people(plain)
        for name, wanted in (("idle_in_transaction_session_timeout", "10000"), ("tcp_user_timeout", "8000")):
            query = f"SELECT setting FROM pg_settings WHERE name = '{name}'"
            with plain.read() as db:
                assert db.execute(text(query)).scalar_one() == wanted
            assert plain.quick.one(query) == (wanted,)
    monkeypatch.setattr(quick, "_BOUNDS", quick._BOUNDS.replace(b"10s", b"500ms"))
    with (
        closing(open_store(tmp_path, postgres_database)) as lost,
        closing(open_store(tmp_path, postgres_database)) as on,
    ):
        change = text("UPDATE \"user\" SET name = :name WHERE id = 'u'")
        with pytest.raises(DBAPIError), lost.write() as held:  # and is silent from here on
            held.execute(change, {"name": "lost"})
            with on.write() as db:
                db.execute(change, {"name": "on"})
            held.execute(change, {"name": "lost"})
        with on.read() as db:
            assert db.execute(text("SELECT name FROM \"user\" WHERE id = 'u'")).scalar_one() == "on"
