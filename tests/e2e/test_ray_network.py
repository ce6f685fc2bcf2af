"""A node of a Ray cluster whose network is cut for real, and comes back while rows change: nothing is lost or written
twice by the worker that the cluster has lost sight of. How long it takes to go on is printed (`pytest -s`)."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import shop

import mysqld
import servers
from netspace import HUB, places
from ray_cluster import Cluster, cluster
from tcp_proxy import proxy
from waiting import until


def holder(store: str, ray: Cluster, file_id: str) -> psutil.Process | None:
    with psycopg.connect(store) as connection:
        row = connection.execute("SELECT worker FROM instance WHERE file_id = %s", (int(file_id),)).fetchone()
    return ray.actors().get(int(row[0].split("-")[-2])) if row is not None and row[0] is not None else None


def test_a_node_is_cut_off_replaced_and_comes_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        there = stack.enter_context(places("one", "two"))
        store, target = (stack.enter_context(servers.postgres_server()) for _ in range(2))
        source = stack.enter_context(mysqld.server())
        source.host = HUB
        for port in (store.port, target.port, source.port):
            stack.enter_context(proxy(port, host=HUB, port=port))
        urls = [server.url.replace("127.0.0.1", HUB) for server in (store, target)]
        home = tmp_path / "home"
        environment = {"DISYNC_STORE_URL": urls[0], "DISYNC_KEY_FILE": str(home / "key")}
        ray = stack.enter_context(cluster(host=HUB, **environment))
        ray.head()
        where = ("--runner", "ray", "--ray-address", ray.address, "--workers", "1")
        service = stack.enter_context(
            servers.disync(home, *where, datahub=False, DISYNC_STORE_URL=urls[0], **ray.client)
        )
        for name, place in there.items():
            ray.node(name, "a", place=place)
        shop.stock(source)
        world = shop.World(service, source, urls[1], "a")

        def told() -> str:
            return f"{world.info()}\n{service.log[-2000:]}\n{ray.log()[-3000:]}"

        until(lambda: world.rows() == world.truth(), told, seconds=60)
        zombie = holder(urls[0], ray, world.file_id)
        assert zombie is not None
        name = next(name for name in there if zombie in ray.nodes[name].children(""))
        writer = threading.Thread(target=shop.change, args=(source, 11, 300))
        writer.start()
        began = time.monotonic()
        there[name].cut()
        source.run("INSERT INTO shop.orders VALUES (10000001,'after the cut',1,NULL)")
        until(lambda: world.select("SELECT id FROM orders WHERE id=10000001") != [], told, seconds=120)
        print(f"\na node cut off: a change comes through {time.monotonic() - began:.1f} s after it")
        now = holder(urls[0], ray, world.file_id)
        assert now is not None and now in ray.nodes[next(one for one in there if one != name)].children("")
        stopped = ("leases could not be renewed", f'run ends" task={world.file_id} epoch=1 ')
        until(lambda: any(words in ray.log() for words in stopped), told, seconds=60)
        print(f"the worker that was cut off has stopped its runs {time.monotonic() - began:.1f} s after the cut")
        again = threading.Thread(target=shop.change, args=(source, 12, 300))
        again.start()
        there[name].mend()
        until(lambda: not zombie.is_running(), told, seconds=60)
        print(f"the process that was cut off has ended {time.monotonic() - began:.1f} s after the cut")
        for thread in (writer, again):
            thread.join()
        source.run("INSERT INTO shop.orders VALUES (10000002,'the last one',1,NULL)")
        until(lambda: world.rows() == world.truth(), told, seconds=60)
