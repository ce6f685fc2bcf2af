"""/healthz, /readyz and /metrics of a real server, also while its store is away."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

import servers


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
