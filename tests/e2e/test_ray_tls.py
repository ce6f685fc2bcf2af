"""A Ray cluster that speaks TLS: what moves is encrypted, and nobody without a certificate is asked for a token."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import ray_tasks
import shop

import mysqld
import servers
from certificates import Certificates, certificates
from ray_cluster import cluster
from waiting import until

ROWS = 250_000
"""Of the load: for some 12 s, and longer where they are read by few."""


def probe(address: str, **environment: str) -> str:
    """What a stranger is told: as the server itself asks before it joins."""
    command = [sys.executable, "-m", "disync.engine.runners.ray_door", address]
    env = servers.child_environment(RAY_AUTH_MODE="disabled", **environment)
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False).stdout


def shakes_hands(address: str, own: Certificates, with_certificate: bool) -> bool:
    """Whether the head takes a client, and shows a certificate of our authority."""
    context = ssl.create_default_context(cafile=own.authority)
    context.set_alpn_protocols(["h2"])
    if with_certificate:
        context.load_cert_chain(own.certificate, own.key)
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as on,
    ):
        try:
            return on.recv(1) != b""  # only now it is told what the other side has against it
        except ssl.SSLError:
            return False


def test_a_load_and_its_changes_come_through_a_cluster_that_speaks_tls(tmp_path: Path, source: mysqld.Server) -> None:
    home, own = tmp_path / "home", certificates(tmp_path / "tls")
    tls = {
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(own.certificate),
        "RAY_TLS_SERVER_KEY": str(own.key),
        "RAY_TLS_CA_CERT": str(own.authority),
    }
    with ExitStack() as stack:
        store, target = (stack.enter_context(servers.postgres_server()) for _ in range(2))
        environment = {"DISYNC_STORE_URL": store.url, "DISYNC_KEY_FILE": str(home / "key")}
        ray = stack.enter_context(cluster(**environment, **tls))
        ray.head()
        where = ("--runner", "ray", "--ray-address", ray.address, "--workers", "1")
        service = stack.enter_context(
            servers.disync(home, *where, datahub=False, DISYNC_STORE_URL=store.url, **ray.client)
        )
        ray.node("one", "far")
        ray_tasks.stock(source, ROWS)
        world = shop.World(service, source, ray_tasks.slow(target.url), "far", ray_tasks.CHANNELS)

        def told() -> str:
            return f"{world.info()}\n{service.log[-2000:]}\n{ray.log()[-2000:]}"

        ray_tasks.comes_through(world, ROWS)
        until(lambda: ray_tasks.Tasks(ray, store.url).read > 0, told)
        source.run("INSERT INTO shop.orders VALUES (10000001,'a change',1,NULL)")
        until(lambda: world.rows() == world.truth(), told, seconds=60)
        assert ray.actors() != {}
        assert shakes_hands(ray.address, own, with_certificate=True)
        assert not shakes_hands(ray.address, own, with_certificate=False)
        assert probe(ray.address, **tls).startswith("shut"), "a certificate is no token"
        assert not probe(ray.address).startswith(("open", "shut")), "without a certificate nobody answers"
