"""What a disk refuses, in words."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from clsimpact.errors import ClsimpactError

__all__ = ["cannot_write", "is_full"]

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_NO_RIGHT: Final = {errno.EACCES, errno.EPERM}
_NO_PLACE: Final = {errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY}


def is_full(error: BaseException | None) -> bool:
    """Return whether a disk without room is what went wrong.

    Examples
    --------
    >>> is_full(OSError(errno.ENOSPC, "No space left on device"))
    True
    """
    if isinstance(error, OSError):
        return error.errno in _FULL
    return isinstance(error, ClsimpactError) and is_full(error.__cause__)


def cannot_write(path: Path, error: OSError) -> ClsimpactError:
    """Return the error that says in words why a file cannot be written, and what to do.

    Examples
    --------
    >>> raise cannot_write(Path("fit.json"), OSError(errno.ENOSPC, "No space left on device"))
    Traceback (most recent call last):
    clsimpact.errors.ClsimpactError: fit.json cannot be written: the disk is full.
    Repair: Make room, or name a folder on another disk.
    """
    why, repair = str(error.strerror or error), "Name a file in a folder of your own."
    if error.errno in _FULL:
        why, repair = "the disk is full", "Make room, or name a folder on another disk."
    elif error.errno in _NO_RIGHT:
        why = "no right to write there"
    elif error.errno == errno.EROFS:
        why = "the disk can only be read"
    elif error.errno in _NO_PLACE:
        why = "no folder can be there"
    elif error.errno == errno.ENAMETOOLONG:
        why, repair = "its path is too long", "Name a folder with a shorter path."
    return ClsimpactError(f"{path} cannot be written: {why}.", repair=repair)
