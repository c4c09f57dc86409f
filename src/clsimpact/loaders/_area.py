"""What kind of area a row is about, by its ONS code."""

from __future__ import annotations

from typing import Final

__all__ = ["COUNCIL_TYPES", "level_of", "ons_code_of"]

_PREFIXES: Final[dict[str, str]] = {
    "E06": "council",
    "E08": "council",
    "E09": "council",
    "E10": "council",
    "E07": "district",
    "E12": "region",
    "E92": "england",
}
_NO_CODE: Final = ("", "-", "[z]")

COUNCIL_TYPES: Final[tuple[str, ...]] = (
    "Shire Counties",
    "Unitary Authority",
    "Unitary Authorities",
    "Metropolitan District",
    "Metropolitan Districts",
    "Inner London",
    "Outer London",
    "District",
)
"""The names under which publications group councils by type. They have no ONS code."""


def ons_code_of(printed: object) -> str | None:
    """Return an ONS code, or ``None`` where the publication prints a blank, ``-`` or ``[z]`` instead.

    Examples
    --------
    >>> ons_code_of(" E06000057 "), ons_code_of("-")
    ('E06000057', None)
    """
    text = str(printed).strip() if printed is not None else ""
    return None if text in _NO_CODE else text


def level_of(code: str | None, name: str = "") -> str:
    """Return the level of an area.

    Parameters
    ----------
    code
        ONS nine-character code, or ``None``.
    name
        Name as printed; it decides only where there is no code.

    Returns
    -------
    str
        ``council`` for areas with social-care duties (E06, E08, E09, E10), ``district`` for E07, ``region``
        for E12, ``england``, ``council_type`` for the groups of :data:`COUNCIL_TYPES`, and ``other`` for
        everything else (metropolitan counties E11, other nations, joint areas).

    Examples
    --------
    >>> level_of("E10000006"), level_of("E07000223"), level_of("E11000001"), level_of(None, "Inner London")
    ('council', 'district', 'other', 'council_type')
    """
    if code is None:
        return "council_type" if name in COUNCIL_TYPES else "other"
    return _PREFIXES.get(code[:3], "other")
