"""README.md's first task of one's own, word by word but for ports, the key and where the client is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import servers
from waiting import until

README = Path(__file__).parents[2] / "README.md"
CLIENT = ".cache/hub/bin/python"
INSTALLED = f"python3 -m venv .cache/hub && {CLIENT.replace('python', 'pip')} install pydatahub\n"


def test_the_five_minutes_to_a_first_task(tmp_path: Path) -> None:
    told = README.read_text(encoding="utf-8").split("## Five minutes")[1].split("\n## ")[0]
    begin, topics, task = re.findall(r"```sh\n(.*?)```", told, re.DOTALL)
    assert begin.endswith("disync serve --datahub-port 8081\n")
    calls, seen = task.split(f"{CLIENT} -", 1)
    with servers.disync(tmp_path) as service:
        known = {'"me"': f'"{service.key[0]}"', '"secret"': f'"{service.key[1]}"', CLIENT: sys.executable}
        known["http://127.0.0.1:8081"] = service.datahub

        def run(said: str) -> str:
            for word, here in known.items():
                said = said.replace(word, here)
            environment = servers.child_environment(
                PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin",
                DISYNC_ENDPOINT=f"http://{service.address}",
                DISYNC_ACCESS_KEY_ID=service.key[0],
                DISYNC_ACCESS_KEY_SECRET=service.key[1],
            )
            command = ["bash", "-euo", "pipefail", "-c", said]
            done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=180)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert topics.startswith(INSTALLED)
        run(topics.removeprefix(INSTALLED))
        assert run(calls).count('"Success": true') == 6
        until(lambda: run(f"{CLIENT} -{seen}") == "1000\n")
