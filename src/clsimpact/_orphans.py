"""A process of a pool ends with the run that started it, also if that run is killed."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait

__all__ = ["end_with_parent"]


def end_with_parent() -> None:
    """Watch the process that started this one, and end as soon as it is no more.

    Without this, the processes of a killed run would go on, and write between the files of the next run.

    Examples
    --------
    >>> end_with_parent()  # this process was not started by another one of Python
    """
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
