"""A store that cannot be written says why, from what its drivers really raise."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from disync.model.errors import InternalError, StoreUnavailable
from disync.store import trouble
from disync.store.database import open_store


def test_a_store_that_is_full(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    def limit(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 20")

    event.listen(store.engine, "connect", limit)
    with store.write() as db:
        db.execute(text("CREATE TABLE t (v BLOB)"))
    with pytest.raises(Exception, match="full") as caught, store.write() as db:
        db.execute(text("INSERT INTO t VALUES (zeroblob(1000000))"))
    told = trouble.fault(caught.value)
    assert isinstance(told, StoreUnavailable) and str(told) == trouble.FULL
    assert store.unwritable() is None, "its disk has room"
    store.close()


def test_what_is_no_trouble_of_the_store_is_ours(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(Exception, match="no such table") as caught, store.read() as db:
        db.execute(text("SELECT * FROM absent"))
    assert isinstance(trouble.fault(caught.value), InternalError)
    assert isinstance(trouble.fault(ValueError("x")), InternalError)
    assert trouble.reason(OSError(errno.ENOSPC, "no room")) == trouble.FULL
    store.close()
