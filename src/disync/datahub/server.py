"""The server process: one event loop, one socket, one home folder."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from disync.datahub.http import application
from disync.datahub.hub import Hub

SWEEP_SECONDS = 60.0
GRACE_SECONDS = 3

KEEP_ALIVE_SECONDS = 75
"""An idle connection is kept this long. The vendor's consumer sends a heartbeat every five seconds over a pooled one,
and gives up when that is reset: the usual limit of five seconds would end it by chance."""


def serve(
    host: str,
    port: int,
    home: Path,
    secret_of: Callable[[str], str | None],
    stop: threading.Event | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or until `stop` is set (for a server in a thread). Port 0: any free one.

    Prints `datahub listening on http://HOST:PORT` when it takes requests. `secret_of` is asked on every request, in
    the event loop: it must not block.
    """
    _raise_file_limit()
    with _listen(host, port) as listener, asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(listener, host, home, secret_of, stop))


async def _serve(
    listener: socket.socket,
    host: str,
    home: Path,
    secret_of: Callable[[str], str | None],
    stop: threading.Event | None,
) -> None:
    hub = Hub(home)
    config = uvicorn.Config(
        application(hub, secret_of),
        http="httptools",
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    server = _Server(config)
    sweeping = asyncio.create_task(hub.keep_swept(SWEEP_SECONDS))
    stopping = asyncio.create_task(_stop_when_told(server, stop))
    announcing = asyncio.create_task(_announce(server, f"http://{host}:{listener.getsockname()[1]}"))
    try:
        await server.serve([listener])
    finally:
        for task in (sweeping, stopping, announcing):
            task.cancel()
        await hub.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not uvicorn's way, which ends the process by the signal before the hub is closed."""
        yield


async def _stop_when_told(server: uvicorn.Server, stop: threading.Event | None) -> None:
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, setattr, server, "should_exit", True)
    while stop is not None and not stop.is_set():
        await asyncio.sleep(0.1)
    if stop is not None:
        server.should_exit = True


async def _announce(server: uvicorn.Server, endpoint: str) -> None:
    while not server.started:
        await asyncio.sleep(0.005)
    print(f"datahub listening on {endpoint}", flush=True)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not made for Windows
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio sets TCP_NODELAY only then, without which every answer is 40 ms late.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _raise_file_limit() -> None:
    """A shard keeps one file open, a client one socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
