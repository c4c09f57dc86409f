"""Paths that a user gives: refused in words where they are none, with ``~`` for the home folder."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

from clsimpact._asked import kind_of
from clsimpact.errors import ClsimpactError, SourceError

__all__ = ["file_to_write", "inside", "is_inside", "path_of"]


def path_of(given: object, what: str) -> Path:
    """Return a path, with ``~`` as the home folder.

    Parameters
    ----------
    given
        What the user gave.
    what
        What should have been given, such as ``a study file``.

    Raises
    ------
    SourceError
        If it is neither text nor a path, or there is no such home folder.

    Examples
    --------
    >>> path_of("results/fit.json", "a file of fit.save").name
    'fit.json'
    >>> path_of(3, "a file of fit.save")
    Traceback (most recent call last):
    clsimpact.errors.SourceError: A path is needed, not 3.
    Repair: Give the path of a file of fit.save, in quotation marks.
    """
    if not isinstance(given, str | os.PathLike):
        raise SourceError(
            f"A path is needed, not {kind_of(given)}.", repair=f"Give the path of {what}, in quotation marks."
        )
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise SourceError(
            f"{given} begins with ~, and no such home folder is known.", repair="Write the folder out."
        ) from None


def file_to_write(given: object, what: str, *endings: str) -> Path:
    """Return the path of a file to write.

    Parameters
    ----------
    given
        What the user gave.
    what
        What is written, such as ``a figure``.
    endings
        Endings that the name can have; any if there are none.

    Raises
    ------
    ClsimpactError
        If it is no path, or a folder, or its name ends otherwise.

    Examples
    --------
    >>> file_to_write("table.pdf", "a Word document", ".docx")
    Traceback (most recent call last):
    clsimpact.errors.ClsimpactError: A Word document cannot be written to table.pdf: its name ends in '.pdf'.
    Repair: Its name can end in .docx: 'table.docx'.
    """
    path = path_of(given, "a file to write")
    if path.is_dir():
        name = f"name{endings[0] if endings else '.json'}"
        raise ClsimpactError(
            f"{path} is a folder, not a file.", repair=f"Give the name of a file in it: {str(path / name)!r}."
        )
    if endings and path.suffix.lower() not in endings:
        ending = f"its name ends in {path.suffix!r}" if path.suffix else "its name has no ending"
        raise ClsimpactError(
            f"{what[0].upper()}{what[1:]} cannot be written to {path.name}: {ending}.",
            repair=f"Its name can end in {', '.join(endings)}: {path.with_suffix(endings[0]).name!r}.",
        )
    return path


def is_inside(name: str) -> bool:
    """Return whether a name stays in its folder, on every system: no drive, no root, no ``..``, no NUL.

    Examples
    --------
    >>> [is_inside(name) for name in ("a/b.csv", "../b.csv", "/b.csv", "C:b.csv", "a/../../b.csv")]
    [True, False, False, False, False]
    """
    parts = PureWindowsPath(name)
    return not (parts.anchor or ".." in parts.parts or "\0" in name)


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file below a folder.

    Raises
    ------
    SourceError
        If the name leads out of the folder.

    Examples
    --------
    >>> inside(Path("out"), "figures/path.svg").as_posix()
    'out/figures/path.svg'
    """
    if not is_inside(name):
        raise SourceError(
            f"The file {name!r} would lie outside {folder}.", repair="Use names without '/', '..' or a drive."
        )
    return folder / name
