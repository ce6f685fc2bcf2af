"""docs/scale.md has what the models of bench/ compute from the figures that are kept, and the models tell what was
measured."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NEAR = 0.3
"""How far a point may be from what is told of it, as a share of what was measured."""
PACED = 0.5
"""The same of how long a first placement takes, which was measured on two cores that others kept busy."""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(sys, "path", sys.path.copy())  # which bench puts the folder of the tests on
    return import_module("bench.model")


@pytest.fixture
def placing(model: Any) -> Any:
    return model.placing


@pytest.fixture
def bulk(model: Any) -> Any:
    return model.bulk


def test_the_page_has_what_the_models_compute(model: Any) -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert model.page(page) == page, "write it anew: python -m bench.model --docs"
    for name, table in model.tables().items():
        assert page.count(f"<!-- scale: {name} -->\n{table}\n<!-- scale: end -->") == 1, name


def test_points_that_the_model_was_not_made_from_are_near_what_it_says(model: Any) -> None:
    found = model.errors(model.points())
    assert {point.workers for point, _, _ in found} >= {1, 2, 4}
    assert len(found) == len([point for point in model.points() if point.tasks]) - len(model.makers(model.points()))
    far = [(point, store, workers) for point, store, workers in found if max(abs(store), abs(workers)) > NEAR]
    assert not far


def test_what_was_measured_of_placement_is_near_what_is_simulated(placing: Any) -> None:
    found = placing.pairs(placing.kept())
    assert {measured.workers for measured, _ in found} >= {1, 2, 4, 10}
    for measured, simulated in found:
        for field, near in (("seconds", PACED), ("lost_seconds", NEAR)):
            was, told = getattr(measured, field), getattr(simulated, field)
            assert abs(told - was) <= near * was, (field, measured, simulated)
        assert measured.most - measured.fewest <= 0.1 * measured.most + 1, measured


def test_a_worker_cannot_hold_what_takes_more_than_its_core(model: Any) -> None:
    worker = model.Cost.of(model.points()).workers
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in model.tables()["tasks"].splitlines()[2:]]
    assert rows
    for workers, share, *_, cores in rows:
        count, saves = int(workers.split()[0]), model.TASKS * int(share.rstrip("%")) / 100 * model.SAVES
        each = worker.worker + (model.TASKS * worker.task + saves * worker.checkpoint) / count
        assert float(cores.split()[0]) == pytest.approx(each, abs=0.01)
        assert ("no worker can" in cores) == (each > 1)


def test_a_load_waits_for_the_least_of_what_each_can_do(bulk: Any) -> None:
    assert bulk.slowest(50.0) == ("source", 50e6)
    name, rate = bulk.slowest()
    assert rate == min(bulk.rates().values()) == bulk.rates()[name]
    assert bulk.slowest(1e6)[0] != "source"


def test_a_row_passes_the_network_twice_and_each_way_of_a_link_once(bulk: Any) -> None:
    *_, thousand = bulk.load(125.0)
    read, network, _, links, _ = [cell.strip() for cell in thousand.split("|")][2:-1]
    assert (read, network) == ("125.00", "250.00")
    assert links == "100.0, 40.0, 10.0", "of 1.25, 3.125 and 12.5 GB/s each way"
