"""The demo's processes: each known by a file in the demo's home, so that a later demo ends them and nothing else.

Such a file holds the process's id and a mark that its command line has. A process without the mark is somebody
else's, which has got the same number since: it is left alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from disync.model.errors import Refused

PREFIX = "disync-demo-"
STOP_SECONDS = 15

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those started by this very process, which has to take note of their end."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: `mark` is a word of `command` that no other process has, `ends_by` the signal that ends it soon.

    `user`: whom to become, for a server that refuses to run as root.
    """

    name: str
    command: Sequence[str]
    mark: str
    ends_by: int = signal.SIGTERM
    user: str | None = None


def start(home: Path, program: Program, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start it apart from the terminal, its output in `<name>.log`, and remember it."""
    with log_of(home, program.name).open("wb") as output:
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            cwd=folder_of(home, program.name) if program.user else None,
            user=program.user,
            group=program.user,
            extra_groups=_groups(program.user),
        )
    _children[process.pid] = process
    (home / f"{program.name}.pid").write_text(f"{process.pid} {program.ends_by:d}\n{program.mark}")
    return process


def log_of(home: Path, name: str) -> Path:
    return home / f"{name}.log"


def pids(home: Path) -> list[int]:
    """Of all that were started here and still run, the latest first: what leans on another ends before it."""
    files = sorted(home.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [pid for pid, _, mark in map(_read, files) if _runs(pid, mark)]


def stop_all(home: Path) -> list[int]:
    """End all that were started here, the latest first, and remove the folders that lie elsewhere. Those ended."""
    ended = []
    for path in sorted(home.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns, reverse=True):
        pid, number, mark = _read(path)
        if _stop(pid, number, mark):
            ended.append(pid)
        path.unlink()
    for link in [path for path in home.iterdir() if path.is_symlink()]:
        if link.readlink().name.startswith(PREFIX):
            shutil.rmtree(link.readlink(), ignore_errors=True)
        link.unlink()
    return ended


def make_folder(home: Path, name: str, owner: str | None) -> Path:
    """A folder for the files of a server. One that runs as somebody else can seldom enter the demo's home: its folder
    is made among the temporary ones, and the home holds a link to it."""
    if owner is None:
        (home / name).mkdir()
        return home / name
    made = Path(tempfile.mkdtemp(prefix=PREFIX))
    shutil.chown(made, owner, owner)
    (home / name).symlink_to(made)
    return made


def folder_of(home: Path, name: str) -> Path:
    return (home / name).resolve()


def run_once(command: Sequence[str], folder: Path, user: str | None) -> None:
    """Run a program that prepares something to its end; Refused, with what it said, when it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
        user=user,
        group=user,
        extra_groups=_groups(user),
    )
    if done.returncode:
        raise Refused(f"{command[0]} failed: {(done.stderr or done.stdout).decode(errors='replace')[-2000:]}")


def owner_for(name: str) -> str | None:
    """Root lends a database server this user; anyone else runs it as himself."""
    return name if os.geteuid() == 0 else None


def _groups(user: str | None) -> list[str] | None:
    """None of root's groups for somebody else."""
    return [] if user else None


def _read(path: Path) -> tuple[int, int, str]:
    """(pid, signal, mark) of a file; the pid is 0, which is nobody's, where the file was not written to its end."""
    first, _, mark = path.read_text().partition("\n")
    try:
        pid, number = map(int, first.split())
    except ValueError:
        return 0, 0, ""
    return pid, number, mark


def _runs(pid: int, mark: str) -> bool:
    """Whether the process is there and is the one that was started. What has ended has no command line any more."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return bool(mark) and mark.encode() in words
    return False


def _stop(pid: int, number: int, mark: str) -> bool:
    """End a process that was started here; whether there was one. One that does not obey in time is killed."""
    found = _runs(pid, mark)
    deadline = time.monotonic() + STOP_SECONDS
    for sign in (number, signal.SIGKILL):
        with suppress(ProcessLookupError):
            if _runs(pid, mark):
                os.kill(pid, sign)
        while _runs(pid, mark) and time.monotonic() < deadline:
            time.sleep(0.05)
        deadline += STOP_SECONDS
    if child := _children.pop(pid, None):
        child.wait()
    return found
