"""The command line against a real server: what it prints, and its exit codes (0 done, 1 failed, 2 bad input)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import servers

KEYS = dict(zip(("DISYNC_ACCESS_KEY_ID", "DISYNC_ACCESS_KEY_SECRET"), servers.ROOT_KEY, strict=True))


def disync(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "disync", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=servers.child_environment(**environment),
        check=False,
    )


def call(server: servers.Service, *words: str, **keys: str) -> subprocess.CompletedProcess[str]:
    return disync("call", *words, "--endpoint", f"http://{server.address}", **(KEYS | keys))


def test_a_call_prints_the_answer(server: servers.Service) -> None:
    done = call(server, "GetProject", "--ProjectId=10000")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Data"]["ProjectIdentifier"] == "default"


def test_what_could_not_be_done_is_exit_code_1(server: servers.Service) -> None:
    soft = call(server, "GetDISyncTask", "--ProjectId", "10000", "--TaskType", "DI_REALTIME", "--FileId", "100")
    assert soft.returncode == 1
    assert json.loads(soft.stdout)["Data"]["Message"] == "fileId:[100] is invalid."
    hard = call(server, "GetDISyncTask", "--ProjectId", "10000", "--TaskType", "NONE", "--FileId", "100")
    assert hard.returncode == 1
    assert hard.stderr.startswith("disync: HTTP 400 Param.Invalid: The parameter is invalid. TaskType")
    assert hard.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["call", "NoSuchAction"], "The API has no operation NoSuchAction."),
        (["call", "GetProject", "--Projectid", "1"], "GetProject has no parameter Projectid; it has ProjectId"),
        (["call", "GetProject", "--ProjectId"], "--ProjectId has no value."),
        (["call", "GetProject", "10000"], "10000: parameters are given as --Name value."),
        (["serve", "--port", "99999"], "Invalid value for '--port'"),
        (["nonsense"], "No such command 'nonsense'."),
    ],
)
def test_bad_input_is_exit_code_2_and_one_line(words: list[str], said: str) -> None:
    failed = disync(*words, **KEYS)
    assert failed.returncode == 2
    assert failed.stderr.startswith("disync: ") and said in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_without_a_key_a_call_says_what_to_set() -> None:
    failed = disync("call", "ListProjects")
    assert failed.returncode == 2
    assert "Set DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET" in failed.stderr


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    failed = disync("call", "ListProjects", "--endpoint", f"http://127.0.0.1:{servers.free_port()}", **KEYS)
    assert failed.returncode == 1
    assert "does not answer" in failed.stderr
    assert "Does `disync serve` run there? Look at --endpoint." in failed.stderr
    assert "Errno" not in failed.stderr


def test_a_port_in_use_is_said_in_one_line(server: servers.Service, tmp_path: Path) -> None:
    failed = disync("serve", "--port", server.address.rpartition(":")[2], "--home", str(tmp_path), **KEYS)
    assert failed.returncode == 1
    assert f"Cannot listen on {server.address}: Address already in use" in failed.stderr
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_store_that_does_not_work_is_said_in_one_line(url: str, tmp_path: Path) -> None:
    failed = disync("serve", "--port", "0", "--home", str(tmp_path), **KEYS, DISYNC_STORE_URL=url)
    assert failed.returncode == 1
    assert "DISYNC_STORE_URL" in failed.stderr and failed.stderr.count("\n") == 1


def test_users_are_not_added_to_a_home_that_is_not_there(tmp_path: Path) -> None:
    failed = disync("user", "add", "joe", "--home", str(tmp_path / "none"))
    assert failed.returncode == 2
    assert "There is no state in" in failed.stderr
    assert not (tmp_path / "none").exists()


def test_state_is_readable_by_its_owner_alone(server: servers.Service) -> None:
    inside = [path for path in server.home.rglob("*") if path.name != "stderr.log"]
    assert any(path.name == "disync.db" for path in inside)
    assert [path for path in inside if path.stat().st_mode & 0o077] == []


def test_the_demo_empties_no_folder_but_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    failed = disync("demo", "--home", str(tmp_path))
    assert failed.returncode == 1
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_resource_groups_are_listed_and_tagged(server: servers.Service) -> None:
    home = ("--home", str(server.home))
    assert disync("group", "tag", "group_default", "team=ads", "gpu", *home).returncode == 0
    assert disync("group", "list", *home).stdout.split() == ["group_default", "normal", "team=ads,", "gpu="]
    refused = disync("group", "tag", "nothing", "a=b", *home)
    assert refused.returncode == 1
    assert refused.stderr == "disync: There is no resource group nothing: ListResourceGroups has those there are.\n"
    assert disync("group", "tag", "group_default", *home).returncode == 0
    assert disync("group", "list", *home).stdout.split() == ["group_default", "normal"]


def test_users_roles_and_their_keys(server: servers.Service) -> None:
    home = ["--home", str(server.home)]
    made = disync("user", "add", "vera", "--name", "Vera", *home)
    assert made.returncode == 0, made.stderr
    key_id, secret = (line.split()[1] for line in made.stdout.splitlines())
    vera = {"DISYNC_ACCESS_KEY_ID": key_id, "DISYNC_ACCESS_KEY_SECRET": secret}
    write = ["CreateFolder", "--ProjectId", "10000", "--FolderPath", "Business Flow/default/Data Integration/of_vera"]
    assert "Forbidden.Access" in call(server, *write, **vera).stderr
    assert disync("user", "join", "vera", "10000", "visitor", *home).returncode == 0
    assert call(server, "ListFiles", "--ProjectId", "10000", **vera).returncode == 0
    assert "Forbidden.Access" in call(server, *write, **vera).stderr
    assert disync("user", "join", "vera", "10000", "developer", *home).returncode == 0
    assert call(server, *write, **vera).returncode == 0
    assert "vera" in disync("user", "list", *home).stdout
    assert disync("user", "disable", key_id, *home).returncode == 0
    assert "InvalidAccessKeyId.Inactive" in call(server, "ListProjects", **vera).stderr
    recorded = json.loads(call(server, "ListAuditEvents", "--PageSize", "100").stdout)["Data"]["Events"]
    others = ("TagResourceGroup",)
    made_here = [event for event in reversed(recorded) if event["Door"] == "cli" and event["Action"] not in others]
    here = [(event["Action"], event["Code"]) for event in made_here]
    assert here == [
        ("CreateUser", "OK"),
        ("CreateAccessKey", "OK"),
        ("CreateProjectMember", "OK"),
        ("AddProjectMemberToRole", "OK"),
        ("UpdateAccessKey", "OK"),
    ]
    theirs = [(event["Action"], event["Code"]) for event in reversed(recorded) if event["UserId"] == "vera"]
    assert theirs == [("CreateFolder", "Forbidden.Access")] * 2 + [("CreateFolder", "OK")]
    assert secret not in json.dumps(recorded)


def test_what_is_done_to_rows_here_is_recorded(server: servers.Service) -> None:
    for word in ("--replay", "--drop"):
        failed = disync("dirty", "99", word, "--home", str(server.home))
        assert failed.returncode == 1 and "fileId:[99] is invalid." in failed.stderr
    assert disync("verify", "99", "--home", str(server.home)).returncode == 2
    assert disync("verify", "99", "--repair", "--home", str(server.home)).returncode == 2
    recorded = json.loads(call(server, "ListAuditEvents", "--FileId", "99").stdout)["Data"]["Events"]
    assert {(event["Door"], event["Code"]) for event in recorded} == {("cli", "Invalid.FileId")}
    asked = [(event["Action"], json.loads(event["Parameters"]).get("Repair")) for event in reversed(recorded)]
    assert asked == [
        ("ReplayDISyncDirtyRows", None),
        ("DropDISyncDirtyRows", None),
        ("StartDISyncVerification", False),
        ("StartDISyncVerification", True),
    ]


def test_connectors_are_listed() -> None:
    assert "datahub      reads, writes" in disync("connectors").stdout


def test_run_moves_a_bounded_job_without_a_server(tmp_path: Path) -> None:
    steps = [
        {"name": "r", "stepType": "memory", "parameter": {"table": "none"}},
        {"name": "w", "stepType": "memory", "parameter": {"table": "copy"}},
    ]
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}}))
    failed = disync("run", str(job))
    assert failed.returncode == 1
    assert "There is no table 'none' in memory" in failed.stderr
    job.write_text('{"steps": []}')
    assert "$.steps: a task needs a list of steps" in disync("run", str(job)).stderr
