"""Runs a script, or a module by `-m`, with the compiled modules of another folder.

    watched.py FOLDER [-m] NAME ARGUMENT...

In an environment from `environment()`, which makes the folder's reports end the process.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

REPORTED = 77
"""What a process ends with that a sanitizer has ended."""


def environment() -> dict[str, str]:
    """The sanitizer has to be there before Python is; Python's own memory has to come from where it looks."""
    library = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    ).stdout.strip()
    return {
        **os.environ,
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": f"detect_leaks=0:exitcode={REPORTED}:allocator_may_return_null=1",
        "UBSAN_OPTIONS": f"print_stacktrace=1:exitcode={REPORTED}",
        "PYTHONMALLOC": "malloc",
    }


def main() -> None:
    folder, *rest = sys.argv[1:]
    import disync

    disync.__path__.insert(0, f"{folder}/disync")
    from disync.native import rows

    assert str(rows.__file__).startswith(folder), rows.__file__
    if rest[0] == "-m":
        sys.argv = rest[1:]
        runpy.run_module(rest[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = rest
        sys.path.insert(0, os.path.dirname(rest[0]))
        runpy.run_path(rest[0], run_name="__main__")


if __name__ == "__main__":
    main()
