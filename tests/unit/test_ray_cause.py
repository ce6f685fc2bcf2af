"""What the log says of a worker's end on a cluster: what is known of it, and not what else it might have been."""

from __future__ import annotations

from disync.engine.runners.ray_door import cause

TOLD = """The actor died unexpectedly before finishing this task.
\tclass_name: Hosted
\tactor_id: 77
The actor died because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker \
unexpectedly exits with a connection error code 2. End of file. There are some potential root causes. (1) The process \
is killed by SIGKILL by OOM killer due to high memory usage. (2) ray stop --force is called."""


def test_the_detail_is_told_whole_and_what_is_guessed_is_not() -> None:
    assert cause(Exception(TOLD)) == "Worker unexpectedly exits with a connection error code 2. End of file."


def test_without_one_the_last_line_is_told_or_the_name_of_the_error() -> None:
    assert cause(Exception("first\n  last \n\n")) == "last"
    assert cause(Exception("Traceback\ndisync.model.errors.BadConfig: Set it.\n")) == "BadConfig: Set it."
    assert cause(ValueError()) == "ValueError"
    assert len(cause(Exception("x" * 9999))) == 500
