"""Compiles src/disync/native in place: run by the package's build, and by hand as `python scripts/build_native.py`.

It needs a C compiler and Python's headers. `--sanitize FOLDER` puts a build that watches every access to memory there.
"""

from __future__ import annotations

import argparse
import fcntl
import filecmp
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "disync" / "native"
SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))
WATCHED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g1", "-O0"]
DIRECTIVES = {"language_level": 3, "cdivision": True, "boundscheck": False, "wraparound": False}


class NativeBuild(BuildHookInterface[Any]):
    """Hatchling calls it before it makes a wheel, also an editable one."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version
        if self.target_name != "wheel":
            return
        build(ROOT / "src", [])
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        # Modules that another version of Python has left here stay here.
        build_data["artifacts"] += [f"src/disync/native/*{SUFFIX}"]


def build(target: Path, flags: list[str]) -> None:
    """Compile every module into the package `disync.native` below `target`; what is fresh stays as it is.

    A module appears there whole or not at all, whatever stops the compiler. Whoever builds in the same checkout waits.
    """
    work = Path("build", "native-watched" if flags else "native", str(sys.implementation.cache_tag))
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        work.mkdir(parents=True, exist_ok=True)
        with (work / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _compile(work, flags)
            for path in SOURCES.glob("*.pyx"):
                built = work / "lib" / "disync" / "native" / f"{path.stem}{SUFFIX}"
                _put(built, target / "disync" / "native" / built.name)
    finally:
        os.chdir(before)


def _compile(work: Path, flags: list[str]) -> None:
    extensions = [
        Extension(
            f"disync.native.{path.stem}",
            [f"src/disync/native/{path.name}"],
            extra_compile_args=["-O3", "-fwrapv", "-Wno-unused-function", *flags],
            extra_link_args=flags,
            depends=["scripts/build_native.py"],
        )
        for path in sorted(SOURCES.glob("*.pyx"))
    ]
    modules = cythonize(
        extensions, build_dir=str(work), include_path=["src"], compiler_directives=DIRECTIVES, quiet=True
    )
    command = build_ext(Distribution({"name": "disync-native", "package_dir": {"": "src"}, "ext_modules": modules}))
    command.build_lib, command.build_temp, command.parallel = str(work / "lib"), str(work), os.cpu_count()
    command.ensure_finalized()
    command.run()


def _put(built: Path, place: Path) -> None:
    """Put a module in its place in one step: processes that have the old one open keep it."""
    if place.exists() and filecmp.cmp(built, place, shallow=False):
        return
    copy = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        shutil.copy2(built, copy)
        copy.replace(place)
    finally:
        copy.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sanitize", metavar="FOLDER", type=Path, help="where the watched build goes")
    chosen = parser.parse_args()
    if chosen.sanitize is None:
        build(ROOT / "src", [])
        return
    package = chosen.sanitize.resolve() / "disync" / "native"
    shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("*.so", "*.pyx", "*.pxd"), dirs_exist_ok=True)
    build(chosen.sanitize.resolve(), WATCHED)


if __name__ == "__main__":
    main()
