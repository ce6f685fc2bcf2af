"""A job is read by its hops; every problem is named by its place in the JSON."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disync.model.errors import Refused
from disync.model.job import Hop, dirty_limit, parse, warnings

SEED = (Path(__file__).parent.parent / "golden" / "seed-code.json").read_text().rstrip("\n")


def job(*hops: tuple[str, str], names: str = "", **more: Any) -> str:
    steps = [{"name": name, "stepType": "memory", "parameter": {}} for name in names.split()]
    order = {"hops": [{"from": source, "to": target} for source, target in hops]}
    return json.dumps({"steps": steps, "order": order, **more})


def refusal(code: str) -> str:
    with pytest.raises(Refused) as caught:
        parse(code)
    return str(caught.value)


def test_the_seed_reads_where_its_hop_begins_whatever_its_categories_say() -> None:
    seed = parse(SEED)
    assert seed.source.name == "datahub_8htXSsfiS2vtZCVG"
    assert seed.target.name == "datahub_CRHBAyGfhSaLmv2f"
    assert seed.hops == (Hop(seed.source.name, seed.target.name),)
    assert seed.source.data_sources == (("datahub_uric_test", "$.steps[1].parameter.datasource"),)
    assert seed.target.place == "$.steps[0]"
    assert seed.resource_group == "S_res_group_287114642182658_1560324290517"
    assert seed.setting.dirty is None
    assert seed.code is SEED
    assert warnings(seed) == []


def test_steps_come_in_the_order_of_the_flow() -> None:
    chain = parse(job(("b", "c"), ("a", "b"), names="c b a"))
    assert [step.name for step in chain.steps] == ["a", "b", "c"]
    assert [step.name for step in chain.transforms] == ["b"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "$: this is not JSON"),
        ('{"steps":', "$: this is not JSON"),
        ("[" * 100_000, "$: this JSON is nested too deeply"),
        ("[]", "$: a task is a JSON object."),
        ("{}", "$.steps: a task needs a list of steps"),
        ('{"steps":{}}', "$.steps: a task needs a list of steps"),
        ('{"steps":[7],"order":{"hops":[]}}', "$.steps[0]: a step must be an object."),
        ('{"steps":[{"stepType":"a"}]}', "$.steps[0].name: every step needs a name."),
        ('{"steps":[{"name":"a"}]}', "$.steps[0].stepType: every step needs a stepType."),
        ('{"steps":[{"name":"a","stepType":"","parameter":[]}]}', "$.steps[0].parameter: this must be an object."),
        (job(names="a b"), "$.order.hops: a task needs a list of hops"),
        (job(("a", "b"), names="a b a"), '$.steps[2].name: $.steps[0] is named "a" too.'),
        (job(("x", "b"), names="a b"), '$.order.hops[0].from: no step is named "x".'),
        (job(("a", "x"), names="a b"), '$.order.hops[0].to: no step is named "x".'),
        ('{"steps":[{"name":"a","stepType":"b"}],"order":{"hops":[null]}}', "$.order.hops[0].from: a hop names a step"),
        (job(("a", "b"), names="a b c"), '$.steps[2]: no hop touches the step "c".'),
        (job(("a", "c"), ("b", "c"), names="a b c"), '$.order.hops: a task has one source, this one has 2: "a", "b".'),
        (job(("a", "b"), ("a", "c"), names="a b c"), '$.order.hops: a task has one target, this one has 2: "b", "c".'),
        (job(("a", "b"), ("b", "a"), names="a b"), '$.order.hops: the hops go round in a loop at "a", "b".'),
        (job(("a", "a"), names="a"), '$.order.hops: the hops go round in a loop at "a".'),
        (job(("a", "b"), ("b", "c"), ("c", "b"), names="a b c"), "the hops go round in a loop"),
        (job(("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), names="a b c d"), "only one hop may lead to and from"),
        (job(("a", "b"), ("a", "b"), names="a b"), "only one hop may lead to and from"),
        (job(("a", "b"), names="a b", setting=[]), "$.setting: this must be an object."),
        (job(("a", "b"), names="a b", extend=7), "$.extend: this must be an object."),
        (job(("a", "b"), names="a b", setting={"errorLimit": {"record": -1}}), "$.setting.errorLimit.record: "),
        (job(("a", "b"), names="a b", setting={"errorLimit": {"record": "few"}}), "$.setting.errorLimit.record: "),
    ],
)
def test_what_is_wrong_is_named_by_its_place(code: str, said: str) -> None:
    assert said in refusal(code)


def test_every_problem_is_listed_and_a_great_many_are_cut() -> None:
    assert refusal('{"steps":[{"name":"a"}],"order":{"hops":[{"from":"b","to":"c"}]}}').count(";") == 2
    many = refusal(json.dumps({"steps": [{}] * 1000}))
    assert many.endswith("and 1981 more.")


@pytest.mark.parametrize(("record", "limit"), [(None, None), ("", None), ("0", 0), (0, 0), (7, 7), ("12", 12)])
def test_error_limits_as_they_are_found_in_the_wild(record: Any, limit: int | None) -> None:
    assert parse(job(("a", "b"), names="a b", setting={"errorLimit": {"record": record}})).setting.dirty == limit


@pytest.mark.parametrize("record", [True, 1.5, "-1", "１", [], {}])
def test_an_error_limit_is_a_whole_number(record: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        dirty_limit(record)


@pytest.mark.parametrize(("group", "read"), [("g", "g"), (280749, "280749"), ("", None), (None, None), ({}, None)])
def test_resource_groups_come_in_three_spellings(group: Any, read: str | None) -> None:
    assert parse(job(("a", "b"), names="a b", extend={"resourceGroup": group})).resource_group == read


def test_nulls_count_as_absent() -> None:
    empty = parse(job(("a", "b"), names="a b", setting=None, extend=None))
    assert (empty.setting.dirty, empty.setting.concurrent, empty.extend) == (None, None, {})


@pytest.mark.parametrize(
    ("speed", "concurrent", "rate"),
    [
        ({}, None, None),
        ({"concurrent": 2, "throttle": False, "mbps": "12"}, 2, None),
        ({"concurrent": "4", "throttle": True, "mbps": "12"}, 4, 12e6),
        ({"concurrent": "", "throttle": True, "mbps": None}, None, None),
    ],
)
def test_speed_as_it_is_published(speed: dict[str, Any], concurrent: int | None, rate: float | None) -> None:
    setting = parse(job(("a", "b"), names="a b", setting={"speed": speed})).setting
    assert (setting.concurrent, setting.bytes_per_second) == (concurrent, rate)


@pytest.mark.parametrize("value", [0, -1, "x", True, [], "nan", 1e9])
def test_a_speed_that_is_none_is_named(value: Any) -> None:
    said = refusal(job(("a", "b"), names="a b", setting={"speed": {"concurrent": value}}))
    assert said == "$.setting.speed.concurrent: this must be a number from 1 to 1000000."


def test_data_sources_are_found_in_connections_too() -> None:
    connection = [{"datasource": "x"}, 7, {"datasource": "y"}]
    steps = [
        {"name": "r", "stepType": "mysql", "parameter": {"connection": connection}},
        {"name": "w", "stepType": "holo", "parameter": {"datasource": ["no text"]}},
    ]
    found = parse(json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}}))
    assert found.source.data_sources == (
        ("x", "$.steps[0].parameter.connection[0].datasource"),
        ("y", "$.steps[0].parameter.connection[2].datasource"),
    )
    assert found.target.data_sources == ()


def test_members_without_effect_are_warned_about() -> None:
    code = json.loads(job(("a", "b"), names="a b", surprise=1, setting={"colour": "red", "errorLimit": {"records": 1}}))
    code["steps"][1]["extra"] = None
    code["order"]["hops"][0]["via"] = "c"
    paths = [warning.partition(":")[0] for warning in warnings(parse(json.dumps(code)))]
    assert sorted(paths) == [
        "$.order.hops[0].via",
        "$.setting.colour",
        "$.setting.errorLimit.records",
        "$.steps[1].extra",
        "$.surprise",
    ]


def test_a_long_chain_takes_no_quadratic_time() -> None:
    names = [f"s{i}" for i in range(20_000)]
    code = job(*itertools.pairwise(names), names=" ".join(names))
    began = time.perf_counter()
    assert parse(code).target.name == names[-1]
    assert time.perf_counter() - began < 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "from", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
members = st.sampled_from(["steps", "order", "setting", "extend", "type"])
graphs = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=5)


@given(st.dictionaries(members, json_values, max_size=5))
def test_no_json_makes_it_fail_otherwise_than_by_refusing(value: dict[str, Any]) -> None:
    code = json.dumps(value)
    try:
        assert parse(code).code == code
    except Refused as error:
        assert str(error).startswith("$")


@given(graphs)
def test_what_is_accepted_is_one_chain(hops: list[tuple[str, str]]) -> None:
    names = sorted({name for hop in hops for name in hop})
    try:
        accepted = parse(job(*hops, names=" ".join(names)))
    except Refused:
        return
    order = [step.name for step in accepted.steps]
    assert sorted(order) == names
    assert {(hop.source, hop.target) for hop in accepted.hops} == set(itertools.pairwise(order))
