"""What keys, batches and names of the source become in the target (group F), from server to server."""

from __future__ import annotations

from pair import Pair


def test_c87_a_chain_of_key_updates_in_one_transaction(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_10000")
    with pair.task(pair.code("t")) as running:
        running.settle()
        pair.sql("UPDATE t SET id = id + 1 ORDER BY id DESC")
        running.settle()
        assert pair.select("SELECT count(*), min(id), max(id), sum(id - v) FROM t") == [(10000, 2, 10001, 10000)]
        pair.sql("UPDATE t SET id = id - 1 ORDER BY id")
        running.settle()
        assert pair.equal()
