"""Whose turn it is to take a run: that of the worker which carries least, among those that serve the run's group.

Nobody hands runs out: each worker takes what is free, and this is what keeps the first one from taking all. What a
worker carries is the CUs of the tasks it holds, read from the store. One that holds nothing is not seen there; it takes
its first run without asking, and is seen from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from disync.store.instances import Carried, Free

PATIENCE_SECONDS = 2.0
"""A worker is given way to for so long after it was seen to take a run: it may be full, or frozen. One that lets go of
runs may be about to end, and is not waited for."""


EVEN = 0.9
"""Of what a worker carries: who carries so much counts as even, so that hundreds of runs are taken at everybody's pace
and not at the slowest one's."""


class Turns:
    def __init__(self) -> None:
        self._lighter: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
        """By worker and group: who carried less at its last look, how much, and since when it is given way to."""

    def of(self, worker: str, free: Sequence[Free], carried: Iterable[Carried], now: float) -> list[int]:
        """Those of the free runs that the worker may take."""
        loads: dict[str, float] = {}
        serving: dict[str, set[str]] = {}
        for each in carried:
            loads[each.worker] = loads.get(each.worker, 0.0) + each.cu
            serving.setdefault(each.group, set()).add(each.worker)
        groups = {each.group for each in free}
        for key in [key for key in self._lighter if key[0] == worker and key[1] not in groups]:
            del self._lighter[key]  # there was a time without anything to give way for
        own = loads.get(worker, 0.0)
        ours = set()
        for group in groups:
            lighter = {other: loads[other] for other in serving.get(group, ()) if loads[other] < own * EVEN}
            if self._comes((worker, group), lighter, now):
                ours.add(group)
        return [each.file_id for each in free if each.group in ours]

    def _comes(self, key: tuple[str, str], lighter: Mapping[str, float], now: float) -> bool:
        before, waits = self._lighter.get(key, {}), {}
        for other, load in lighter.items():
            seen, since = before.get(other, (0.0, now))
            if load < seen:
                since = now - PATIENCE_SECONDS
            waits[other] = (load, now if load > seen else since)
        self._lighter[key] = waits
        return all(now - since >= PATIENCE_SECONDS for _, since in waits.values())
