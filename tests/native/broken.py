"""Bytes that no server sends, given to everything that is compiled: it reads them, or it says what is wrong with them.

    python tests/native/broken.py --seconds 600 [--first SEED]     for ever new cases
    python tests/native/broken.py --cases 3000                     for the same ones every time

Ends with an error that names the case, if one takes memory without measure or raises what it should not.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import struct
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from images import COLUMNS, named
from packing import packed_cell, width_of
from reference import packed
from tables import FORMS, announced, rows_body, shape
from wires import END, Feed, event, framed, packed_row

from disync.connectors.mysql import encoded, plans
from disync.connectors.mysql.binlog import events, tablemap
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import Kind
from disync.native import rows
from disync.native.changelog import LogRows, LogTable
from disync.native.columns import Columns, Unserved
from disync.native.fold import Fold
from disync.native.packets import Broken, Packets
from disync.native.results import ResultRows

OURS = (Broken, Unserved, BrokenLog, NotServed)
"""The last two come from Python that the compiled code calls: it inflates, and reads JSON."""

MOST_MEMORY = 256 << 20
"""Bytes of address space that all cases together may take beyond what there was before."""
MOST_SECONDS = 20
STREAMS = 24

EXTREMES = (0, 1, 0x7F, 0x80, 0xFA, 0xFB, 0xFC, 0xFE, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1)


def mutated(random: Random, data: bytes) -> bytes:
    """Bits flipped, pieces cut out, repeated or put in, numbers replaced by extreme ones."""
    found = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        at = random.randrange(len(found) + 1)
        what = random.randrange(6)
        if what == 0 and found:
            found[at - 1] ^= 1 << random.randrange(8)
        elif what == 1:
            del found[at : at + random.choice([1, 2, 7, 1000])]
        elif what == 2:
            found[at:at] = random.randbytes(random.choice([1, 3, 40]))
        elif what == 3:
            found[at:at] = found[at : at + random.choice([1, 8, 300])]
        elif what == 4:
            del found[at:]
        else:
            size = random.choice([1, 2, 3, 4, 8])
            number = random.choice(EXTREMES) & (1 << 8 * size) - 1
            found[at : at + size] = number.to_bytes(size, random.choice(["little", "big"]))  # type: ignore[arg-type]
    return bytes(found)


@cache
def log(number: int) -> tuple[Columns, list[tuple[int, bytes]]]:
    """Columns, and (kind, body) of whole events about them."""
    random = Random(number)
    columns = named(random.sample(COLUMNS, random.choice([1, 3, 12, 12, 60])))
    body = announced(columns, 1)
    plan = plans.plan(tablemap.parse(body), shape(columns), False, False)
    found = [(int(Kind.TABLE_MAP), body)]
    for form in FORMS:
        kind = form + random.randrange(3)
        found.append((kind, rows_body(columns, 1, kind, random, 3)))
    return plan.columns, found


def broken_log(random: Random) -> None:
    columns, bodies = log(random.randrange(STREAMS))
    spoiled = random.randrange(len(bodies))
    parts = [
        event(kind, mutated(random, body) if place == spoiled else body, checksum=False)
        for place, (kind, body) in enumerate(bodies)
    ]
    data = framed(b"\0" + part for part in parts)
    packets = Packets()
    held = LogRows(packets, events.inflate, random.choice([1, 5, 1 << 30]), 1 << 30)
    table = LogTable(columns, None)
    held.announce(bodies[0][1], table)

    def step() -> None:
        while (packet := held.next()) is not None or held.enough:
            if packet is None:
                taken(held.take(False), columns.count)
                held.refused.clear()
            elif packet[5:6] == b"\x13" and len(packet) >= 28:
                held.announce(packet[20:], table)

    fed(packets, random, data, step)
    taken(held.take(False), columns.count)


def taken(found: Sequence[tuple[Any, bytes, bytes]], width: int) -> None:
    """What was read is whole rows, as many as there are changes."""
    for _, data, ops in found:
        assert rows.count(data) == len(ops) and not ops.strip(b"IBUD")
        assert all(len(line) == width for line in rows.fields(data))


def fed(packets: Packets, random: Random, data: bytes, step: Callable[[], object]) -> None:
    if random.random() < 0.3:
        data = mutated(random, data)
    feed = Feed(data, random.choice([1, 7, 1 << 20, 1 << 20]) if len(data) < 5000 else 1 << 20)
    while packets.receive(feed):
        step()


@cache
def result(number: int) -> tuple[Columns, bytes, list[bytes]]:
    random = Random(number)
    columns = named(random.sample([c for c in COLUMNS if c.cell], random.choice([1, 3, 12, 12, 60])))
    natives = [column.native for column in columns]
    widths = bytes(map(width_of, natives))
    lines = [
        [packed_cell(c.native, c.cell(random)) if random.random() < 0.8 else None for c in columns if c.cell]
        for _ in range(4)
    ]
    return encoded.of_result(natives), widths, [packed_row(line, widths) for line in lines]


def broken_result(random: Random) -> None:
    columns, widths, lines = result(random.randrange(STREAMS))
    spoiled = random.randrange(len(lines))
    payloads = [mutated(random, line) if place == spoiled else line for place, line in enumerate(lines)]
    packets = Packets()
    found = ResultRows(packets, columns, widths, [random.randrange(len(widths))])

    def step() -> None:
        while found.ending is None and found.advance(random.choice([1, 100]), 1 << 30):
            count = found.count
            data = found.take()
            assert rows.count(data) == count and all(len(line) == len(widths) for line in rows.fields(data))

    fed(packets, random, framed([*payloads, END]), step)


def broken_tuples(random: Random) -> None:
    width = random.choice([1, 2, 5])
    values = [None, b"", b"a", b"b", struct.pack("!HhHH", 1, 0, 0, 2) + b"\0\7", bytes(8), b"\x80" + bytes(7)]
    count = random.randrange(20)
    data = b"".join(packed(tuple(random.choice(values) for _ in range(width))) for _ in range(count))
    ops = bytes(random.choices(b"IBUD", k=count))
    if random.random() < 0.9:
        data = mutated(random, data)
    if random.random() < 0.3:
        ops = mutated(random, ops)
    keys = random.sample(range(width), random.randrange(1, width + 1))
    uses: list[Callable[[], object]] = [
        lambda: rows.count(data),
        lambda: rows.cut(data, random.randrange(-1, 30)),
        lambda: rows.project(data, random.choices(range(width), k=3)),
        lambda: rows.fields(data),
    ]
    for use in uses:
        allowed(use)
    fold = Fold(width, keys, random.choices(["plain", "numeric", "float"], k=len(keys)), random.random() < 0.5)
    for _ in range(2):
        fold.take(data, random.choice([ops, None]))
        gone, live = rows.fields(fold.gone()), rows.fields(fold.live(False)) + rows.fields(fold.live(True))
        assert len(gone) + len(live) == len(fold)


def broken_packets(random: Random) -> None:
    payloads = [random.randbytes(random.choice([0, 1, 250, 5000])) for _ in range(random.randrange(1, 8))]
    packets = Packets(1, random.choice([4000, 1 << 30]))
    found: list[bytes] = []

    def step() -> None:
        while (payload := packets.packet()) is not None:
            found.append(payload)

    whole = random.random() < 0.2
    feed = Feed(framed(payloads) if whole else mutated(random, framed(payloads)), random.choice([1, 3, 1 << 20]))
    while packets.receive(feed):
        step()
    assert not whole or found == payloads


def allowed(use: Callable[[], object]) -> bool:
    """Whether it was read; else what was said about it is one of ours."""
    try:
        use()
    except OURS as error:
        assert str(error)
        return False
    return True


TARGETS = (broken_log, broken_log, broken_log, broken_result, broken_result, broken_tuples, broken_packets)


def case(seed: int) -> bool:
    """One case, always the same for the same seed; whether what was read was whole."""
    random = Random(seed)
    target = random.choice(TARGETS)
    return allowed(lambda: target(random))


def run(first: int, cases: int | None, seconds: float) -> tuple[int, int]:
    """(cases, how many of them were read)"""
    deadline = time.monotonic() + seconds
    seed, whole = first, 0
    while (seed < first + cases) if cases is not None else time.monotonic() < deadline:
        faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
        try:
            whole += case(seed)
        except BaseException:
            print(f"case {seed}", file=sys.stderr)
            raise
        seed += 1
    faulthandler.cancel_dump_traceback_later()
    return seed - first, whole


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--first", type=int)
    parser.add_argument("--watched", action="store_true", help="under a sanitizer, which takes all address space")
    chosen = parser.parse_args()
    if not chosen.watched:
        most = _address_space() + MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    first = chosen.first if chosen.first is not None else 0 if chosen.cases is not None else time.time_ns()
    count, whole = run(first, chosen.cases, chosen.seconds)
    print(f"{count} cases from {first} on, of which {whole} were read; the others were refused by name")


if __name__ == "__main__":
    main()
