"""What the chart's init container makes, by its own script: for each pod a certificate, with which a Ray cluster comes
up whose nodes are in networks of their own and call the head by the name of its service."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from charts import CHART, Document, pods, rendered
from cryptography import x509

from certificates import Certificates
from netspace import HUB, Place, places
from ray_cluster import cluster
from servers import child_environment

SERVICE = "prod-disync-ray-head-svc"
CALLED = f"{SERVICE}.data.svc.cluster.local"
"""The name that the operator tells, and by which it sends nodes to the head."""

WHERE = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
ask = ray.remote(resources={"rg_far": 1})(ray.util.get_node_ip_address)
print(ray.get(ask.remote(), timeout=60), sum(node["Alive"] for node in ray.nodes()))
"""


def authority(folder: Path) -> Path:
    """Made as the chart's README says."""
    folder.mkdir()
    text = (CHART / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^openssl req (?:.*\\\n)*.*$", text, re.MULTILINE)
    subprocess.run(["sh", "-ec", command], cwd=folder, check=True, capture_output=True, timeout=30)
    return folder


def maker(kind: str) -> Document:
    """The init container of the pod whose container is called so: api, ray-head or ray-worker."""
    templates = [template["spec"] for _, template in pods(rendered("tls"))]
    (found,) = [spec["initContainers"][0] for spec in templates if spec["containers"][0]["name"] == kind]
    return found


def run(kind: str, signs: Path, own: Path, addresses: str) -> subprocess.CompletedProcess[str]:
    """As Kubernetes would, with what the operator adds."""
    container = maker(kind)
    given = {one["name"]: one.get("value", addresses) for one in container["env"]}
    given |= {"AUTHORITY": str(signs), "OWN": str(own), "PATH": os.environ["PATH"]}
    given |= {"FQ_RAY_IP": CALLED} if kind.startswith("ray-") else {}
    own.mkdir(exist_ok=True)
    command = [*container["command"], *container["args"]]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=30, check=False)


def made(kind: str, signs: Path, own: Path, addresses: str) -> Certificates:
    done = run(kind, signs, own, addresses)
    assert done.returncode == 0, done.stderr
    return Certificates(own / "authority.crt", own / "own.crt", own / "own.key")


def meet(server: Certificates, client: Certificates, name: str) -> None:
    """Both show each other their certificates, the client having called by this name. Raises ssl.SSLError."""
    asked = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asked.verify_mode = ssl.CERT_REQUIRED
    asked.load_verify_locations(server.authority)
    asking = ssl.create_default_context(cafile=client.authority)
    asked.load_cert_chain(server.certificate, server.key)
    asking.load_cert_chain(client.certificate, client.key)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [asking.wrap_bio(back, there, server_hostname=name), asked.wrap_bio(there, back, server_side=True)]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority(tmp_path_factory.mktemp("authorities") / "first")


def test_a_pod_has_a_certificate_for_its_own_addresses_and_the_head_for_its_names(signs: Path, tmp_path: Path) -> None:
    loopback = {"localhost", os.uname().nodename, "127.0.0.1", "::1"}
    wanted = {
        "ray-head": {"10.1.0.1", "fd00::1", SERVICE, f"{SERVICE}.data", f"{SERVICE}.data.svc", CALLED},
        "ray-worker": {"10.1.0.1", "fd00::1"},
        "api": {"10.1.0.1", "fd00::1"},
    }
    for kind, names in wanted.items():
        own = made(kind, signs, tmp_path / kind, "10.1.0.1,fd00::1")
        assert sorted(path.name for path in own.key.parent.iterdir()) == ["authority.crt", "own.crt", "own.key"]
        assert own.key.stat().st_mode & 0o777 == 0o600
        assert own.authority.read_bytes() == (signs / "authority.crt").read_bytes()
        read = x509.load_pem_x509_certificate(own.certificate.read_bytes())
        known = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = [*known.get_values_for_type(x509.DNSName), *map(str, known.get_values_for_type(x509.IPAddress))]
        assert set(found) == loopback | names and len(found) == len(set(found))
        assert not read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert read.not_valid_after_utc - datetime.now(UTC) > timedelta(days=3000)


def test_pods_know_each_other_by_name_and_nobody_else(signs: Path, tmp_path: Path) -> None:
    head = made("ray-head", signs, tmp_path / "head", "10.1.0.1")
    node = made("ray-worker", signs, tmp_path / "node", "10.1.0.2")
    stranger = made("ray-worker", authority(tmp_path / "other"), tmp_path / "stranger", "10.1.0.2")
    for name in ("10.1.0.1", SERVICE, CALLED, "localhost"):
        meet(head, node, name)
    meet(node, head, "10.1.0.2")
    for server, client, name, why in (
        (head, node, "10.1.0.2", "IP address mismatch"),
        (node, head, SERVICE, "Hostname mismatch"),
        (stranger, node, "10.1.0.2", "certificate verify failed"),
        (head, stranger, SERVICE, "certificate verify failed"),
    ):
        with pytest.raises(ssl.SSLError, match=why):
            meet(server, client, name)


def test_two_authorities_count_while_one_takes_the_others_place(signs: Path, tmp_path: Path) -> None:
    """Of several certificates in the secret the first is the one that signs."""
    new, both = authority(tmp_path / "new"), tmp_path / "both"
    before = made("ray-worker", signs, tmp_path / "before", "10.1.0.2")
    both.mkdir()
    first, second = (folder / "authority.crt" for folder in (signs, new))
    (both / "authority.crt").write_bytes(first.read_bytes() + second.read_bytes())
    (both / "authority.key").write_bytes((signs / "authority.key").read_bytes())
    during = made("ray-head", both, tmp_path / "during", "10.1.0.1")
    (both / "authority.crt").write_bytes(second.read_bytes() + first.read_bytes())
    (both / "authority.key").write_bytes((new / "authority.key").read_bytes())
    after = made("ray-worker", both, tmp_path / "after", "10.1.0.3")
    meet(before, during, "10.1.0.2")
    meet(during, after, "10.1.0.1")
    meet(after, during, "10.1.0.3")


def test_an_authority_that_cannot_sign_stops_the_pod_and_says_why(signs: Path, tmp_path: Path) -> None:
    other, mixed = authority(tmp_path / "other"), tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "authority.crt").write_bytes((signs / "authority.crt").read_bytes())
    (mixed / "authority.key").write_bytes((other / "authority.key").read_bytes())
    own = made("ray-worker", signs, tmp_path / "own", "10.1.0.2")
    node = tmp_path / "node"
    node.mkdir()
    (node / "authority.crt").write_bytes(own.certificate.read_bytes())
    (node / "authority.key").write_bytes(own.key.read_bytes())
    for folder, why in ((mixed, "do not match"), (node, "verification failed")):
        done = run("ray-worker", folder, tmp_path / "made", "10.1.0.2")
        assert done.returncode != 0
        assert re.search(why, done.stderr + done.stdout), done.stderr


def test_a_ray_cluster_comes_up_with_a_certificate_for_each_pod(signs: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        there = stack.enter_context(places("node", "api", hosts=f"{HUB} {SERVICE} {CALLED}"))
        own = {
            "head": _environment(made("ray-head", signs, tmp_path / "head", HUB)),
            "node": _environment(made("ray-worker", signs, tmp_path / "node", there["node"].host)),
            "api": _environment(made("api", signs, tmp_path / "api", there["api"].host)),
        }
        ray = stack.enter_context(cluster(host=HUB))
        ray.head(**own["head"])
        ray.host = CALLED  # to the others
        ready = [str(Path(sys.executable).parent / "ray"), "health-check", "--address", ray.address]
        assert inside(there["node"], ready, own["node"] | ray.client).returncode == 0
        ray.node("node", "far", place=there["node"], **own["node"])
        ray.host = SERVICE
        ray.node("api", cpus=0, place=there["api"], **own["api"])
        asked = inside(there["api"], [sys.executable, "-c", WHERE, ray.address], own["api"] | ray.client)
        assert asked.stdout.split() == [there["node"].host, "3"], asked.stderr[-3000:]


def inside(place: Place, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = child_environment(**environment)
    return subprocess.run([*place.inside, *command], env=env, capture_output=True, text=True, timeout=120, check=False)


def _environment(own: Certificates) -> dict[str, str]:
    """As the chart's test finds it in every container."""
    files = {"SERVER_CERT": own.certificate, "SERVER_KEY": own.key, "CA_CERT": own.authority}
    return {f"RAY_TLS_{name}": str(file) for name, file in files.items()} | {"RAY_USE_TLS": "1"}
