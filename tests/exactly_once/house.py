"""What all seeds share: one MariaDB, one PostgreSQL, a proxy before each, and a store with its dispatch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mysqld
import servers
from cutting_proxy import CuttingProxy, cutting_proxy
from disync.services import Caller, Services, open_services
from disync.services.data_sources import Wanted as WantedSource
from disync.services.dispatch import StoreDispatch
from disync.services.tasks import Wanted
from disync.store import instances
from disync.store.database import open_store
from disync.store.migrations import migrate
from disync.store.vault import open_vault

ROOT = Caller("root", "root", root=True)
PROJECT = 10000
FOLLOWED = (
    *("ADDCOLUMN", "CREATETABLE", "DROPCOLUMN", "DROPTABLE"),
    *("MODIFYCOLUMN", "RENAMECOLUMN", "RENAMETABLE", "TRUNCATETABLE"),
)


@dataclass(frozen=True, slots=True)
class House:
    source: mysqld.Server
    target: servers.PostgreSQL
    before_source: CuttingProxy
    before_target: CuttingProxy
    home: Path
    services: Services
    dispatch: StoreDispatch

    def start_task(
        self, name: str, read_rows: int, write_rows: int, mode: str = "replay", writers: int = 1, **setting: object
    ) -> int:
        """A task from the database `name` into the schema `name`, created, deployed and started as users do it."""
        jdbc = f"jdbc:postgresql://127.0.0.1:{self.before_target.port}/postgres"
        contents = {
            f"{name}_source": ("mysql", self.source.content(name, self.before_source.port)),
            f"{name}_target": (
                "postgresql",
                {"jdbcUrl": jdbc, "username": "postgres", "password": "", "tag": "public"},
            ),
        }
        for source, (kind, content) in contents.items():
            self.services.data_sources.create(ROOT, PROJECT, WantedSource(source, kind, json.dumps(content), 1))
        reader = {"datasource": f"{name}_source", "batchSize": read_rows}
        writer: dict[str, Any] = {"datasource": f"{name}_target", "datasourceSchema": name, "batchSize": write_rows}
        writer |= {"writeMode": mode, "writerConcurrent": writers}
        steps = [
            {"stepType": "mysql", "name": "r", "category": "reader", "parameter": reader},
            {"stepType": "postgresql", "name": "w", "category": "writer", "parameter": writer},
        ]
        code = json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}, "setting": setting})
        file_id = self.services.tasks.create(ROOT, PROJECT, Wanted("DI_REALTIME", code, name)).file_id
        self.services.tasks.deploy(ROOT, PROJECT, file_id)
        param = json.dumps({"ddlMarkMap": dict.fromkeys(FOLLOWED, "NORMAL")})
        self.services.instances.start(ROOT, PROJECT, file_id, param)
        return file_id

    def replaced(self, worker: str, file_id: int) -> None:
        """The worker has died; the next run of the task need not wait until some time has passed."""
        self.dispatch.worker_died(worker, "died")
        with self.services.store.write() as db:
            instances.put(db, file_id, lease_until_ms=0)

    def end_task(self, file_id: int) -> None:
        self.services.instances.stop(ROOT, PROJECT, file_id)
        self.services.tasks.delete(ROOT, PROJECT, file_id)


@contextmanager
def house(home: Path) -> Iterator[House]:
    """A server that is killed keeps what it has committed, as a durable one does: that is all that is taken for
    granted here."""
    store = open_store(home)
    migrate(store)
    services = open_services(store, open_vault(home))
    services.bootstrap("id", "secret")
    durable = {"innodb_flush_log_at_trx_commit": "2", "binlog_row_metadata": "FULL"}
    with (
        mysqld.server(**durable) as source,
        servers.postgres_server(synchronous_commit="on") as target,
        cutting_proxy(source.port) as before_source,
        cutting_proxy(target.port) as before_target,
    ):
        dispatch = StoreDispatch(store, services.data_sources.contents)
        yield House(source, target, before_source, before_target, home, services, dispatch)
    store.close()
