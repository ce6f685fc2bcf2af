"""What an operator's tools ask beside the API: /healthz, /readyz and /metrics. All else goes on to the gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from disync.gateway.rpc import Gateway
from disync.store import instances
from disync.store.database import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Probes:
    """`ready` tells whether all workers are up."""

    def __init__(self, gateway: Gateway, store: Store, requests: Requests, ready: Callable[[], bool]) -> None:
        self._gateway = gateway
        # Only ever asked with path `/`, so no probe is missed.
        self.answer_now = gateway.answer_now
        self._store = store
        self._ready = ready
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(requests)
        self._registry.register(Tasks(store))
        self._answers: dict[str, Callable[[], Response]] = {
            "/healthz": lambda: PlainTextResponse("ok\n"),
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answers.get(scope["path"]) if scope["type"] == "http" else None
        if answer is None:
            await self._gateway(scope, receive, send)
            return
        response = await run_in_threadpool(answer)
        await response(scope, receive, send)

    def _readyz(self) -> Response:
        missing = [name for name, up in (("store", self._store.reachable()), ("workers", self._ready())) if not up]
        if missing:
            return PlainTextResponse(f"not ready: {', '.join(missing)}\n", status_code=503)
        return PlainTextResponse("ready\n")

    def _metrics(self) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE)


class Requests(Collector):
    """What the gateway answered, as it tells through `observe`."""

    def __init__(self) -> None:
        labels = ["action", "status"]
        self._count = Counter("disync_api_requests", "API requests answered", labels, registry=None)
        self._seconds = Histogram("disync_api_request_seconds", "Time to answer", ["action"], registry=None)
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def observe(self, action: str, status: int, seconds: float) -> None:
        metrics = self._known.get((action, status))
        if metrics is None:
            metrics = self._count.labels(action, str(status)), self._seconds.labels(action)
            self._known[action, status] = metrics
        count, duration = metrics
        count.inc()
        duration.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        yield from self._count.collect()
        yield from self._seconds.collect()


class Tasks(Collector):
    """The tasks' counters, read from the store when asked: the same figures whichever process answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        labels = ["file_id", "name"]
        running = GaugeMetricFamily("disync_task_running", "1 while a worker runs the task", labels=labels)
        read = CounterMetricFamily("disync_task_rows_read", "Rows read from the source", labels=labels)
        size = CounterMetricFamily("disync_task_bytes_read", "Bytes read from the source", labels=labels)
        written = CounterMetricFamily("disync_task_rows_written", "Rows durable in the target", labels=labels)
        dirty = CounterMetricFamily("disync_task_rows_dirty", "Rows that the target refused", labels=labels)
        failovers = CounterMetricFamily("disync_task_failovers", "Runs that ended by a failure", labels=labels)
        up = GaugeMetricFamily("disync_store_up", "1 while the store answers; without it no task has figures")
        try:
            with self._store.read() as db:
                rows = instances.overview(db)
            up.add_metric([], 1.0)
        except SQLAlchemyError:
            rows = []
            up.add_metric([], 0.0)
        for row in rows:
            of = [str(row.file_id), row.name]
            running.add_metric(of, float(row.running))
            read.add_metric(of, row.rows_read)
            size.add_metric(of, row.bytes_read)
            written.add_metric(of, row.rows_written)
            dirty.add_metric(of, row.rows_dirty)
            failovers.add_metric(of, row.failovers)
        return iter((up, running, read, size, written, dirty, failovers))
