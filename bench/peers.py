"""The programs that stand beside ours, each from an environment of its own, in the fastest of its ways we found."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import memory
from bench.databases import DATABASE, PASSWORD, USER, Databases
from servers import child_environment

_CLIENTS = Path(__file__).parents[1] / ".cache/clients"
_LONGEST_SECONDS = 1200
_LOOK_SECONDS = 0.2
_SECONDS = re.compile(r"^SECONDS ([\d.]+)$", re.MULTILINE)

PGLOADER_OPTIONS = "workers = 2, concurrency = 1, batch rows = 50000, prefetch rows = 10000"
_PGLOADER = """
LOAD DATABASE FROM {source} INTO {target}
WITH data only, include no drop, {options}
CAST type tinyint to smallint drop typemod
INCLUDING ONLY TABLE NAMES MATCHING '{table}'
ALTER SCHEMA '{database}' RENAME TO '{schema}';
"""
_PGLOADER_TIME = re.compile(r"Total import time\s+\S+\s+\d+\s+\S+ \S+\s+(?:(\d+)m)?([\d.]+)s")


@dataclass(frozen=True, slots=True)
class Ran:
    """How long a program worked, by its own clock where it has one, and the most memory that it held."""

    seconds: float
    rss_mb: float


def installed(client: str, path: str) -> Path:
    found = _CLIENTS / client / path
    if not found.exists():
        raise RuntimeError(f"{client} is not installed: run `make bench`, or `scripts/install bench`")
    return found


def pgloader(servers: Databases, table: str, schema: str) -> Ran:
    """Into a table that is there (those it makes itself get no key here); its own time, without its start."""
    if shutil.which("pgloader") is None:
        raise RuntimeError("pgloader is not installed: run `make bench`, or `scripts/install bench`")
    told = _PGLOADER.format(
        source=servers.source_url,
        target=servers.target,
        options=PGLOADER_OPTIONS,
        table=table,
        database=DATABASE,
        schema=schema,
    )
    with tempfile.TemporaryDirectory(prefix="pgloader-") as folder:
        script = Path(folder, "bench.load")
        script.write_text(told, encoding="utf-8")
        output, ran = run(["pgloader", "--root-dir", folder, str(script)])
    found = _PGLOADER_TIME.search(output)
    if found is None:
        raise RuntimeError(f"pgloader did not end well:\n{output}")
    return Ran(60 * int(found[1] or 0) + float(found[2]), ran.rss_mb)


def sling(servers: Databases, table: str, schema: str) -> Ran:
    """Into a table that is there, straight, without the table of its own that it takes by default."""
    (program,) = (_CLIENTS / "sling").glob("lib/*/site-packages/sling_linux_amd64/bin/sling-linux-amd64")
    command = [str(program), "run", "--src-conn", "BENCH_SOURCE", "--src-stream", f"{DATABASE}.{table}"]
    command += ["--tgt-conn", "BENCH_TARGET", "--tgt-object", f"{schema}.{table}", "--mode", "truncate"]
    with tempfile.TemporaryDirectory(prefix="sling-") as folder:
        _, ran = run(
            command,
            HOME=folder,
            SLING_HOME_DIR=folder,
            SLING_DISABLE_TELEMETRY="TRUE",
            SLING_DIRECT_INSERT="TRUE",
            BENCH_SOURCE=servers.source_url,
            BENCH_TARGET=f"{servers.target}?sslmode=disable",
        )
    return ran


def dlt(servers: Databases, tables: Sequence[str], schema: str) -> Ran:
    """Into tables that it makes itself, without a key; ConnectorX reads, COPY of CSV writes."""
    # It demands a password, which the server does not ask for.
    target = servers.target.replace("postgres@", "postgres:any@", 1)
    with tempfile.TemporaryDirectory(prefix="dlt-") as folder:
        arguments = [servers.source_url, DATABASE, target, schema, folder, *tables]
        output, ran = run(python("dlt", "load.py", *arguments), DLT_DATA_DIR=folder)
    return Ran(_told(output), ran.rss_mb)


def mysql_replication(servers: Databases, place: Sequence[str], events: int, *target: str) -> Ran:
    """The first events after a place in the log (file and position): thrown away, or into a table of the target.

    `target`: the table, and its key.
    """
    arguments = [str(servers.source.port), USER, PASSWORD, *place, str(events)]
    arguments += [servers.target, *target] if target else []
    output, ran = run(python("mysql-replication", "follow.py", *arguments))
    return Ran(_told(output), ran.rss_mb)


def python(client: str, script: str, *arguments: str) -> list[str]:
    """A command that runs a script of ours in the client's environment."""
    path = Path(__file__).with_name(client) / script
    return [str(installed(client, "bin/python")), "-W", "ignore", str(path), *arguments]


def run(command: Sequence[str], **environment: str) -> tuple[str, Ran]:
    """What it printed, and how long it took from its start to its end."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as printed:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=printed, stderr=printed, env=child_environment(**environment))
        try:
            most = _watched(process, began + _LONGEST_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        seconds = time.perf_counter() - began
        printed.seek(0)
        output = printed.read()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{output[-4000:]}")
    return output, Ran(seconds, most)


def _told(output: str) -> float:
    """What one of our scripts printed, among whatever the program that it used had to say."""
    found = _SECONDS.search(output)
    if found is None:
        raise RuntimeError(f"no time was told:\n{output[-4000:]}")
    return float(found[1])


def _watched(process: subprocess.Popen[bytes], deadline: float) -> float:
    most = 0.0
    while True:
        try:
            process.wait(_LOOK_SECONDS)
            return most
        except subprocess.TimeoutExpired:
            most = max(most, memory.peak_mb(process.pid))
            if time.perf_counter() > deadline:
                raise
