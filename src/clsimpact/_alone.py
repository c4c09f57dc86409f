"""One run at a time in a folder. The lock of a run that was killed ends with it: nothing has to be mended."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from clsimpact._disk import cannot_write
from clsimpact.errors import SourceError
from clsimpact.store import sweep

__all__ = ["alone_in"]


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder until the block ends, and remove what a killed run left half written.

    The folder itself is locked, so that no file tells of it. Where the operating system or the disk cannot
    lock a folder (Windows, some network disks), runs are not kept apart.

    Parameters
    ----------
    folder
        It is made if it does not exist.

    Raises
    ------
    SourceError
        If another run writes to it.
    ClsimpactError
        If it cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place, alone_in(Path(place)), alone_in(Path(place)):
    ...     pass
    Traceback (most recent call last):
    clsimpact.errors.SourceError: Another run writes to ...
    Repair: Wait until it has ended, or name another folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = None if find_spec("fcntl") is None else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(folder, error) from error
    if held is None:
        yield
        return
    try:
        _lock(held, folder)
        sweep(folder)
        yield
    finally:
        os.close(held)


def _lock(held: int, folder: Path) -> None:
    fcntl = importlib.import_module("fcntl")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SourceError(
            f"Another run writes to {folder}.", repair="Wait until it has ended, or name another folder."
        ) from error
    except OSError:
        return  # A disk that cannot lock.
