"""The explorer's samples, executed exactly as shown: they come to the operation with the very values."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import servers
from disync.console.explorer import catalogue, signed
from disync.console.samples import SAMPLES
from disync.console.samples.call import ID, SECRET, Call, snake
from disync.gateway.client import Client
from disync.gateway.spec import Spec
from disync.operations import OPERATIONS

ROOT = Path(__file__).parents[2]
SPEC = Spec.load()
PYTHON = ROOT / ".cache/clients/python-10/bin/python"
NODE = ROOT / "tests/clients/node-pop"
NASTY = 'it\'s "here" \\ `id` $HOME ${HOME} $(id)\t中文 🚀 %20 + & = ; # \u2028 \\u0041 end'
RUN = ("python", "node", "curl", "disync")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Service]:
    with servers.disync(tmp_path_factory.mktemp("home"), datahub=False) as service:
        yield service


def execute(service: servers.Service, language: str, text: str, folder: Path) -> Any:
    """What the sample prints, as JSON."""
    key_id, secret = service.key
    name, command = {
        "python": ("sample.py", [str(PYTHON)]),
        "node": ("sample.js", ["node"]),
        "curl": ("sample.sh", ["sh"]),
        "disync": ("sample.sh", ["sh"]),
    }[language]
    file = folder / name
    file.write_text(text)
    path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    env = servers.child_environment(**{ID: key_id, SECRET: secret, "NODE_PATH": str(NODE / "node_modules")}, PATH=path)
    done = subprocess.run([*command, str(file)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}\n{text}"
    return json.loads(done.stdout)


@pytest.mark.parametrize("language", RUN)
def test_a_sample_brings_its_values_through(service: servers.Service, language: str, tmp_path: Path) -> None:
    client = Client(f"http://{service.address}", *service.key)
    name = f"from_{language}"
    source = {"ProjectId": "10000", "Name": name, "DataSourceType": "other", "EnvType": "1", "Content": "{}"}
    source["Description"] = NASTY
    text = signed(SPEC, client, "CreateDataSource", source)["Samples"][language]
    assert execute(service, language, text, tmp_path)["Success"] is True
    asked = {"ProjectId": "10000", "Name": name}
    found = client.call(SPEC.operations["ListDataSources"], asked)["Data"]["DataSources"]
    assert [one["Description"] for one in found] == [NASTY]


@pytest.mark.parametrize("language", RUN)
def test_a_sample_calls_with_a_form_and_what_is_our_own(
    service: servers.Service, language: str, tmp_path: Path
) -> None:
    client = Client(f"http://{service.address}", *service.key)
    seed = (ROOT / "tests/golden/seed-code.json").read_text(encoding="utf-8")
    task = {"ProjectId": "10000", "TaskType": "DI_REALTIME", "TaskName": f"by_{language}", "TaskContent": seed}
    made = execute(service, language, signed(SPEC, client, "CreateDISyncTask", task)["Samples"][language], tmp_path)
    asked = {"ProjectId": "10000", "TaskType": "DI_REALTIME", "FileId": str(made["Data"]["FileId"])}
    assert client.call(SPEC.operations["GetDISyncTask"], asked)["Data"]["Code"] == seed
    own = signed(SPEC, client, "GetCallerIdentity", {})["Samples"][language]
    assert execute(service, language, own, tmp_path)["Data"]["Root"] is True


def test_every_operation_has_a_sample_in_every_language_and_none_has_the_secret(service: servers.Service) -> None:
    client = Client(f"http://{service.address}", *service.key)
    for operation in catalogue(SPEC)["Operations"]:
        given = {p["Name"]: "1" if p["Type"] == "integer" else NASTY for p in operation["Parameters"] if not p["Json"]}
        call = Call(SPEC.operations[operation["Name"]], client.endpoint, given)
        for sample in SAMPLES.values():
            text = sample(call)
            assert operation["Name"] in text
            assert client.access_key_secret not in text


def test_the_python_sdk_has_the_names_that_its_samples_use() -> None:
    names = {
        action: [snake(action), *(snake(p.name) for p in SPEC.operations[action].parameters)]
        for action in OPERATIONS
        if not SPEC.operations[action].own
    }
    script = (
        "import inspect, json, sys\n"
        "from alibabacloud_dataworks_public20200518 import client, models\n"
        "for action, (method, *fields) in json.load(sys.stdin).items():\n"
        "    assert hasattr(client.Client, method), method\n"
        "    known = inspect.signature(getattr(models, action + 'Request').__init__).parameters\n"
        "    assert set(fields) <= set(known), (action, set(fields) - set(known))\n"
    )
    command = [str(PYTHON), "-c", script]
    done = subprocess.run(command, input=json.dumps(names), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_request_as_shown_is_taken_once(service: servers.Service) -> None:
    client = Client(f"http://{service.address}", *service.key)
    shown = signed(SPEC, client, "GetProject", {"ProjectId": "10000"})
    assert shown["StringToSign"].startswith("ACS3-HMAC-SHA256\n")
    assert shown["CanonicalRequest"].startswith(f"{shown['Method']}\n/\n")
    curl = shutil.which("curl")
    assert curl is not None, "curl is missing: scripts/install dev installs it"
    headers = [word for name, value in shown["Headers"].items() for word in ("-H", f"{name}: {value}")]
    command = [curl, "-sS", "-X", shown["Method"], shown["Url"], *headers]
    first, second = (
        json.loads(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout) for _ in range(2)
    )
    assert first["Data"]["ProjectId"] == 10000
    assert second["Code"] == "SignatureNonceUsed"
