"""Whether a task's source can be followed as it is, asked when the task is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from disync.connectors import find
from disync.model.connector import Site
from disync.model.errors import ApiError, BadConfig, Refused, TaskError
from disync.model.job import Step
from disync.services.access import Caller
from disync.services.probing import Probes

log = structlog.get_logger()

SECONDS = 10.0
LATE = "The data source does not answer in time."


class Precheck:
    """A fault that is certain refuses the task, with its remedy. What cannot be found out now the start finds out."""

    def __init__(self) -> None:
        self._probes = Probes()

    def run(self, caller: Caller, source: Step, contents: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Warnings. Raises Refused; needs no transaction, and takes at most `SECONDS`."""
        connector = find(source.type)
        check = connector.precheck if connector else None
        if check is None:
            return []
        site = Site(source.parameter, contents)
        try:
            found = self._probes.run(caller.user_id, lambda: check(site), SECONDS, LATE)
        except BadConfig as error:
            raise Refused(f"{source.place}: {error}", "Invalid.TaskContent") from error
        except (TaskError, ApiError) as error:
            return [f"{source.place}: the source was not checked now, and will be when the task starts. {error}"]
        except Exception:
            log.exception("a check failed in a way nobody foresaw", step=source.name)
            return [f"{source.place}: the source could not be checked now; it will be when the task starts."]
        return [f"{source.place}: {warning}" for warning in found]
