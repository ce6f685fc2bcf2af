"""A head that keeps its state, and dies: nodes and workers go on while it is away, and the next one knows of them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import shop

import mysqld
import servers
from ray_cluster import Cluster, cluster
from waiting import until

AWAY_SECONDS = 15.0
"""Longer than a worker's lease, and shorter than a node waits for its head."""


def holder(store: str, ray: Cluster, file_id: str) -> psutil.Process | None:
    with psycopg.connect(store) as connection:
        row = connection.execute("SELECT worker FROM instance WHERE file_id = %s", (int(file_id),)).fetchone()
    return ray.actors().get(int(row[0].split("-")[-2])) if row is not None and row[0] is not None else None


def test_a_head_that_keeps_its_state_is_killed_and_started_again(
    tmp_path: Path, source: mysqld.Server, postgres_database: str
) -> None:
    home = tmp_path / "home"
    keeping = {
        "RAY_gcs_storage": "rocksdb",
        "RAY_gcs_storage_path": str(tmp_path / "gcs"),
        "RAY_gcs_rpc_server_reconnect_timeout_s": "60",
    }
    with ExitStack() as stack:
        store = stack.enter_context(servers.postgres_server())
        environment = {"DISYNC_STORE_URL": store.url, "DISYNC_KEY_FILE": str(home / "key")}
        ray = stack.enter_context(cluster(**environment, **keeping))
        head = ray.head()
        where = ("--runner", "ray", "--ray-address", ray.address, "--workers", "1")
        service = stack.enter_context(
            servers.disync(home, *where, datahub=False, DISYNC_STORE_URL=store.url, **ray.client)
        )
        ray.node("one", "a")
        shop.stock(source)
        world = shop.World(service, source, postgres_database, "a")

        def told() -> str:
            return f"{world.info()}\n{service.log[-2000:]}\n{ray.log()[-3000:]}"

        def come_through(number: int) -> None:
            source.run(f"INSERT INTO shop.orders VALUES ({number},'another',1,NULL)")
            until(lambda: world.select(f"SELECT id FROM orders WHERE id={number}") != [], told, seconds=60)

        until(lambda: world.rows() == world.truth(), told, seconds=60)
        worker = holder(store.url, ray, world.file_id)
        assert worker is not None
        head.kill()
        gone = time.monotonic()
        number = 10_000_000
        while time.monotonic() - gone < AWAY_SECONDS:
            come_through(number := number + 1)
            time.sleep(0.5)
        ray.head()
        come_through(number + 1)
        assert holder(store.url, ray, world.file_id) == worker, "it has gone on all the while"
        assert list(ray.actors()) == [worker.pid], "and there is no other beside it"
        killed = time.monotonic()
        worker.kill()
        come_through(number + 2)
        print(f"\nits worker killed after that: a change comes through {time.monotonic() - killed:.1f} s later")
        assert holder(store.url, ray, world.file_id) not in (None, worker), "workers are started as ever"
        until(lambda: world.rows() == world.truth(), told, seconds=60)
