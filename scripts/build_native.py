"""Compiles src/disync/native in place: run by the package's build, and by hand as `python scripts/build_native.py`.

It needs a C compiler and Python's headers. `--sanitize FOLDER` puts a build that watches every access to memory there.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "disync" / "native"
WATCHED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1"]
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


def build(target: Path, flags: list[str]) -> None:
    """Compile every module into the package `disync.native` below `target`; what is fresh stays as it is."""
    names = sorted(path.stem for path in SOURCES.glob("*.pyx"))
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        extensions = [
            Extension(
                f"disync.native.{name}",
                [f"src/disync/native/{name}.pyx"],
                extra_compile_args=["-O3", "-fwrapv", "-Wno-unused-function", *flags],
                extra_link_args=flags,
            )
            for name in names
        ]
        work = "build/native-watched" if flags else "build/native"
        distribution = Distribution(
            {
                "name": "disync-native",
                "package_dir": {"": "src"},
                "ext_modules": cythonize(
                    extensions, build_dir=work, include_path=["src"], compiler_directives=DIRECTIVES, quiet=True
                ),
            }
        )
        command = build_ext(distribution)
        command.build_lib, command.build_temp, command.parallel = str(target), work, os.cpu_count()
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)


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
