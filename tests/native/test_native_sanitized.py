"""The compiled modules once more, built so that every access to memory is watched: broken bytes and folds touch nothing
that is not theirs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from watched import REPORTED, environment

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("watched")
    _build(ROOT, target)
    return target


def _build(root: Path, target: Path) -> None:
    command = [sys.executable, str(root / "scripts" / "build_native.py"), "--sanitize", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def _run(folder: Path, *what: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "watched.py"), str(folder), *what]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.timeout(600)
def test_broken_bytes_touch_nothing_else(folder: Path) -> None:
    done = _run(folder, str(HERE / "broken.py"), "--cases", "2000", "--watched")
    assert done.returncode == 0, done.stderr[-5000:]
    assert done.stdout.startswith("2000 cases")


@pytest.mark.timeout(600)
def test_folds_and_refusals_touch_nothing_else(folder: Path) -> None:
    skipped = "not thousands and not joined and not collide and not without_end and not chains and not many_keys"
    suites = [str(HERE / f"test_native_{name}.py") for name in ("fold", "broken")]
    done = _run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", skipped, *suites)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert " passed" in done.stdout


@pytest.mark.timeout(600)
def test_a_read_behind_the_end_would_be_seen(tmp_path: Path) -> None:
    """One check is taken out of a copy, one of those that keep reads inside of what is there."""
    sources, root = ROOT / "src" / "disync" / "native", tmp_path / "checkout"
    copy = root / "src" / "disync" / "native"
    shutil.copytree(sources, copy, ignore=lambda _, names: [n for n in names if n.endswith((".so", ".pyx"))])
    for name in ("packets.pyx", "rows.pyx"):
        shutil.copy(sources / name, copy)
    (root / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "build_native.py", root / "scripts")
    checked = "if size < -1 or size > end - at:"
    text = (copy / "walk.pxd").read_text()
    assert checked in text
    (copy / "walk.pxd").write_text(text.replace(checked, "if size < -1:"))
    _build(root, tmp_path / "built")
    script = tmp_path / "reads.py"
    script.write_text("from disync.native import rows; rows.fields(b'\\0\\1\\0\\0\\1\\0a')")
    done = _run(tmp_path / "built", str(script))
    assert done.returncode == REPORTED, done.stderr[-3000:]
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
