"""A solution's text: both forms, the exact text of its real-time task, contradictions with both places named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from disync.model import node_name
from disync.model.errors import Refused
from disync.model.solution import parse, warnings

GOLDEN = Path(__file__).parent.parent / "golden"
SEED = (GOLDEN / "seed-process-content.json").read_text().rstrip("\n")
FULL = (GOLDEN / "generated-solution.json").read_text().rstrip("\n")
STEPS = r"\$\.realtimeSyncConfig\.content\.steps"


def changed(path: str, value: Any) -> str:
    """The seed's text with another value at a path."""
    root = json.loads(SEED)
    *parents, last = path.split(".")
    node = root
    for part in parents:
        node = node[int(part)] if part.isdigit() else node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return json.dumps(root, ensure_ascii=False)


def test_every_key_of_the_seed_is_read() -> None:
    solution = parse(SEED)
    assert (solution.type, solution.source_type) == ("holo", "mysql")
    assert solution.data_sources == ("mm", "holo")
    assert solution.group == solution.node_group == "group_219193793999490"
    assert solution.node_name_rule == "oneclick_holo_di_${db_table_name_src}_to_${db_table_name_dest}"
    assert (solution.concurrent, solution.own_flow, solution.prefix) == (10, True, "oneclick")
    assert solution.mapping == {"datasource": [{"srcDatasourceName": "mm", "tableRule": []}]}
    assert solution.name is None
    assert warnings(solution) == []


def test_the_text_of_the_real_time_task_is_the_callers_own() -> None:
    begin = SEED.index('"content":') + len('"content":')
    end = SEED.index(',"extend":{"mode"')
    assert parse(SEED).realtime == SEED[begin:end]
    oddly = SEED.replace('"content":{"order"', '"content": { "note" : 1.50e0,\n "中\\u6570":[ ], "order"').replace(
        "}]}},", "}]}} ,"
    )
    odd = oddly[oddly.index('{ "note"') : oddly.index(',"extend":{"mode"')]
    assert parse(oddly).realtime == odd
    assert odd.startswith('{ "note" : 1.50e0,\n "中\\u6570":[ ],')


def test_what_runs_is_that_text_unless_the_solution_adds_to_it() -> None:
    assert parse(SEED).runs == parse(SEED).realtime  # it has a readerConcurrent of its own
    alone = changed("realtimeSyncConfig.content.setting", {"errorLimit": {"record": 5}})
    runs = json.loads(parse(alone).runs)
    assert runs["setting"] == {"errorLimit": {"record": 5}, "speed": {"concurrent": 10}}
    mapped = changed("realtimeSyncConfig.content.steps.1.parameter.tableMappingRule", None)
    runs = json.loads(parse(mapped).runs)
    assert runs["steps"][1]["parameter"]["tableMappingRule"] == parse(mapped).mapping
    assert "tableMappingRule" not in parse(mapped).realtime


def test_a_full_job_is_a_solution_too() -> None:
    solution = parse(FULL)
    assert solution.realtime == solution.runs == solution.content == FULL
    assert (solution.type, solution.source_type, solution.group, solution.name) == ("holo", "mysql", "280749", "h")
    assert (solution.own_flow, solution.place) == (False, "$")
    assert warnings(solution) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "holoDatasource",
            "other",
            rf'\$\.holoDatasource: it names "other", and {STEPS}\[1\]\.parameter.* names "holo"',
        ),
        ("srcType", "oracle", rf'\$\.srcType: it says "oracle", and {STEPS}\[0\]\.stepType says "mysql"'),
        (
            "realtimeSyncConfig.extend.mode",
            "migration_odps",
            rf'"migration_odps", and {STEPS}\[1\]\.stepType says "holo"',
        ),
        ("realtimeSyncConfig.content.steps.0.stepType", "datahub", r"\$\.processRuleId: 1007 is MySQL to Hologres"),
        ("readerConcurrent", 0, r"\$\.readerConcurrent: this must be a number"),
        ("readerConcurrent", "x", r"\$\.readerConcurrent"),
        ("setting", [], r"\$\.setting: this must be an object"),
        ("offlineSyncConfig", "x", r"\$\.offlineSyncConfig: this must be an object"),
        ("offlineSyncConfig.nodeNameRule", 1, r"\$\.offlineSyncConfig\.nodeNameRule: this must be text"),
        ("tableMappingRuleFromRealtimeSyncConfig", [], r"\$\.tableMappingRuleFromRealtimeSyncConfig"),
        ("realtimeSyncConfig.content", [], r"\$\.realtimeSyncConfig\.content: a solution needs"),
        ("realtimeSyncConfig", 7, r"\$\.realtimeSyncConfig: this must be an object"),
        ("realtimeSyncConfig", None, r"\$\.realtimeSyncConfig: a solution has a real-time task"),
        (
            "realtimeSyncConfig.content.order.hops.0.to",
            "x",
            r"^\$\.realtimeSyncConfig\.content\.order\.hops\[0\]\.to: no step",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(path: str, value: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        parse(changed(path, value))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FULL.replace('"srcDbName":"m"}', '"srcDbName":"m"', 1), r"^\$: this is not JSON"),  # as most SDKs print it
        ("[]", "a solution is a JSON object"),
        ("[" * 5000, "JSON"),
        ('{"type":"realtime","steps":[]}', "GenerateDISyncTaskConfigForCreating"),
        (FULL.replace("migration_holo", "migration_kafka"), r'\$\.extend\.mode: it says "migration_kafka"'),
    ],
)
def test_texts_that_are_no_solution(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        parse(text)


def test_what_has_no_effect_is_warned_of() -> None:
    root = json.loads(SEED)
    root |= {"colour": 1, "processRuleId": 2000}
    root["setting"]["shape"] = 2
    root["offlineSyncConfig"]["nodeNameRule"] = "${nothing}_${db_name_src}"
    root["tableMappingRuleFromRealtimeSyncConfig"]["datasource"][0]["srcDatasourceName"] = "other"
    assert warnings(parse(json.dumps(root))) == [
        "$.colour: this member is kept but has no effect.",
        "$.setting.shape: this member is kept but has no effect.",
        "$.processRuleId: only 1007 is known; this one is kept but has no effect.",
        "$.tableMappingRuleFromRealtimeSyncConfig: the writer step has another tableMappingRule, and that counts.",
        "$.offlineSyncConfig.nodeNameRule: there is no variable ${nothing}; it stays empty.",
    ]


def test_names_are_made_by_rule_and_fit_for_a_file() -> None:
    values = {"db_table_name_src": "bad-name here", "db_table_name_dest": "订单"}
    rule = "oneclick_holo_di_${db_table_name_src}_to_${db_table_name_dest}"
    assert node_name.expand(rule, values) == "oneclick_holo_di_bad_name_here_to_订单"
    assert node_name.expand("${db_table_name_src}", {"db_table_name_src": "x" * 300}) == "x" * 128
    assert node_name.another("x" * 128, 12) == "x" * 125 + "_12"
    assert node_name.clean("") == "_"
    assert node_name.unknown("${a}${a}${db_name_src}") == ["a"]
