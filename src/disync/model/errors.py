"""Every error is one of ours.

    DISyncError
    ├── Refused              a business failure: HTTP 200, Data.Status "fail", Data.Message
    ├── ApiError             a hard failure of a request: 4xx or 5xx and the vendor's envelope
    │   ├── ParamInvalid     400 Param.Invalid, as in GetDISyncTask, error codes
    │   ├── ForbiddenAccess  403 Forbidden.Access
    │   ├── InternalError    500 InternalError.System
    │   └── StoreUnavailable 503 ServiceUnavailable
    └── TaskError            a running task met it; `retry` says whether a failover may cure it
        ├── Unreachable      the other system does not answer (retry)
        ├── BadConfig        the task or the data source is wrong (no retry)
        │   └── Misfit       a table of the target is there and is not as it has to be
        ├── PositionGone     the source no longer holds the position (no retry)
        ├── DdlRefused       a change of the source's schema that the task must not pass over (no retry)
        ├── DirtyLimit       more refused rows than the task allows (no retry)
        ├── NeedsConfirmation  the target differs in a way that a run can live with, if the user says so (no retry)
        └── Fenced           another run of the task has taken over (no retry, silent stop)
            └── BegunAnew    a later beginning of the task has the target (no retry)

Drivers' exceptions stop at the connector and become a TaskError there (`raise ... from`).
"""

from __future__ import annotations

from collections.abc import Iterable


class DISyncError(Exception):
    """The root. `str(error)` is a sentence that tells the user what is wrong and what to do."""


class Refused(DISyncError):
    """What was asked cannot be done, and the caller is told why in the answer's own form.

    `code` is for the envelopes that have an ErrorCode member (files, nodes); the others show only the text.
    """

    def __init__(self, message: str, code: str = "Invalid.Operation") -> None:
        super().__init__(message)
        self.code = code


class ApiError(DISyncError):
    """A hard failure: the vendor's envelope `RequestId, HostId, Code, Message, Recommend` under an HTTP status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ParamInvalid(ApiError):
    """400 Param.Invalid; names the parameter and says what it must be."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(400, "Param.Invalid", f"The parameter is invalid. {name}: {why}")


class ForbiddenAccess(ApiError):
    """403 Forbidden.Access: another workspace's object, or a write by a visitor."""

    def __init__(self) -> None:
        super().__init__(403, "Forbidden.Access", "Access is forbidden.")


class InternalError(ApiError):
    """500 InternalError.System: ours; the log holds the request id and the cause."""

    def __init__(self) -> None:
        super().__init__(500, "InternalError.System", "An internal error occurred.")


class StoreUnavailable(ApiError):
    """503 ServiceUnavailable: what DISync keeps cannot be written, or not be reached, for now."""

    def __init__(self, why: str) -> None:
        super().__init__(503, "ServiceUnavailable", why)


class TaskError(DISyncError):
    """A running task met it. `code` is stable; `retry` says whether another run may succeed. `tables`: the names of the
    tables that it is about, where it is about these and no others; of the source's, or of the target's from a writer.
    """

    code = "TaskError"
    retry = True

    def __init__(self, message: str, tables: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.tables = frozenset(tables)


class Unreachable(TaskError):
    code = "Unreachable"


class BadConfig(TaskError):
    code = "BadConfig"
    retry = False


class Misfit(BadConfig):
    """`tables` are the target's."""


class PositionGone(TaskError):
    code = "PositionGone"
    retry = False


class DdlRefused(TaskError):
    code = "DdlRefused"
    retry = False


class DirtyLimit(TaskError):
    code = "DirtyLimit"
    retry = False


class NeedsConfirmation(TaskError):
    """The run goes on with the target as it is once the task is started again: `Task.confirmed` is then true."""

    code = "NeedsConfirmation"
    retry = False


class Fenced(TaskError):
    """`epoch`: of the run that the target has seen; 0 where it is not the target that says so."""

    code = "Fenced"
    retry = False

    def __init__(self, message: str, epoch: int = 0) -> None:
        super().__init__(message)
        self.epoch = epoch


class BegunAnew(Fenced):
    """Of a run that the store takes for the latest, it tells that the store was put back to before that beginning."""

    code = "BegunAnew"

    def __init__(self) -> None:
        super().__init__(
            "The target belongs to a later beginning of this task: it has begun anew since. If the store was put back "
            "to an older state, start the task with a `startTime`, or terminate it, deploy it and start it, so that it "
            "begins anew once more."
        )
