"""A first look at the hosts that a data source names, for connectors that do not ask the policy when they connect.

The rule itself, and the only check that holds at every connection, is `connectors/network.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from disync.connectors.network import addresses_of

_HOST = re.compile(r"//(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)")


def check(content: Mapping[str, Any]) -> None:
    """Raises BadConfig if a host in one of the content's URLs is denied, Unreachable if it is not known."""
    for value in content.values():
        for host in _HOST.findall(value) if isinstance(value, str) else ():
            addresses_of(host.strip("[]"), 0)
