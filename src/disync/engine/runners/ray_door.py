"""The door of a Ray cluster: joining it, whether it is shut to strangers, and what Ray says of what has ended."""

from __future__ import annotations

import re
import sys

import ray
from ray.exceptions import AuthenticationError, RaySystemError

from disync.model.errors import BadConfig, Unreachable

NAMESPACE = "disync"
OURS = re.compile(r"^disync\.model\.errors\.")
PROBE_SECONDS = 10.0


def join(address: str) -> None:
    """Become a client of the cluster at HOST:PORT, through the node of it that is on this machine.

    Raises Unreachable while there is none, and BadConfig if it does not take our token.
    """
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="warning")
    except AuthenticationError as error:
        raise BadConfig(f"The Ray cluster at {address} refuses RAY_AUTH_TOKEN: {_first(error)}") from error
    except (ConnectionError, RuntimeError, TimeoutError, ValueError, RaySystemError) as error:
        raise Unreachable(f"The Ray cluster at {address} cannot be joined: {_first(error)}") from error


def _probe(address: str) -> str:
    """Whether a stranger is let in: the main program of this module, without a token in its environment."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined, unused-ignore]

    try:
        GcsClient(address=address).get_all_node_info(timeout=PROBE_SECONDS)
    except AuthenticationError:
        return "shut"
    return "open"


def cause(error: Exception) -> str:
    """What Ray says of the process that ended, without what it guesses of the reasons; else its last line, in which an
    error of ours has its short name."""
    text = str(error)
    _, _, detail = text.partition("Worker exit detail:")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = " ".join(detail.split()).partition(" There are some potential root causes")[0]
    return (told or OURS.sub("", (lines or [type(error).__name__])[-1]))[:500]


def _first(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:500]


if __name__ == "__main__":
    print(_probe(sys.argv[1]))
