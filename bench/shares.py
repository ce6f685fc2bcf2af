"""Processes that are held to a share of a core: the kernel's control groups, which want root."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 20_000


@contextmanager
def held_to(share: float, pids: Sequence[int]) -> Iterator[None]:
    """Each of the processes, with what it starts, gets this share of one core while the block lasts, and no more."""
    try:
        folders = [_group(pid, round(share * _PERIOD_US)) for pid in pids]
    except OSError as error:
        raise RuntimeError(f"This wants root, and control groups that may be written in {_ROOT}: {error}") from error
    try:
        yield
    finally:
        for folder in folders:
            for pid in (folder / "cgroup.procs").read_text().split():
                (folder.parent / "cgroup.procs").write_text(pid)
            folder.rmdir()


def _group(pid: int, quota_us: int) -> Path:
    second = (_ROOT / "cgroup.controllers").exists()
    folder = (_ROOT if second else _ROOT / "cpu") / f"disync-bench-{os.getpid()}-{pid}"
    if second:
        (_ROOT / "cgroup.subtree_control").write_text("+cpu")
    folder.mkdir()
    if second:
        (folder / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}")
    else:
        (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        (folder / "cpu.cfs_quota_us").write_text(str(quota_us))
    (folder / "cgroup.procs").write_text(str(pid))
    return folder
