"""What an operator's tools ask beside the API: /healthz, /readyz and /metrics. What is the console's goes to its door,
all else to the gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from disync.console.door import Door
from disync.gateway.rpc import Gateway
from disync.services.clock import now_ms
from disync.services.instances import State, state
from disync.services.lineage.outbox import Outbox
from disync.services.watch.watch import STALE_MS
from disync.store import instances, samples
from disync.store.database import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Probes:
    """`ready` tells whether all workers are up; `more`: what is told at /metrics besides requests and tasks."""

    def __init__(
        self,
        gateway: Gateway,
        console: Door,
        store: Store,
        requests: Requests,
        ready: Callable[[], bool],
        more: Sequence[Collector] = (),
    ) -> None:
        self._gateway = gateway
        self._console = console
        # Only ever asked with path `/`, so no probe is missed.
        self.answer_now = gateway.answer_now
        self._store = store
        self._ready = ready
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        for collector in (requests, *more, Tasks(store)):
            self._registry.register(collector)
        self._answers: dict[str, Callable[[], Response]] = {
            "/healthz": lambda: PlainTextResponse("ok\n"),
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answers.get(scope["path"]) if scope["type"] == "http" else None
        if answer is None:
            inner = self._console if self._console.serves(scope.get("path", "")) else self._gateway
            await inner(scope, receive, send)
            return
        response = await run_in_threadpool(answer)
        await response(scope, receive, send)

    def _readyz(self) -> Response:
        missing = [name for name, up in (("store", self._store.reachable()), ("workers", self._ready())) if not up]
        if "store" not in missing and (why := self._store.unwritable()):
            missing.insert(0, f"store ({why})")
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


class Tracing(Collector):
    """What has become of lineage events, by who was to be told."""

    def __init__(self, outboxes: Sequence[Outbox]) -> None:
        self._outboxes = outboxes

    def collect(self) -> Iterator[Metric]:
        what = "Lineage events that were sent, refused for good, or dropped as too many waited; attempts that failed"
        events = CounterMetricFamily("disync_lineage_events", what, labels=["receiver", "outcome"])
        for outbox in self._outboxes:
            for outcome in ("sent", "refused", "failed", "dropped"):
                events.add_metric([outbox.name, outcome], getattr(outbox, outcome))
        yield events


class Tasks(Collector):
    """The tasks' figures, read from the store when asked: the same whichever process answers. At most TOLD of them,
    those that were started last, so that the number of series is bounded."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("disync_store_up", "1 while the store answers; without it no task has figures")
        tasks = GaugeMetricFamily("disync_tasks", "Tasks that were ever started; those told of are at most 1000")
        try:
            with self._store.read() as db:
                rows = sorted(instances.overview(db), key=lambda row: row.started_ms, reverse=True)
                latest = samples.latest(db, [row.file_id for row in rows[:TOLD]], now_ms() - STALE_MS)
            up.add_metric([], 1.0)
            tasks.add_metric([], float(len(rows)))
        except SQLAlchemyError:
            rows, latest = [], {}
            up.add_metric([], 0.0)
        yield from (up, tasks, *_families(rows[:TOLD], latest))


TOLD = 1000
"""Tasks that /metrics tells of: each has 13 series."""

LABELS = ("file_id", "name", "type", "workspace")


def _families(rows: Sequence[Any], latest: Mapping[int, Any]) -> list[Metric]:
    running = GaugeMetricFamily("disync_task_running", "1 while a worker runs the task", labels=LABELS)
    states = GaugeMetricFamily("disync_task_state", "1 for the state that the task is in", labels=(*LABELS, "state"))
    delay = GaugeMetricFamily("disync_task_delay_seconds", "How old the target is, where that is known", labels=LABELS)
    memory = GaugeMetricFamily("disync_task_worker_memory_bytes", "Memory of the worker that runs it", labels=LABELS)
    counters = {
        "rows_read": CounterMetricFamily("disync_task_rows_read", "Rows read from the source", labels=LABELS),
        "bytes_read": CounterMetricFamily("disync_task_bytes_read", "Bytes read from the source", labels=LABELS),
        "rows_written": CounterMetricFamily("disync_task_rows_written", "Rows durable in the target", labels=LABELS),
        "rows_dirty": CounterMetricFamily("disync_task_rows_dirty", "Rows that the target refused", labels=LABELS),
        "failovers": CounterMetricFamily("disync_task_failovers", "Runs that ended by a failure", labels=LABELS),
    }
    for row in rows:
        of, now = [str(row.file_id), row.name, row.task_type, str(row.workspace_id)], state(row)
        running.add_metric(of, float(row.running))
        for each in State:
            states.add_metric([*of, str(each)], float(each is now))
        if now is State.RUN and (sample := latest.get(row.file_id)) is not None:
            memory.add_metric(of, float(sample.memory_bytes))
            if sample.delay_ms is not None:
                delay.add_metric(of, sample.delay_ms / 1000)
        for name, counter in counters.items():
            counter.add_metric(of, getattr(row, name))
    return [running, states, delay, memory, *counters.values()]
