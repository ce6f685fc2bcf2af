"""Texts become typed values, as each parameter declares."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disync.gateway.parameters import convert
from disync.gateway.spec import Operation, Parameter
from disync.model.errors import ApiError, ParamInvalid

TAGS = [{"Key": "string", "Size": "integer"}]


def one(parameter: Parameter, **raw: str) -> Any:
    operation = Operation("Touch", "POST", (parameter,), {})
    return convert(operation, raw).get(parameter.name)


def integer(**options: Any) -> Parameter:
    return Parameter("N", "query", "integer", **options)


@pytest.mark.parametrize("text", ["0", "-1", "9223372036854775807", "-9223372036854775808", "007"])
def test_integers_of_64_bits(text: str) -> None:
    assert one(integer(), N=text) == int(text)


@pytest.mark.parametrize("text", ["1.0", "+1", " 1", "1_0", "١", "9223372036854775808", "-9223372036854775809", "x"])
def test_what_is_no_integer_is_named(text: str) -> None:
    with pytest.raises(ParamInvalid, match="N: must be an integer of 64 bits"):
        one(integer(), N=text)


def test_bounds() -> None:
    assert one(integer(minimum=1, maximum=100), N="100") == 100
    with pytest.raises(ParamInvalid, match="N: must be 100 or less"):
        one(integer(maximum=100), N="101")
    with pytest.raises(ParamInvalid, match="N: must be 1 or more"):
        one(integer(minimum=1), N="0")


@pytest.mark.parametrize("text", ["", "None", "null"])
def test_what_was_not_set_is_absent_or_missing(text: str) -> None:
    assert one(integer(), N=text) is None
    with pytest.raises(ApiError) as caught:
        one(integer(required=True), N=text)
    assert (caught.value.status, caught.value.code) == (400, "MissingN")
    assert str(caught.value) == "N is mandatory for this action."


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("FALSE", False), ("false", False)])
def test_booleans_in_any_case(text: str, value: bool) -> None:
    assert one(Parameter("B", "query", "boolean"), B=text) is value


@pytest.mark.parametrize("text", ["1", "yes", "TRUE "])
def test_no_other_booleans(text: str) -> None:
    with pytest.raises(ParamInvalid, match="B: must be true or false"):
        one(Parameter("B", "query", "boolean"), B=text)


def test_numbers() -> None:
    assert one(Parameter("F", "query", "number"), F="1.5e2") == 150.0
    for text in ("nan", "inf", "1e999", "0x1"):
        with pytest.raises(ParamInvalid, match="F: must be a number"):
            one(Parameter("F", "query", "number"), F=text)


def test_strings_come_as_they_are() -> None:
    plain, required = Parameter("S", "form", "string"), Parameter("S", "form", "string", required=True)
    assert one(plain, S=" a\n中 ") == " a\n中 "
    assert one(plain, S="") == ""
    assert one(plain, S="None") is None
    assert one(required, S="None") == "None"
    with pytest.raises(ApiError, match="S is mandatory"):
        one(required, S="")
    with pytest.raises(ParamInvalid, match=r"S: must not contain the character U\+0000"):
        one(plain, S="a\0b")


def test_a_choice_is_named_with_what_may_be_chosen() -> None:
    choice = Parameter("TaskType", "query", "string", required=True, values=frozenset(["DI_REALTIME", "DI_SOLUTION"]))
    assert one(choice, TaskType="DI_SOLUTION") == "DI_SOLUTION"
    with pytest.raises(ParamInvalid, match="TaskType: must be one of DI_REALTIME, DI_SOLUTION"):
        one(choice, TaskType="di_solution")
    for text in ("", "None"):
        with pytest.raises(ApiError, match="TaskType is mandatory"):
            one(choice, TaskType=text)


def test_unknown_parameters_are_left_out() -> None:
    assert convert(Operation("Touch", "POST", (integer(),), {}), {"N": "1", "RegionId": "x", "G Q": ""}) == {"N": 1}


def test_json_texts_are_parsed_and_checked() -> None:
    tags = Parameter("Tags", "form", TAGS, json=True)
    assert one(tags, Tags='[{"Key":"a","Size":1,"More":[null]}]') == [{"Key": "a", "Size": 1, "More": [None]}]
    assert one(tags, Tags="[]") == []
    assert one(tags, Tags="null") is None
    for text, why in [
        ("{", "Tags: must be JSON"),
        ("{}", None),
        ('{"a":1}', "Tags: must be a list"),
        ('[{"Key":1}]', "Tags.1.Key: must be a string"),
        ('[{"Size":true}]', "Tags.1.Size: must be an integer"),
        ('[{"Size":1.5}]', "Tags.1.Size: must be an integer"),
        ('[{"Size":99999999999999999999}]', "Tags.1.Size: must be an integer of 64 bits"),
        ("[1]", "Tags.1: must be an object"),
        ('[{"Key":"\\u0000"}]', "Tags.1.Key: must not contain"),
        ("[" * 100_000, "Tags: must be JSON"),
    ]:
        if why is None:
            assert one(tags, Tags=text) == []
            continue
        with pytest.raises(ParamInvalid, match=why):
            one(tags, Tags=text)


def test_flattened_lists_may_have_gaps() -> None:
    tags = Parameter("Tags", "form", TAGS)
    raw = {"Tags.7.Key": "b", "Tags.2.Size": "5", "Tags.2.Key": "a", "TagsX": "no"}
    assert one(tags, **raw) == [{"Size": 5, "Key": "a"}, {"Key": "b"}]
    assert one(Parameter("Ids", "form", ["integer"]), **{"Ids.10": "3", "Ids.9": "2"}) == [2, 3]
    assert one(tags, Other="1") is None
    for path in ("Tags.0.Key", "Tags.x.Key", "Tags.-1.Key"):
        with pytest.raises(ParamInvalid, match="Tags: must be a list"):
            one(tags, **{path: "a"})
    with pytest.raises(ParamInvalid, match=r"Tags\.1\.Size: must be an integer"):
        one(tags, **{"Tags.1.Size": "big"})
    with pytest.raises(ParamInvalid, match="contradicts"):
        one(tags, **{"Tags.1": "a", "Tags.1.Key": "b"})
    with pytest.raises(ParamInvalid, match="deeper"):
        one(tags, **{"Tags" + ".1" * 50: "a"})


def test_flattened_objects() -> None:
    assert one(Parameter("Obj", "form", "object"), **{"Obj.b c.1": "x"}) == {"b c": {"1": "x"}}


TYPES = ["string", "integer", "boolean", "number", "object", "any", TAGS, {"Key": "string"}, ["integer"]]
NAMES = st.sampled_from(["P", "P.1", "P.1.Key", "P.2.Size", "P.x", "P.", "P..", "Q"])


@settings(derandomize=True)
@given(st.sampled_from(TYPES), st.dictionaries(NAMES, st.text() | st.from_regex(r"[\[\]{}\"0-9:,a-z]*")), st.booleans())
def test_whatever_is_sent_is_converted_or_refused(tree: Any, raw: dict[str, str], required: bool) -> None:
    try:
        value = one(Parameter("P", "query", tree, required=required), **raw)
    except ApiError as error:
        assert error.status == 400
        assert "P" in str(error)
    else:
        assert value is not None or not required
