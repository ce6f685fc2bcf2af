"""A head that keeps its state, and dies: nodes and workers go on while it is away, and the next one knows of them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import shop
from ray_jobs import SEEDS_GROUP, Jobs, Numbers, Seeds

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
    tmp_path: Path, source: mysqld.Server, postgres_url: str
) -> None:
    home = tmp_path / "home"
    keeping = {
        "RAY_gcs_storage": "rocksdb",
        "RAY_gcs_storage_path": str(tmp_path / "gcs"),
        "RAY_gcs_rpc_server_reconnect_timeout_s": "60",
    }
    with ExitStack() as stack:
        store = stack.enter_context(servers.postgres_server())
        target, seeds_target = (
            stack.enter_context(servers.database(postgres_url, name)) for name in ("head_target", "head_seeds_target")
        )
        hub = stack.enter_context(servers.datahub(tmp_path / "hub"))
        environment = {"DISYNC_STORE_URL": store.url, "DISYNC_KEY_FILE": str(home / "key")}
        ray = stack.enter_context(cluster(**environment, **keeping))
        head = ray.head()
        where = ("--runner", "ray", "--ray-address", ray.address, "--workers", "1")
        service = stack.enter_context(
            servers.disync(home, *where, datahub=False, DISYNC_STORE_URL=store.url, **ray.client)
        )
        for name in ("one", "two"):
            ray.node(name, SEEDS_GROUP)
        shop.stock(source)
        world = shop.World(service, source, target, SEEDS_GROUP)

        def told() -> str:
            return f"{world.info()}\n{service.log[-2000:]}\n{ray.log()[-3000:]}"

        seeds, numbers = Seeds(service, source, seeds_target), Numbers(service, hub, store.url, SEEDS_GROUP)
        jobs = Jobs(world, seeds, numbers, told)
        until(lambda: len(ray.actors()) == 2 and world.rows() == world.truth(), told, seconds=60)
        until(lambda: seeds.digit() == "0", told, seconds=60)
        workers = ray.actors()
        with jobs.recovering("a head killed that keeps its state"):
            head.kill()
            while jobs.seconds < AWAY_SECONDS:
                jobs.come_through()
                time.sleep(1)
            ray.head()
        assert ray.actors() == workers, "they have gone on all the while, and there is no other beside them"
        worker = holder(store.url, ray, world.file_id)
        assert worker is not None
        with jobs.recovering("a worker killed after that"):
            worker.kill()
            # Workers are started as ever.
            until(lambda: len(ray.actors()) == 2 and worker.pid not in ray.actors(), told, seconds=60)
        assert holder(store.url, ray, world.file_id) not in (None, worker)
