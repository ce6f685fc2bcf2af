"""What is wrong with bytes of a log."""

from __future__ import annotations

from disync.model.errors import TaskError


class BrokenLog(TaskError):
    """An event that is cut short, garbled or of a kind nobody knows. Reading again may cure it: a line may be bad."""

    code = "BrokenLog"


class NotServed(TaskError):
    """An event that is whole but cannot be followed; going on would lose rows."""

    code = "NotServed"
    retry = False
