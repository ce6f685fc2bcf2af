"""deploy/Containerfile: nothing that builds in the last stage, no root, and only files that the build is given."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from charts import DEPLOY, ROOT, TOOLS

from disync.cli import cli

Instruction = tuple[str, str]


def stages() -> list[list[Instruction]]:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    whole = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    found: list[list[Instruction]] = []
    for line in whole.splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if name and found:
            found[-1].append((name, rest))
    return found


def test_hadolint_finds_nothing_to_blame() -> None:
    command = [TOOLS / "hadolint", "--config", DEPLOY / "hadolint.yaml", DEPLOY / "Containerfile"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_last_stage_builds_nothing_and_runs_as_nobody() -> None:
    build, last = stages()
    installed = " ".join(rest for name, rest in last if name == "RUN")
    assert not re.search(r"gcc|-dev|pip|venv|build", installed)
    assert [rest for name, rest in last if name == "COPY"] == ["--from=build /opt/disync /opt/disync"]
    (user,) = [rest for name, rest in last if name == "USER"]
    assert user == "10001:10001" and "--uid 10001" in installed
    assert " openssl " in installed  # the chart makes certificates with it
    assert last.index(("USER", user)) > max(n for n, (name, _) in enumerate(last) if name in ("RUN", "COPY"))
    assert any(name == "HEALTHCHECK" for name, _ in last)
    assert all("--require-hashes" in rest for name, rest in build if "-r " in rest and name == "RUN")


def test_the_command_line_takes_its_command() -> None:
    (entry,), (command,) = (
        [json.loads(rest) for n, rest in stages()[1] if n == name] for name in ("ENTRYPOINT", "CMD")
    )
    assert entry == ["disync"]
    cli.commands[command[0]].make_context(command[0], command[1:])


def test_what_it_copies_is_there_and_is_given_to_the_build() -> None:
    given = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [word for name, rest in stages()[0] if name == "COPY" for word in rest.split()[:-1]]
    assert set(copied) == given
    assert all((ROOT / name).exists() for name in copied)
    assert (ROOT / "requirements" / "run.lock").exists()


@pytest.mark.parametrize("name", ["cython", "setuptools", "hatchling", "wheel"])
def test_what_runs_needs_nothing_that_builds(name: str) -> None:
    pinned = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "run.lock").read_text(), re.MULTILINE)
    assert name not in pinned and "sqlalchemy" in pinned
    assert set(pinned) < set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "serve.lock").read_text(), re.M))
