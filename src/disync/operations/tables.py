"""The tables of a task, one by one."""

from __future__ import annotations

import msgspec

from disync.model.errors import ParamInvalid
from disync.operations.parameters import Parameters, Payload
from disync.services import Caller, Services


def retry_di_sync_tables(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Has tables of a real-time task or a solution loaded once more, alone: they are emptied, loaded and join the log,
    and the others go on. `Tables`: a JSON list of names as ListDISyncInstanceTables has them in `SourceTable`, of
    tables that were left behind or of any other. What was refused of them is forgotten. `Runs`: a task that runs
    restarts for it at once, which is no failover; any other does it when it is started."""
    try:
        tables = msgspec.json.decode(parameters["Tables"], type=list[str])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ParamInvalid("Tables", 'a JSON list of names, as ["orders"].') from error
    done = services.table_retries.retry(caller, parameters["ProjectId"], parameters["FileId"], tables)
    return {"Data": {"Status": "success", "Message": None, "Tables": done.tables, "Runs": done.runs}}
