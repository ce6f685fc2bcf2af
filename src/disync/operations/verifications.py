"""Source and target compared, and what differs written again."""

from __future__ import annotations

import msgspec

from disync.engine.verify import MOST_FINDINGS
from disync.model.errors import ParamInvalid
from disync.operations.parameters import Parameters, Payload, asked, counted
from disync.services import Caller, Services
from disync.services.verification import Asked
from disync.services.verifications.outcome import Row, State, Table
from disync.services.verifications.verifications import Seen

MOST = 100_000
"""Rows of a table that may be found to differ before it is given up."""

_FIRST = (State.RUN, State.FAIL, State.DIFFERENT, State.STOPPED, State.REPAIRED, State.WAIT, State.EQUAL)
"""Which tables of a verification are told of first."""


def start_di_sync_verification(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Compares what a real-time task or a solution reads with what it writes, in the background, in a process of its
    own. `Tables`: a JSON list of the source's tables; none: all. `Repair`: what differs is written again, as the source
    has it then, and compared once more; a task at rest does that first when it is started. `Most`: after so many rows
    of a table that differ it is given up (10,000 unless said). Two run at once at most, and one of a task."""
    wish = Asked(_tables(parameters.get("Tables")), parameters.get("Repair", False), _most(parameters.get("Most")))
    made = services.verifications.start(caller, parameters["ProjectId"], parameters["FileId"], wish)
    return {"Data": {"Status": "success", "Message": None, "VerificationId": made}}


def get_di_sync_verification(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """One verification, with a page of its tables: those at work first, then those that failed or differ. `State`:
    RUN, EQUAL, DIFFERENT, REPAIRED (it differed, and is shown to be equal since), FAIL (it did not come to its end,
    for the reason in `Message`) or STOPPED (by whom `Message` says); a table may also WAIT. `Differences` are rows
    that differ still, `Repaired` those that do not any more; `Missing`, `Extra` and `Different` is what was found at
    first. Of at most 1,000 rows there are `Findings`: `Key`, `Source` and `Target` are JSON objects, values as text;
    of a row that both sides have, in the columns that differ. `Why`: unexplained, or the reason that is known, and
    `Note` more of it."""
    seen = services.verifications.get(caller, parameters["ProjectId"], parameters["VerificationId"])
    tables = sorted(seen.tables, key=lambda table: (_FIRST.index(table.state), table.source))
    page = asked(parameters)
    chosen = tables[page.offset : page.offset + page.size]
    more = {
        "FileId": seen.row.file_id,
        "Chosen": msgspec.json.decode(seen.row.tables),
        "Progress": seen.percent,
        "Tables": [_table(table) for table in chosen],
        "PageNumber": page.number,
        "PageSize": page.size,
        "TotalCount": len(tables),
    }
    return {"Data": _summary(seen) | more}


def list_di_sync_verifications(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The verifications of a real-time task or a solution, the newest first; the newest 50 are kept. Those of `disync
    verify` are among them. `Hindrance`: why the task cannot be verified now, empty where it can."""
    page, hindrance = services.verifications.list(
        caller, parameters["ProjectId"], parameters["FileId"], asked(parameters)
    )
    found = [_summary(seen) for seen in page.entries]
    return {"Data": {"Verifications": found, "Hindrance": hindrance, **counted(page)}}


def stop_di_sync_verification(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Ends a verification that runs, or waits to be taken up. What was compared so far is kept. It makes room for
    another at once; its process ends within seconds. It asks for no repair from then on; rows that it has asked for
    before are written all the same."""
    services.verifications.stop(caller, parameters["ProjectId"], parameters["VerificationId"])
    return {"Data": {"Status": "success", "Message": None}}


def _summary(seen: Seen) -> Payload:
    row = seen.row
    return {
        "VerificationId": row.id,
        "State": str(seen.state),
        "Message": seen.message,
        "Repair": row.repair,
        "User": row.user_id,
        "StartTime": row.started_ms,
        "EndTime": seen.ended_ms,
        "TableCount": row.tables_all,
        "TablesDone": row.tables_done,
        "RowsCompared": row.rows_compared,
        "Differences": row.differences,
        "Repaired": row.repaired,
    }


def _table(table: Table) -> Payload:
    source, target = table.rows
    return {
        "SourceTable": table.source,
        "TargetTable": table.target,
        "Result": str(table.state),
        "Message": table.message,
        "Rows": source,
        "TargetRows": target,
        "Progress": table.percent,
        "Missing": table.counts.get("missing", 0),
        "Extra": table.counts.get("extra", 0),
        "Different": table.counts.get("different", 0),
        "Differences": table.differing,
        "Repaired": table.repaired,
        "Findings": [_finding(row) for row in table.found],
    }


def _finding(row: Row) -> Payload:
    return {
        "Key": row.key,
        "What": row.what,
        "Why": row.why,
        "Note": row.note,
        "Columns": list(row.columns),
        "Source": row.source,
        "Target": row.target,
        "Repaired": row.repaired,
    }


def _tables(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        names = msgspec.json.decode(text, type=list[str])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ParamInvalid("Tables", 'a JSON list of names of the source\'s tables, such as ["orders"].') from None
    return tuple(dict.fromkeys(names))


def _most(number: int | None) -> int:
    if number is None:
        return MOST_FINDINGS
    if not 1 <= number <= MOST:
        raise ParamInvalid("Most", f"from 1 to {MOST:,}.")
    return number
