"""Replace files of a folder all together: whatever stops a run, no reader takes old ones beside new ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clsimpact._disk import cannot_write
from clsimpact.store import WHOLE

__all__ = ["finish", "replaced"]

_BEGUN: Final = ".build-begun"
"""Below the folder: files of a run that has not written all of them."""


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to; at the end of the block its files replace those of the same names.

    Until all of them are written, nothing of the folder is touched. While they are moved, ``.build-whole``
    holds those that are still to come; :func:`clsimpact.store.read_parquet` refuses such a folder, and the
    next run moves them.

    Parameters
    ----------
    folder
        Nobody else may be writing to it: see :func:`clsimpact._alone.alone_in`.

    Raises
    ------
    ClsimpactError
        If a file cannot be moved to its place.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     with replaced(Path(name)) as place:
    ...         _ = (place / "a.txt").write_text("a")
    ...     [path.name for path in Path(name).iterdir()]
    ['a.txt']
    """
    finish(folder)
    begun = folder / _BEGUN
    try:
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        yield begun
        begun.rename(folder / WHOLE)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    finish(folder)


def finish(folder: Path) -> None:
    """Move what a run has written whole to its places, be it this run or one that was stopped.

    Parameters
    ----------
    folder
        As for :func:`replaced`.

    Raises
    ------
    ClsimpactError
        If a file cannot be moved: ``.build-whole`` keeps it for the next run.
    """
    whole = folder / WHOLE
    for path in sorted(path for path in whole.rglob("*") if path.is_file()):
        place = folder / path.relative_to(whole)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
        except OSError as error:
            raise cannot_write(place, error) from error
    if whole.is_dir():
        shutil.rmtree(whole)
