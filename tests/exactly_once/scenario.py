"""What happens to a task under one seed: every choice of a run that can be made beforehand is made here."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from crash import POINTS

from cutting_proxy import At


@dataclass(frozen=True, slots=True)
class Blow:
    """`what` happens when `where` is reached for the `nth` time.

    die     the process that runs the task is dead: nothing of it is called any more, its connections are dropped
    freeze  it stands still, another run takes over, and then it goes on as if nothing had been
    cut     one connection breaks, and everybody lives
    kill -9 of `where`: worker, source or target
    """

    what: str
    where: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.what} {self.where} ({self.nth})"


FIRST = (
    *(Blow("die", point) for point in POINTS),
    *(Blow("freeze", f"{side} {call}") for call in ("write", "flush", "save", "alter") for side in ("before", "after")),
    *(Blow(what, at) for what in ("die", "cut") for at in (At.ASKED, At.KEPT)),
    *(Blow("cut", f"{side} {at}") for side in ("source", "target") for at in (At.SENT, At.ANSWERED)),
    *(Blow("kill -9", who) for who in ("worker", "worker after commit", "source", "target")),
)
"""One seed after the other begins with one of these, so that few seeds hold all of them."""

AGAIN = tuple(
    blow
    for blow in FIRST
    if blow.where.endswith(("write", "flush", "save", "ack", "changes", "commit", "answered", "target sent"))
    and blow.what in ("die", "cut")
)
"""What a run meets however long it has been at work: by then it has little to say to the source, or to prepare."""

WRITERS = ((2,), (3,), (2, 3), (1, 4, 2), (3, 1), (4, 2, 1))

_OFTEN = ("write", "flush", "save", "ack", "changes", "commit")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`flush_rows`: the engine's FLUSH_ROWS. `read_rows`, `write_rows`: `batchSize` of the two steps: small, so that a
    transaction does not fit into a batch, or a batch not into what the writer holds. `alters`: tables change, too.
    `appends`: every change becomes a row of the target, and tables do not change. `keyless`: one of the tables has no
    key; its rows change only where they are appended. `writers`: sessions that write the log, run after run;
    `in_turn`: they never flush side by side, so that whoever dies at a flush leaves them apart. `small`: the tables
    are taken for such as have their key from the first row on. `dismisses`: as of a Gate."""

    seed: int
    blows: tuple[Blow, ...]
    flush_rows: int
    read_rows: int
    write_rows: int
    alters: bool = True
    appends: bool = False
    writers: tuple[int, ...] = (1,)
    in_turn: bool = False
    small: bool = False
    keyless: bool = False
    dismisses: bool = True

    def __str__(self) -> str:
        sizes = f"flush {self.flush_rows}, read {self.read_rows}, write {self.write_rows}"
        mode = ("; appends" if self.appends else "") + ("; small" if self.small else "")
        if max(self.writers) > 1:
            mode += f"; {' then '.join(map(str, self.writers))} writers{' in turn' if self.in_turn else ''}"
        mode += "; a table without a key" if self.keyless else ""
        mode += "" if self.dismisses else "; sessions of earlier runs live on"
        return f"seed {self.seed}: {', then '.join(map(str, self.blows))}; {sizes}{mode}"


def of(seed: int) -> Scenario:
    chance = random.Random(seed)
    blows = [FIRST[seed % len(FIRST)], *chance.choices(AGAIN, k=chance.choice((0, 1, 1, 2)))]
    scenario = Scenario(
        seed,
        tuple(Blow(blow.what, blow.where, _nth(blow, chance)) for blow in blows),
        chance.choice((20, 200, 10_000)),
        chance.choice((7, 50, 10_000)),
        chance.choice((10, 100, 50_000)),
    )
    appends = chance.random() < 0.15 and not any(blow.where.endswith(("alter", "keyed")) for blow in scenario.blows)
    if appends:
        keyless, dismisses = chance.random() < 0.6, chance.random() < 0.5
        return replace(scenario, appends=True, alters=False, keyless=keyless, dismisses=dismisses)
    writers = chance.choice(WRITERS) if chance.random() < 0.4 else (1,)
    in_turn, keyless = chance.random() < 0.5, chance.random() < 0.35
    small = chance.random() < 0.3 and not any(blow.where.endswith("keyed") for blow in scenario.blows)
    # Two runs of several sessions may wait for each other within a run, where no server sees it, for 60 s.
    dismisses = chance.random() < 0.5 or max(writers) > 1
    return replace(scenario, writers=writers, in_turn=in_turn, keyless=keyless, small=small, dismisses=dismisses)


def _nth(blow: Blow, chance: random.Random) -> int:
    if blow.what in ("cut", "kill -9") and "commit" not in blow.where:
        most = 3_000 if blow.where == "source sent" else 30_000
        return chance.randrange(1, most)  # bytes; or, of a server that is killed, sixtieths of a millisecond until then
    return chance.randrange(1, 8) if blow.where.split()[-1] in _OFTEN else 1
