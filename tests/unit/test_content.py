"""What of a data source's content is shown, and what may be sent back in its place."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from disync.model.errors import Refused
from disync.services import content, document

OTHER = "a type without a connector"
DATAHUB = {"endpoint": "http://h:1", "project": "p", "accessId": "i", "accessKey": "old", "more": {"a": 1}}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"password": "x", "username": "u"}, {"password": "***", "username": "u"}),
        ({"accessId": "a", "accessKey": "x"}, {"accessId": "a", "accessKey": "***"}),
        ({"accessKeyId": "a", "access_key": "x"}, {"accessKeyId": "a", "access_key": "***"}),
        ({"accessKeySecret": "x", "securityToken": "y"}, {"accessKeySecret": "***", "securityToken": "***"}),
        ({"sasl.jaas.config": "x", "privateKey": "y"}, {"sasl.jaas.config": "***", "privateKey": "***"}),
        ({"passwd": "x", "PWD": "y", "pass_phrase": "z"}, {"passwd": "***", "PWD": "***", "pass_phrase": "***"}),
        ({"apiKey": "x", "keystorePass": "y", "sk": "z"}, {"apiKey": "***", "keystorePass": "***", "sk": "***"}),
        ({"credential": {"user": "u", "value": "x"}}, {"credential": "***"}),
        ({"auth": ["u", "x"]}, {"auth": "***"}),
        ({"deep": [{"PASSWORD": 1}]}, {"deep": [{"PASSWORD": "***"}]}),
        (
            {"jdbcUrl": "jdbc:mysql://u:x@h/d?password=y&a=b"},
            {"jdbcUrl": "jdbc:mysql://u:***@h/d?password=***&a=b"},
        ),
        ({"u": "mongodb://u:x@y/z@h1:1,h2:1/d"}, {"u": "mongodb://u:***@h1:1,h2:1/d"}),
        ({"u": "jdbc:oracle:thin:scott/tiger@//h:1/s"}, {"u": "jdbc:oracle:thin:scott/***@//h:1/s"}),
        ({"u": "scott/tiger@h"}, {"u": "scott/***@h"}),
        ({"u": "me@example.com"}, {"u": "me@example.com"}),
        ({"s": 'm required username="u" password="a b;c";'}, {"s": 'm required username="u" password=***;'}),
        ({"u": "http://h/?url=http://g?secret_key=x&b=c"}, {"u": "http://h/?url=http://g?secret_key=***&b=c"}),
        ({"address": '[{"host":"h","password":"x"}]'}, {"address": '[{"host":"h","password":"***"}]'}),
        ({"address": '[{"password":"x"'}, {"address": "***"}),
        ({"address": '[{"host": "h"}]', "n": 1.5, "z": None}, {"address": '[{"host": "h"}]', "n": 1.5, "z": None}),
    ],
)
def test_secrets_are_known_by_their_names_and_places(sent: dict[str, Any], shown: dict[str, Any]) -> None:
    text = json.dumps(sent)
    masked = content.masked(OTHER, text)
    assert json.loads(masked) == shown
    assert json.loads(content.unmasked(OTHER, masked, text)) == sent


@pytest.mark.parametrize("kind", ["mysql", "postgresql", "holo"])
def test_of_a_known_type_only_what_is_known_is_shown(kind: str) -> None:
    sent = {"jdbcUrl": "jdbc:mysql://h/d", "username": "u", "password": "x", "tag": "public", "anything": "y"}
    masked = json.loads(content.masked(kind, json.dumps(sent)))
    assert masked == {**sent, "password": "***", "anything": "***"}
    managed = {"database": "d", "instanceName": "rm-1", "regionId": "r", "rdsOwnerId": "1", "tag": "rds"}
    assert json.loads(content.masked(kind, json.dumps(managed))) == managed


def test_a_text_made_to_be_slow_is_not() -> None:
    began = time.monotonic()
    for text in ("passw" * 200_000, "a=" * 300_000, "@" * 500_000, "://" * 200_000, "[" * 500_000, " " * 500_000 + "="):
        content.masked(OTHER, json.dumps({"x": text}))
    assert time.monotonic() - began < 20  # a quadratic one would take hours


def changed(**members: Any) -> str:
    return content.unmasked("datahub", json.dumps({**DATAHUB, "accessKey": "***", **members}), json.dumps(DATAHUB))


def test_the_mask_keeps_the_secret_where_it_went_before() -> None:
    assert json.loads(changed()) == DATAHUB
    assert json.loads(changed(project="q", more="***")) == {**DATAHUB, "project": "q"}
    assert json.loads(changed(accessKey="new", more="***")) == {**DATAHUB, "accessKey": "new"}


@pytest.mark.parametrize("member", ["endpoint", "accessId", "tag", "proxy"])
def test_a_secret_does_not_go_to_another_place(member: str) -> None:
    with pytest.raises(Refused, match=f"^Content: {member} changes: give the secret anew") as refused:
        changed(**{member: "http://evil"})
    assert "old" not in str(refused.value)
    assert json.loads(changed(**{member: "http://evil", "accessKey": "new"}))[member] == "http://evil"


def test_nor_does_one_inside_a_url() -> None:
    stored = '{"jdbcUrl":"jdbc:mysql://u:x@h/d","username":"u","password":"y"}'
    for url in ("jdbc:mysql://u:***@evil/d", "jdbc:mysql://evil/d?password=***"):
        with pytest.raises(Refused, match="anew"):
            content.unmasked("mysql", json.dumps({"jdbcUrl": url, "password": "z"}), stored)
    with pytest.raises(Refused, match="no stored secret"):
        content.unmasked("mysql", '{"jdbcUrl":"jdbc:mysql://h/d","token":"***"}', stored)
    with pytest.raises(Refused, match="username"):
        content.unmasked(OTHER, '{"password":"***","username":"v"}', '{"password":"old","username":"u"}')


def test_a_new_secret_replaces_the_old_one() -> None:
    stored = '{"password":"old","username":"u"}'
    assert content.unmasked(OTHER, '{"password":"new***"}', stored) == '{"password":"new***"}'
    assert content.unmasked(OTHER, ' {"password":"new"}', stored) == ' {"password":"new"}'


def test_depth_is_limited() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inner = document.DEEPEST - 1
        content.read('{"x":' + opening * inner + "1" + closing * inner + "}")
        for more in (1, 900, 100_000):
            deep = opening * (inner + more) + "1" + closing * (inner + more)
            with pytest.raises(Refused, match=r"^Content: this JSON is nested more deeply than 64 levels"):
                content.read('{"x":' + deep + "}")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"accessId": "j", "accessKey": "x", "tag": "t", "unknown": 1}, True),
        ({"endpoint": "http://h"}, {"endpoint": "HTTP://H:80/"}, True),
        ({"endpoint": "https://h/a"}, {"endpoint": "https://h:443/a/"}, True),
        ({"endpoint": "http://h"}, {"endpoint": "https://h"}, False),
        ({"endpoint": "http://h/a"}, {"endpoint": "http://h/b"}, False),
        ({}, {"project": "q"}, False),
    ],
)
def test_equal_places_are_recognised(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    places = [content.place("datahub", {**DATAHUB, **members}) for members in (one, other)]
    assert (places[0] == places[1]) is same
    assert content.place(OTHER, {}) is None
