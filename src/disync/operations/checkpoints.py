"""How far a task is."""

from __future__ import annotations

from disync.operations.parameters import Parameters, Payload
from disync.services import Caller, Services


def list_di_sync_checkpoints(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The positions up to which a real-time task or a solution is durable in its target: one of each stream of the
    source and of each part of the load; at most 1000, those not done first. A task that has not begun has none.
    `Chosen`: UpdateDISyncCheckpoint has set it, and no run has begun since."""
    found = services.positions.of_task(caller, parameters["ProjectId"], parameters["FileId"])
    shown = [
        {
            "Split": row.split,
            "Position": row.position,
            "Done": bool(row.done),
            "Epoch": row.epoch,
            "Time": row.updated_ms,
            "Chosen": row.chosen is not None,
        }
        for row in found
    ]
    return {"Data": {"Checkpoints": shown}}


def update_di_sync_checkpoint(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Sets where a stopped task, or solution, takes up a part of its source at its next start; `Split` is one that
    ListDISyncCheckpoints names, and the source is asked whether it has the position. What lies behind an earlier one is
    written again, what a later one leaves out is missing in the target: docs/checkpoints.md. `Data.Position` is the
    position as it is kept."""
    asked = parameters["ProjectId"], parameters["FileId"], parameters["Split"], parameters["Position"]
    position = services.positions.choose(caller, *asked)
    return {"Data": {"Status": "success", "Message": None, "Position": position}}
