"""Tools that alter a table by filling a copy, which then takes its place (C80): the statements that they send."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from pair import ALL, Pair

from disync.connectors.postgres.sink import PostgresSink
from disync.model.data import SchemaChange
from disync.model.ddl import Policy
from disync.model.errors import DdlRefused, Unreachable

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(30))"
FILL = "INSERT INTO t SELECT seq, 'first' FROM seq_1_to_500"

Meanwhile = Callable[[], Any]


def gh_ost(pair: Pair, alter: str, meanwhile: Meanwhile, ends: bool = True) -> None:
    """It copies what it finds, and repeats on its copy what it reads in the log."""
    t, gho, ghc, gone = (f"`{pair.name}`.`{table}`" for table in ("t", "_t_gho", "_t_ghc", "_t_del"))
    pair.sql(
        *(f"drop /* gh-ost */ table if exists {table}" for table in (gho, ghc)),
        f"create /* gh-ost */ table {ghc} (id bigint unsigned auto_increment, last_update timestamp not null DEFAULT "
        "CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) "
        "charset ascii not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256 comment='gh-ost-ghc'",
        f"create /* gh-ost */ table {gho} like {t}",
        f"alter /* gh-ost */ table {gho} {alter}",
        f"insert /* gh-ost */ into {ghc} (id, hint, value) values (NULLIF(2, 0), 'state', 'GhostTableMigrated') "
        "on duplicate key update last_update=NOW(), value=VALUES(value)",
    )
    for low in range(0, 600, 200):
        pair.sql(
            f"insert /* gh-ost {t} */ ignore into {gho} (`id`, `v`) (select `id`, `v` from {t} force index (`PRIMARY`) "
            f"where (((`id` > {low})) and ((`id` < {low + 200}) or ((`id` = {low + 200})))) lock in share mode)"
        )
        meanwhile()
        pair.sql(
            f"delete /* gh-ost {gho} */ from {gho} where id not in (select id from {t})",
            f"replace /* gh-ost {gho} */ into {gho} (`id`, `v`) select `id`, `v` from {t} where v <> 'first'",
        )
        pair.sql(
            f"insert /* gh-ost */ into {ghc} (id, hint, value) values (NULLIF(1, 0), 'heartbeat', '{low}') "
            "on duplicate key update last_update=NOW(), value=VALUES(value)"
        )
    if ends:
        _cut_over(pair, t, gho, gone)
    pair.sql(f"drop /* gh-ost */ table if exists {gho}", f"drop /* gh-ost */ table if exists {ghc}")
    pair.sql(f"drop /* gh-ost */ table if exists {gone}")


def _cut_over(pair: Pair, t: str, gho: str, gone: str) -> None:
    """The renaming waits behind a lock, until the table that is in its way has been dropped."""
    pair.sql(f"create /* gh-ost */ table {gone} (id int auto_increment primary key) comment='ghost-cut-over-sentry'")
    renames = f"rename /* gh-ost */ table {t} to {gone}, {gho} to {t}"
    thread = threading.Thread(target=pair.sql, args=(renames,))
    with closing(pair.source.root(database=pair.name)) as session, session.cursor() as cursor:
        cursor.execute(f"lock /* gh-ost */ tables {t} write, {gone} write")
        thread.start()
        waits = (
            f"SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table%' AND info = {renames!r}"
        )
        clock = threading.Event()
        while not pair.sql(waits):
            clock.wait(0.01)
        cursor.execute(f"drop /* gh-ost */ table if exists {gone}")
        cursor.execute("unlock tables")
    thread.join(20)
    assert not thread.is_alive()


def pt_osc(pair: Pair, alter: str, meanwhile: Meanwhile, ends: bool = True) -> None:
    """Its triggers repeat on its copy what is done to the table."""
    name, t, new, gone = pair.name, *(f"`{pair.name}`.`{table}`" for table in ("t", "_t_new", "_t_old"))
    made = pair.sql("SHOW CREATE TABLE t")[0][1].replace("CREATE TABLE `t`", f"CREATE TABLE {new}")
    pair.sql(made, f"ALTER TABLE {new} {alter}")
    pair.sql(
        f"CREATE TRIGGER `pt_osc_{name}_t_del` AFTER DELETE ON {t} FOR EACH ROW DELETE IGNORE FROM {new} "
        f"WHERE {new}.`id` <=> OLD.`id`",
        f"CREATE TRIGGER `pt_osc_{name}_t_upd` AFTER UPDATE ON {t} FOR EACH ROW BEGIN DELETE IGNORE FROM {new} "
        f"WHERE !(OLD.`id` <=> NEW.`id`) AND {new}.`id` <=> OLD.`id`; "
        f"REPLACE INTO {new} (`id`, `v`) VALUES (NEW.`id`, NEW.`v`); END",
        f"CREATE TRIGGER `pt_osc_{name}_t_ins` AFTER INSERT ON {t} FOR EACH ROW REPLACE INTO {new} (`id`, `v`) "
        "VALUES (NEW.`id`, NEW.`v`)",
    )
    for low in range(0, 600, 200):
        pair.sql(
            f"INSERT LOW_PRIORITY IGNORE INTO {new} (`id`, `v`) SELECT `id`, `v` FROM {t} FORCE INDEX(`PRIMARY`) WHERE "
            f"((`id` >= {low})) AND ((`id` <= {low + 199})) LOCK IN SHARE MODE "
            "/*pt-online-schema-change 4711 copy nibble*/"
        )
        meanwhile()
    if ends:
        pair.sql(f"RENAME TABLE {t} TO {gone}, {new} TO {t}", f"DROP TABLE IF EXISTS {gone}")
    pair.sql(*(f"DROP TRIGGER IF EXISTS `{name}`.`pt_osc_{name}_t_{what}`" for what in ("del", "upd", "ins")))
    pair.sql(f"DROP TABLE IF EXISTS {new}")


TOOLS = pytest.mark.parametrize("tool", [gh_ost, pt_osc])
WHOLE = pytest.mark.parametrize("tables", [("t",), ()], ids=["one table", "the whole database"])

NUMBER = "ADD COLUMN n INT NOT NULL DEFAULT 7, MODIFY v VARCHAR(60)"


class Life:
    """Changes of the table that go on while the tool is at work."""

    def __init__(self, pair: Pair) -> None:
        self._pair, self._count = pair, 0

    def __call__(self) -> None:
        self._count += 1
        n = self._count
        self._pair.sql(
            f"INSERT INTO t (id, v) VALUES ({1000 + n}, 'new {n}')",
            f"UPDATE t SET v = 'changed {n}' WHERE id IN ({n}, {250 + n}, {450 + n})",
            f"DELETE FROM t WHERE id IN ({100 + n}, {400 + n})",
            f"UPDATE t SET id = {2000 + n}, v = 'moved' WHERE id = {50 + n}",
        )


@TOOLS
@WHOLE
def test_c80_the_copy_takes_the_place_of_the_table_twice_in_a_row(
    both: Pair, full: None, tool: Callable[..., None], tables: tuple[str, ...]
) -> None:
    both.sql(TABLE, FILL)
    life = Life(both)
    with both.task(both.code(*tables), ddl=ALL) as running:
        running.settle()
        for alter in (NUMBER, "ADD COLUMN s VARCHAR(9) DEFAULT 'é' AFTER id, DROP COLUMN n"):
            tool(both, alter, life)
            life()
            running.until(lambda: _equal(both))
        assert both.ledger.dirty == []
    with both.task(both.code(*tables), ddl=ALL) as running:
        life()
        running.settle()
        running.until(lambda: _equal(both))


def _columns(pair: Pair) -> list[str]:
    return [row[0] for row in pair.sql("SHOW COLUMNS FROM t")]


def _has_columns(pair: Pair) -> bool:
    """One that went with the old table may stay, where a run began when it was gone already."""
    columns = f"SELECT column_name::text FROM information_schema.columns WHERE table_schema = '{pair.name}'"
    found = pair.select(f"{columns} AND table_name = 't'")
    return {name for (name,) in found}.issuperset(_columns(pair))


def _equal(pair: Pair) -> bool:
    return _has_columns(pair) and pair.equal(columns=", ".join(_columns(pair)))


@TOOLS
@WHOLE
def test_c80_given_up_half_way(both: Pair, full: None, tool: Callable[..., None], tables: tuple[str, ...]) -> None:
    both.sql(TABLE, FILL)
    life = Life(both)
    with both.task(both.code(*tables), ddl=ALL) as running:
        running.settle()
        tool(both, NUMBER, life, ends=False)
        life()
        running.settle()
        assert _equal(both) and len(running.runs) == 1


@TOOLS
@WHOLE
def test_c80_while_nobody_reads(both: Pair, full: None, tool: Callable[..., None], tables: tuple[str, ...]) -> None:
    """All of it lies in the log when the task begins again, and no table of then is there any more."""
    both.sql(TABLE, FILL)
    life = Life(both)
    with both.task(both.code(*tables), ddl=ALL) as running:
        running.settle()
    tool(both, NUMBER, life)
    life()
    with both.task(both.code(*tables), ddl=ALL) as running:
        running.until(lambda: _equal(both))
        life()
        running.settle()
        running.until(lambda: _equal(both))


@TOOLS
def test_c80_a_task_that_follows_no_renaming_stops_before_it(pair: Pair, tool: Callable[..., None]) -> None:
    """By default: a table whose rows are not told must not pass for the one that it replaces."""
    pair.sql(TABLE, FILL)
    with pair.task(pair.code("t")) as running:
        running.settle()
        tool(pair, NUMBER, Life(pair))
        assert isinstance(running.fails(), DdlRefused)
    with pair.task(pair.code("t"), ddl={"RENAMETABLE": Policy.NORMAL}) as running:
        running.until(lambda: _equal(pair))


def test_c80_a_crash_behind_the_renaming(pair: Pair, full: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that have changed places must not do so once more."""
    pair.sql(TABLE, FILL)
    life = Life(pair)
    with pair.task(pair.code(), ddl=ALL) as running:
        running.settle()
    alter = PostgresSink.alter

    def dies(self: PostgresSink, change: SchemaChange) -> None:
        alter(self, change)
        if change.kind == "RENAMETABLE":
            raise Unreachable("cut off")

    with monkeypatch.context() as patched, pair.task(pair.code(), ddl=ALL) as running:
        patched.setattr(PostgresSink, "alter", dies)
        gh_ost(pair, NUMBER, life)
        assert isinstance(running.fails(), Unreachable)
    with pair.task(pair.code(), ddl=ALL) as running:
        running.until(lambda: _equal(pair))
        life()
        running.settle()
        assert _equal(pair)
