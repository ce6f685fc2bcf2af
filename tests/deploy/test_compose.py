"""deploy/compose.yaml: what a laptop gets is reached by nobody else, and starts with what the command line takes."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from charts import DEPLOY, TOOLS, yaml

from disync.cli import cli

FILE = DEPLOY / "compose.yaml"
GIVEN = {
    "DISYNC_STORE_PASSWORD": "x1",
    "DISYNC_ACCESS_KEY_ID": "id",
    "DISYNC_ACCESS_KEY_SECRET": "s",
    "DISYNC_GROUP": "g",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml(FILE)["services"]
    return found


def test_compose_itself_takes_it() -> None:
    command = [TOOLS / "docker-compose", "--file", FILE, "--profile", "worker", "config", "--format", "json"]
    done = subprocess.run(command, env=GIVEN, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["services"].keys() == {"store", "api", "worker"} and found["volumes"].keys() == {"store", "home"}
    assert found["services"]["worker"]["command"][:3] == ["worker", "--group", "g"]


def test_compose_says_what_is_not_set() -> None:
    command = [TOOLS / "docker-compose", "--file", FILE, "config"]
    done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "set it in deploy/.env" in done.stderr


def test_ports_are_open_to_this_machine_alone(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_ours_run_without_rights(services: dict[str, Any]) -> None:
    for name in ("api", "worker"):
        service = services[name]
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service and "user" not in service, "the image's own user"


def test_the_command_line_takes_the_commands(services: dict[str, Any]) -> None:
    for name in ("api", "worker"):
        command = [re.sub(r"\$\{DISYNC_GROUP:-(\w+)\}", r"\1", word) for word in services[name]["command"]]
        cli.commands[command[0]].make_context(command[0], command[1:])


def test_every_variable_is_in_the_example(services: dict[str, Any]) -> None:
    asked = set(re.findall(r"\$\{(\w+)", FILE.read_text(encoding="utf-8")))
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == set(GIVEN)


def test_a_health_check_asks_where_the_service_listens(services: dict[str, Any]) -> None:
    worker = services["worker"]
    port = worker["command"][worker["command"].index("--health-port") + 1]
    assert f"'127.0.0.1', {port}" in " ".join(worker["healthcheck"]["test"])
    assert "'127.0.0.1', 8080" in (DEPLOY / "Containerfile").read_text(encoding="utf-8")
