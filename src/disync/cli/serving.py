"""The processes of an installation: the server, its workers, the local DataHub, and what they start themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from disync import app, cluster
from disync import worker as worker_
from disync.cli.common import HOME, key_of
from disync.datahub.server import serve as serve_datahub
from disync.home import configure_logging
from disync.model.errors import Refused
from disync.services.resource_groups import DEFAULT
from disync.settings import Settings

HOST = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")

WORKER_CU = click.option(
    "--worker-cu",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0.01, 1000),
    help="What a worker takes of a Ray node: a CPU and 4 GiB for each CU. A task of more has a worker of its own.",
)
TRUSTING = click.option(
    "--ray-without-authentication", is_flag=True, help="Join a Ray cluster that runs whatever anybody sends it."
)


@click.command()
@HOST
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@HOME
@click.option("--workers", default=2, show_default=True, type=click.IntRange(0, 64), help="Worker processes.")
@click.option("--datahub-port", type=click.IntRange(0, 65535), help="Host a local DataHub on this port too.")
@click.option(
    "--runner", default="local", show_default=True, type=click.Choice(["local", "ray"]), help="Where they run."
)
@click.option(
    "--ray-address", metavar="HOST:PORT", help="The head of the Ray cluster; workers are for each node there."
)
@WORKER_CU
@TRUSTING
def serve(host: str, port: int, home: Path | None, workers: int, datahub_port: int | None, **on: Any) -> None:
    """Answer the API, and run tasks: here, or on a Ray cluster."""
    configure_logging()
    settings = Settings.read(home)
    keeper: tuple[str, ...] = ()
    if on["runner"] == "ray":
        options = cluster.RayOptions(
            on["ray_address"] or "", workers, on["worker_cu"], on["ray_without_authentication"]
        )
        try:
            cluster.require(settings, options)
        except Refused as error:
            raise click.UsageError(str(error)) from error
        keeper = ("keep-on-ray", *options.words)
    app.serve(settings, app.ServeOptions(host, port, workers, datahub_port, keeper))


@click.command(hidden=True)
@HOME
@click.option("--parent", type=int, required=True)
@click.option("--address", required=True)
@click.option("--workers", type=int, required=True)
@WORKER_CU
@TRUSTING
def keep_on_ray(home: Path | None, parent: int, **on: Any) -> None:
    """The process of `disync serve --runner ray` that keeps the workers up."""
    configure_logging()
    options = cluster.RayOptions(on["address"], on["workers"], on["worker_cu"], on["ray_without_authentication"])
    cluster.keep(Settings.read(home), options, parent)


@click.command()
@HOST
@click.option("--port", default=8081, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@HOME
def datahub(host: str, port: int, home: Path | None) -> None:
    """Serve the DataHub protocol, for machines that have no DataHub.

    It takes the access key of DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET.
    """
    configure_logging()
    settings = Settings.read(home)
    serve_datahub(host, port, settings.home / "datahub", dict([key_of(settings)]).get)


@click.command()
@HOME
@click.option("--store", help="The store's URL, postgresql://…; where it has a password, set DISYNC_STORE_URL instead.")
@click.option("--group", "groups", multiple=True, default=[DEFAULT], show_default=True, help="May be given again.")
@click.option("--health-port", type=click.IntRange(0, 65535), help="Tell on this port how it is: /healthz, /readyz.")
@HOST
def worker(home: Path | None, store: str | None, groups: tuple[str, ...], health_port: int | None, host: str) -> None:
    """Run the tasks of a resource group, on any machine that reaches the store.

    It needs the store's URL and the key file of the server (DISYNC_KEY_FILE), and a `disync serve` over the same store.
    """
    configure_logging()
    settings = Settings.read(home)
    settings = replace(settings, store_url=store or settings.store_url)
    health = None if health_port is None else (host, health_port)
    worker_.work(settings, worker_.WorkerOptions(frozenset(groups), health))


@click.command(hidden=True)
@HOME
@click.option("--parent", type=int, required=True)
@click.option("--id", "verification_id", type=int, required=True)
@click.option("--holder", required=True)
def verification(home: Path | None, parent: int, verification_id: int, holder: str) -> None:
    """The process of `disync serve` that carries out one verification."""
    configure_logging()
    app.verify(Settings.read(home), verification_id, holder, parent)


@click.command(hidden=True)
@HOST
@click.option("--port", type=int, required=True)
@HOME
@click.option("--parent", type=int, required=True)
def host_datahub(host: str, port: int, home: Path | None, parent: int) -> None:
    """The local DataHub of `disync serve`."""
    configure_logging()
    app.host_datahub(Settings.read(home), host, port, parent)
