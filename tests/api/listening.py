"""The gateway behind uvicorn, in this process: what only a real connection shows."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading

import uvicorn
from calling import TASK, Caller

from disync.gateway.rpc import UVICORN_OPTIONS


class Listening:
    """A server in a thread, on a port of the system's choice."""

    def __init__(self) -> None:
        self.caller = Caller()
        self.caller.operations.outcome = {"Data": TASK}
        config = uvicorn.Config(self.caller.gateway, lifespan="off", log_level="critical", **UVICORN_OPTIONS)
        self.server = uvicorn.Server(config)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.socket])))
        self.thread.start()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()
        self.caller.close()
