"""The node of Ray beside the server in its pod, by the command that the chart renders: its raylet is killed, the
container is started again, and whoever joins anew does so through the new one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from charts import Document, of_kind, rendered

from netspace import Place, places
from ray_cluster import HASTE, Cluster, cluster
from servers import child_environment

HEAD = "prod-disync-ray-head-svc"

JOIN = """
import sys, ray
ray.init(address=sys.argv[1], _node_ip_address=sys.argv[2], log_to_driver=False)
print("joined", ray.util.get_node_ip_address())
"""


def containers() -> dict[str, Document]:
    (deployment,) = of_kind(rendered("ray"), "Deployment")
    return {one["name"]: one for one in deployment["spec"]["template"]["spec"]["containers"]}


@contextmanager
def sidecar(place: Place, ray: Cluster, environment: dict[str, str]) -> Iterator[psutil.Popen]:
    """As Kubernetes starts it. What is left of it is gone afterwards, as with a container."""
    container = containers()["ray"]
    script = container["args"][0].replace(f"{HEAD}:6379", ray.address)
    command = [*place.inside, *container["command"], script]
    process = psutil.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    started: list[psutil.Process] = []
    try:
        yield process
        started = process.children(recursive=True) if process.is_running() else []
    finally:
        for one in [process, *started]:
            if one.is_running():
                one.kill()
        process.wait(10)


def joined(place: Place, ray: Cluster, environment: dict[str, str], *before: str) -> str:
    command = [*place.inside, *before, sys.executable, "-c", JOIN, ray.address, place.host]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout.strip() or done.stderr


def test_a_raylet_that_dies_is_started_anew_and_the_cluster_is_joined_through_it() -> None:
    with places("api") as there, cluster(host="10.211.0.1") as ray:
        ray.head()
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        environment = child_environment(**{**HASTE, **ray.environment, "PATH": path})
        with sidecar(there["api"], ray, environment) as first:
            assert joined(there["api"], ray, environment) == f"joined {there['api'].host}"
            (raylet,) = [one for one in first.children(recursive=True) if "raylet/raylet" in " ".join(one.cmdline())]
            raylet.kill()
            assert first.wait(30) == 1, "the container ends, so Kubernetes starts it again"
        with sidecar(there["api"], ray, environment):
            assert joined(there["api"], ray, environment) == f"joined {there['api'].host}"
            # Why the pod's containers see each other's processes.
            alone = environment | {"RAY_gcs_server_request_timeout_seconds": "5"}
            said = joined(there["api"], ray, alone, "unshare", "--pid", "--fork", "--mount-proc")
            assert "joined" not in said and "ConnectionError" in said, said


def test_it_goes_after_the_server() -> None:
    """In a namespace of processes of its own, where no other server is."""
    hook = containers()["ray"]["lifecycle"]["preStop"]["exec"]["command"]
    server = "import sys; sys.stdin.read()"
    script = f"""
import subprocess, sys
server = subprocess.Popen([sys.executable, "-c", {server!r}, "serve"], stdin=subprocess.PIPE)
waiting = subprocess.Popen({hook!r})
try:
    waiting.wait(2)
except subprocess.TimeoutExpired:
    print("waits")
server.communicate()
print("ended", waiting.wait(20))
"""
    inside = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", script]
    done = subprocess.run(inside, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["waits", "ended 0"], done.stderr
