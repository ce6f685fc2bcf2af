"""C42, C43, C44 without a server: sets of GTIDs, what events say of them, and the search for their end in a log."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disync.connectors.mysql.binlog import gtids
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.gtid import Diverged, MariaGtids, MySQLGtids, without
from disync.model.errors import BadConfig

A, B = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562"
SOURCES = (A, B, f"{A}:tag", f"{B}:other_1")
NUMBERS = st.dictionaries(st.sampled_from(SOURCES), st.sets(st.integers(1, 40)), max_size=4)


def _event(kind: int, body: bytes, server: int = 1, time: int = 7) -> Event:
    return Event(kind, time, server, 100, 0, 0, body)


def _set(numbers: dict[str, set[int]]) -> MySQLGtids:
    found = MySQLGtids()
    for source, list_ in numbers.items():
        for number in list_:
            found.add(f"{source}:{number}")
    return found


def _numbers(held: MySQLGtids) -> set[str]:
    return {f"{s}:{n}" for s, ranges in held.ranges.items() for a, b in ranges for n in range(a, b + 1)}


def _flat(numbers: dict[str, set[int]]) -> set[str]:
    return {f"{source}:{number}" for source, list_ in numbers.items() for number in list_}


@given(NUMBERS, NUMBERS)
def test_c42_sets_are_sets(one: dict[str, set[int]], other: dict[str, set[int]]) -> None:
    first, second = _set(one), _set(other)
    assert _numbers(first) == _flat(one)
    assert _numbers(MySQLGtids(str(first))) == _flat(one)
    assert first.holds(second.bare) == (_flat(other) <= _flat(one))
    left = MySQLGtids()
    left.ranges = without(first.ranges, second.ranges)
    assert _numbers(left) == _flat(one) - _flat(other)
    assert all(a <= b and (i == 0 or r[i - 1][1] + 1 < a) for r in first.ranges.values() for i, (a, b) in enumerate(r))


@given(NUMBERS)
def test_c43_a_set_comes_back_from_its_encoded_form(numbers: dict[str, set[int]]) -> None:
    held = _set(numbers)
    tagged = any(":" in source for source in held.ranges)
    encoded = held.encoded()
    assert encoded[7] == tagged
    assert _numbers(MySQLGtids(gtids.head(_event(Kind.PREVIOUS_GTIDS, encoded)))) == _flat(numbers)


def test_c43_the_encoded_form_is_the_documented_one() -> None:
    plain = struct.pack("<Q", 1) + UUID(A).bytes + struct.pack("<QQQQQ", 2, 1, 6, 7, 8)
    assert MySQLGtids(f"{A}:1-5:7").encoded() == plain
    tagged = struct.pack("<Q", 1 << 56 | 1 << 8 | 1) + UUID(A).bytes + b"\x06tag" + struct.pack("<QQQ", 1, 3, 4)
    assert MySQLGtids(f"{A}:TAG:3").encoded() == tagged


@given(NUMBERS, NUMBERS, st.permutations(sorted(f"{s}:{n}" for s in SOURCES for n in range(1, 5))))
def test_c42_a_search_is_complete_when_all_have_passed(
    wanted: dict[str, set[int]], head: dict[str, set[int]], order: list[str]
) -> None:
    """Whatever the order on the other server, whatever unknown sources it has, and with gaps in both sets."""
    goal, before = _set(wanted), _set(head)
    search = goal.search(before.bare)
    seen = _flat(head)
    for gtid in order:
        assert search.complete == (_flat(wanted) <= seen)
        assert search.passes(gtid) == (gtid in _flat(wanted))
        seen.add(gtid)
    missing = _flat(wanted) - seen
    assert _numbers(MySQLGtids(search.missing)) == missing
    late = all(
        any(other.rpartition(":")[0] == gtid.rpartition(":")[0] for other in seen)
        and all(
            int(other.rpartition(":")[2]) < int(gtid.rpartition(":")[2])
            for other in seen
            if other.rpartition(":")[0] == gtid.rpartition(":")[0]
        )
        for gtid in missing
    )
    assert search.lags == late


@pytest.mark.parametrize("text", [f"{A}:0", f"{A}:5-3", f"{A}:x-1", f"{A}:1-2-3", f"{A}:1-"])
def test_c28_a_set_that_is_none_is_refused(text: str) -> None:
    if text.endswith(("x-1", "1-")):
        assert MySQLGtids(text).bare in ("", f"{A}:1")
    else:
        with pytest.raises(BadConfig, match="no set of GTIDs"):
            MySQLGtids(text)


@pytest.mark.parametrize("text", ["0-1", "0-1-x", "a-1-1", "0-1-1-1"])
def test_c28_a_gtid_of_mariadb_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadConfig, match="no GTID"):
        MariaGtids(text)


def test_c41_the_last_transaction_is_known_by_its_moment() -> None:
    held = MySQLGtids(f"{A}:1-4")
    held.add(f"{A}:5@1700000000000001")
    assert str(held) == f"{A}:1-5;{A}:5@1700000000000001"
    again = MySQLGtids(str(held))
    assert str(again) == str(held) and again.bare == f"{A}:1-5"
    search = again.search("")
    for number in range(1, 5):
        assert search.passes(f"{A}:{number}@{number}") and not search.sure
    assert search.passes(f"{A}:5@1700000000000001") and search.complete and search.sure
    with pytest.raises(Diverged, match="begun anew"):
        again.search(f"{A}:1-4").passes(f"{A}:5@1700000000000002")
    quiet = again.search(f"{A}:1-5")
    assert quiet.complete and not quiet.sure
    again.add(f"{B}:1")
    assert str(again) == f"{A}:1-5,{B}:1", "MySQL 5.7 knows no moments"


def test_c44_domains_of_mariadb() -> None:
    held = MariaGtids("0-1-100@50,7-2-9")
    held.add("0-2-101@51")
    assert str(held) == "0-2-101@51,7-2-9" and held.bare == "0-2-101,7-2-9"
    assert held.holds("0-1-100,7-2-9") and held.holds("0-1-7,0-2-101") and held.holds("")
    assert not held.holds("0-1-102") and not held.holds("0-1-101") and not held.holds("3-1-1")
    search = held.search("0-1-99,7-2-8")
    assert [search.passes(g) for g in ("0-1-100@50", "3-1-1@1", "7-2-9@9", "7-2-10@9")] == [True, False, True, False]
    assert (search.complete, search.missing, search.lags) == (False, "0-2-101@51", True)
    with pytest.raises(Diverged, match="never had 0-2-101"):
        search.passes("0-1-101@51")
    assert search.passes("0-2-101@51") and search.complete
    assert not search.sure, "of domain 7 no moment was known"
    assert not held.search("7-2-9").lags, "nothing of domain 0 has ever been there"


def test_c43_gtid_events_of_mysql() -> None:
    plain = b"\x01" + UUID(A).bytes + struct.pack("<Q", 23)
    assert gtids.of(_event(Kind.GTID, plain)) == f"{A}:23"
    clock = b"\x02" + struct.pack("<QQ", 1, 2)
    moment = (1_700_000_000_000_001).to_bytes(7, "little")
    assert gtids.of(_event(Kind.GTID, plain + clock + moment)) == f"{A}:23@1700000000000001"
    later = (1_700_000_000_000_009 | 1 << 55).to_bytes(7, "little")
    assert gtids.of(_event(Kind.GTID, plain + clock + later + moment)) == f"{A}:23@1700000000000001"
    assert gtids.of(_event(Kind.ANONYMOUS_GTID, plain)) == ""
    maria = struct.pack("<QIB", 5, 3, 0) + bytes(6)
    assert gtids.of(_event(Kind.MARIA_GTID, maria, server=9, time=77)) == "3-9-5@77"


# The UUID and the numbers are those by which the form is explained in public.
ODD = bytes.fromhex("ee8102c102010341038103c103c5032222eefd03eefd03eefd03")


def test_c43_tagged_gtid_events_of_mysql() -> None:
    fields = b"\x00\x02" + b"\x02" + ODD + b"\x04\xd9\x03" + b"\x06\x18abcdefghijkl" + b"\x08\x00\x0a\x04"
    when = b"\x0c\x7f\x39\x7d\x89\x70\xdb\x2d\x06"
    name = "77a0b0c0-d0e0-f0f1-1111-77ff77ff77ff:abcdefghijkl:123"
    body = b"\x02" + bytes([2 * len(fields + when)]) + b"\x00" + fields + when + b"\x10\xc3\x02\x0b"
    assert gtids.of(_event(Kind.GTID_TAGGED, body)) == f"{name}@1739270369410361"
    original = b"\x0e\x7f\x38\x7d\x89\x70\xdb\x2d\x06"
    body = b"\x02" + bytes([2 * len(fields)]) + b"\x00" + fields + when + original + b"\x10\xc3\x02\x0b"
    assert gtids.of(_event(Kind.GTID_TAGGED, body)) == f"{name}@1739270369410360"
    for length in range(len(fields) - 4):
        with pytest.raises(BrokenLog):
            gtids.of(_event(Kind.GTID_TAGGED, b"\x02\x00\x00" + fields[:length]))
    with pytest.raises(NotServed, match="form that is not known"):
        gtids.of(_event(Kind.GTID_TAGGED, b"\x04" + body[1:]))


def test_c44_the_list_at_the_beginning_of_a_file() -> None:
    body = struct.pack("<I", 3 | 1 << 28) + struct.pack("<IIQ", 0, 1, 5) + struct.pack("<IIQIIQ", 0, 2, 6, 4, 1, 9)
    assert gtids.head(_event(Kind.MARIA_GTID_LIST, body)) == "0-1-5,0-2-6,4-1-9"
    assert MariaGtids("0-2-6,4-1-9").holds("0-1-5,0-2-6,4-1-9")
    with pytest.raises(BrokenLog):
        gtids.head(_event(Kind.MARIA_GTID_LIST, body[:-1]))
    with pytest.raises(NotServed):
        gtids.head(_event(Kind.PREVIOUS_GTIDS, struct.pack("<Q", 2 << 56)))
