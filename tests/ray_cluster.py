"""A Ray cluster of our own on this machine: a head and nodes, each a raylet with its own folder and free ports.

Every process of it carries the cluster's folder in its environment: so are the actors found, and at the end whatever is
left.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from netspace import Place
from servers import START_SECONDS, child_environment, free_port

TOKEN = "r4y-t0ken-of-a-test-with-at-least-32-characters"
MARK = "DISYNC_TEST_CLUSTER"
NOTHING: Mapping[str, float] = {}

# A test does not wait as long as a machine room should.
HASTE = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1500",
    "RAY_health_check_failure_threshold": "3",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    # Else each node starts a process for every CPU at once, which nobody asked for.
    "RAY_prestart_worker_first_driver": "0",
}


@dataclass(slots=True)
class Node:
    """One `ray start --block`, with all that it started."""

    name: str
    process: subprocess.Popen[bytes]

    def children(self, program: str) -> list[psutil.Process]:
        """None of a node that has ended, nor what ends meanwhile."""
        found: list[psutil.Process] = []
        started: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(self.process.pid).children(recursive=True)
        for child in started:
            with suppress(psutil.NoSuchProcess):
                if program in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def kill(self) -> None:
        """kill -9 of all of it at once, as the machine's end would."""
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(self.process.pid).children(recursive=True)
            for process in (self.process, *started):
                with suppress(psutil.NoSuchProcess, ProcessLookupError):
                    process.kill()
            psutil.wait_procs(started, 10)
        self.process.wait(10)

    def kill_raylet(self) -> None:
        """kill -9 of the raylet alone: its actors have to notice."""
        for raylet in self.children("raylet/raylet"):
            raylet.kill()


@dataclass(slots=True)
class Cluster:
    """`environment`: of every node."""

    folder: Path
    port: int
    environment: dict[str, str]
    host: str = "127.0.0.1"
    nodes: dict[str, Node] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def client(self) -> dict[str, str]:
        """What a server needs in its environment to join it."""
        own = ("RAY_AUTH_", "RAY_USE_TLS", "RAY_TLS_")
        return {name: value for name, value in self.environment.items() if name.startswith(own)}

    def head(self, **environment: str) -> Node:
        """Offers nothing; the API's server joins through it."""
        # Of a head that was killed here, Ray finds this and the nodes that point to it, and takes it for alive.
        (self.folder / "head" / "ray_current_cluster").unlink(missing_ok=True)
        return self._start("head", ["--head", f"--port={self.port}", "--include-dashboard=false"], NOTHING, environment)

    def node(self, name: str, *groups: str, cpus: int = 4, place: Place | None = None, **environment: str) -> Node:
        """Offers these resource groups. `place`: the network namespace in which it is."""
        offered = {f"rg_{group}": 1.0 for group in groups}
        return self._start(name, [f"--address={self.address}"], offered, environment, cpus, inside=place)

    def _start(
        self,
        name: str,
        place: list[str],
        offered: Mapping[str, float],
        environment: Mapping[str, str],
        cpus: int = 0,
        again: bool = False,
        inside: Place | None = None,
    ) -> Node:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        command = [str(Path(sys.executable).parent / "ray"), "start", *place, "--block", "--disable-usage-stats"]
        room = [f"--num-cpus={cpus}", f"--memory={cpus * 4 << 30}", "--object-store-memory=80000000"]
        ports = [
            "--min-worker-port=0",
            "--max-worker-port=0",
            f"--node-ip-address={inside.host if inside else self.host}",
        ]
        ports += [f"--dashboard-agent-listen-port={free_port()}"]
        log = (folder / "start.log").open("ab")
        process = subprocess.Popen(
            [
                *(inside.inside if inside else ()),
                *command,
                *room,
                *ports,
                f"--temp-dir={folder}",
                f"--resources={json.dumps(offered)}",
            ],
            env=child_environment(**{**HASTE, **self.environment, **environment}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        node = self.nodes[name] = Node(name, process)
        try:
            self._await(node)
        except RuntimeError:  # on a machine that is very busy one does not always come up in time
            if again:
                raise
            node.kill()
            return self._start(name, place, offered, environment, cpus, again=True, inside=inside)
        return node

    def _await(self, node: Node) -> None:
        deadline = time.monotonic() + START_SECONDS
        log = self.folder / node.name / "start.log"
        while "Ray runtime started" not in log.read_text(errors="replace"):
            if node.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace"))
            time.sleep(0.05)
        log.write_text("")

    def processes(self) -> list[psutil.Process]:
        """All that belongs to it, whoever its parent is now."""
        return [process for process in psutil.process_iter() if _mark(process) == str(self.folder)]

    def actors(self) -> dict[int, psutil.Process]:
        """The processes in which our workers are, by pid."""
        return {process.pid: process for process in self.processes() if "Host" in "".join(_title(process))}

    def at_work(self) -> list[psutil.Process]:
        """The processes in which our workers are, and our Ray tasks."""
        theirs = ("Host", "ray::help-")
        return [one for one in self.processes() if any(name in "".join(_title(one)) for name in theirs)]

    def log(self) -> str:
        """What our workers have written, wherever they were."""
        files = sorted(self.folder.glob("*/session_latest/logs/worker-*.err"))
        return "".join(path.read_text(errors="replace") for path in files)

    def log_of(self, pid: int) -> str:
        """What the worker in this process has written."""
        files = self.folder.glob(f"*/session_latest/logs/worker-*-{pid}.err")
        return "".join(path.read_text(errors="replace") for path in files)

    def stop(self) -> None:
        for node in self.nodes.values():
            node.process.send_signal(signal.SIGKILL)
        left = self.processes()
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, 10)
        for node in self.nodes.values():
            node.process.wait(10)


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK) if process.pid != os.getpid() else None
    except (psutil.Error, OSError):
        return None


def _title(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def cluster(host: str = "127.0.0.1", **environment: str) -> Iterator[Cluster]:
    """One without nodes yet, that asks for a token."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
    made = Cluster(folder, free_port(), {**token, MARK: str(folder), **environment}, host)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
