"""/healthz, /readyz and /metrics of a real server, also while its store is away."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

import servers
from disync.gateway.client import Client
from disync.gateway.spec import Spec
from disync.model.errors import ApiError
from waiting import until


def ask(service: servers.Service, path: str) -> tuple[int, str]:
    answer = urllib3.request("GET", f"http://{service.address}{path}", retries=False, timeout=10)
    return answer.status, answer.data.decode()


def metrics(service: servers.Service) -> dict[str, float]:
    status, text = ask(service, "/metrics")
    assert status == 200
    return {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}


def test_a_server_that_works(server: servers.Service) -> None:
    assert ask(server, "/healthz") == (200, "ok\n")
    assert ask(server, "/readyz") == (200, "ready\n")
    assert [ask(server, "/")[0] for _ in range(2)] == [400, 400]
    found = metrics(server)
    assert found["disync_store_up"] == 1
    assert found["process_resident_memory_bytes"] > 0
    assert found["disync_api_requests_total"] >= 2


@pytest.mark.timeout(120)
def test_a_server_whose_store_went_away(tmp_path: Path) -> None:
    with servers.postgres() as url, servers.database(url, "probed") as database:
        environment = {"DISYNC_STORE_URL": database}
        with servers.disync(tmp_path, datahub=False, **environment) as service:
            assert ask(service, "/readyz")[0] == 200
            with servers.terminated(database):
                assert ask(service, "/healthz")[0] == 200
                assert ask(service, "/readyz") == (503, "not ready: store\n")
                assert metrics(service)["disync_store_up"] == 0


def created(service: servers.Service) -> ApiError:
    """How a write ends: in the vendor's error form."""
    client = Client(f"http://{service.address}", *service.key)
    with pytest.raises(ApiError) as caught:
        client.call(Spec.load().operations["CreateProject"], {"ProjectIdentifier": "p", "ProjectName": "p"})
    return caught.value


@pytest.mark.timeout(120)
def test_a_server_whose_store_is_locked(tmp_path: Path) -> None:
    with servers.disync(tmp_path, datahub=False) as service:
        with closing(sqlite3.connect(tmp_path / "disync.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            error = created(service)
            assert (error.status, error.code) == (503, "ServiceUnavailable") and "holds the store locked" in str(error)
            status, text = ask(service, "/readyz")
            assert status == 503 and text.startswith("not ready: store (Another process holds the store locked")
            other.execute("ROLLBACK")
        assert ask(service, "/readyz") == (200, "ready\n")


@pytest.mark.timeout(120)
def test_a_server_whose_store_can_only_be_read(tmp_path: Path) -> None:
    with (
        servers.postgres_server() as there,
        servers.database(there.url, "held") as database,
        servers.disync(tmp_path, datahub=False, DISYNC_STORE_URL=database) as service,
    ):
        assert ask(service, "/readyz")[0] == 200
        with psycopg.connect(there.url, autocommit=True) as root:
            root.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            root.execute("SELECT pg_reload_conf()")
            until(lambda: ask(service, "/readyz")[0] == 503)
            assert ask(service, "/readyz")[1].startswith("not ready: store (The store can only be read")
            error = created(service)
            assert (error.status, error.code) == (503, "ServiceUnavailable") and "only be read" in str(error)
            root.execute("SET default_transaction_read_only = off")
            root.execute("ALTER SYSTEM RESET default_transaction_read_only")
            root.execute("SELECT pg_reload_conf()")
        until(lambda: ask(service, "/readyz") == (200, "ready\n"))
