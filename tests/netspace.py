"""Network namespaces on a bridge: a hub, in which the test itself is, and places whose link can be cut."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

NETWORK = "10.211.0"
HUB = f"{NETWORK}.1"
CLONE_NEWNET = 0x40000000
LISTENS = "0A"
"""As the kernel writes the state of a socket."""
OWN_FILES = Path("/etc/netns")
"""What is here in a folder of a namespace's name, its processes find in /etc."""


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace with one link, to the hub. `port`: the hub's end of that."""

    name: str
    host: str
    hub: str
    port: str

    @property
    def inside(self) -> list[str]:
        """Before a command that is to run there. It becomes the command: the pid stays."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        _ip("-n", self.hub, "link", "set", self.port, "down")

    def mend(self) -> None:
        _ip("-n", self.hub, "link", "set", self.port, "up")


def listening(pid: int) -> set[tuple[IPv4Address | IPv6Address, int]]:
    """At which addresses and ports a process takes connections, in whichever namespace it is: psutil looks in ours."""
    sockets, found = set(), set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(os.readlink(each))
    for kind in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENS and f"socket:[{words[9]}]" in sockets:
                host, port = words[1].split(":")
                parts = [bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8)]
                found.add((ip_address(b"".join(parts)), int(port, 16)))
    return found


def _ip(*words: str) -> None:
    if shutil.which("ip") is None:
        raise RuntimeError("The command `ip` is missing: install iproute2.")
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise RuntimeError(
            f"`ip {' '.join(words)}` says: {done.stderr.strip()}. A cut of the network needs network namespaces: root "
            "with CAP_NET_ADMIN and CAP_SYS_ADMIN (in a container: --privileged)."
        )


@contextmanager
def places(*names: str, hosts: str = "") -> Iterator[dict[str, Place]]:
    """The calling thread, and what it starts, is in the hub meanwhile. `hosts`: what is in /etc/hosts of the places."""
    tag = f"disync{os.getpid()}"
    hub = f"{tag}-hub"
    made: dict[str, Place] = {}
    try:
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "set", "lo", "up")
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "address", "add", f"{HUB}/24", "dev", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        for number, name in enumerate(names, 2):
            made[name] = place = Place(f"{tag}-{name}", f"{NETWORK}.{number}", hub, f"port{number}")
            _ip("netns", "add", place.name)
            _ip("-n", hub, "link", "add", place.port, "type", "veth", "peer", "name", "link0", "netns", place.name)
            _ip("-n", hub, "link", "set", place.port, "master", "bridge", "up")
            _ip("-n", place.name, "address", "add", f"{place.host}/24", "dev", "link0")
            if hosts:
                own = OWN_FILES / place.name
                own.mkdir(parents=True)
                (own / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}\n")
            for link in ("lo", "link0"):
                _ip("-n", place.name, "link", "set", link, "up")
        with _entered(hub):
            yield made
    finally:
        for name in (hub, *(place.name for place in made.values())):
            shutil.rmtree(OWN_FILES / name, ignore_errors=True)
            with suppress(RuntimeError):
                _ip("netns", "delete", name)


@contextmanager
def _entered(name: str) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    # The thread's own: `/proc/self` is the one that the process began with.
    with Path("/proc/thread-self/ns/net").open() as before, Path(f"/run/netns/{name}").open() as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise RuntimeError(f"Cannot enter a network namespace: {os.strerror(ctypes.get_errno())}.")
        try:
            yield
        finally:
            libc.setns(before.fileno(), CLONE_NEWNET)
