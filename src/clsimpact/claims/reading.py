"""Claims of a user's own, in TOML."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, get_args

from clsimpact._own_files import own_text
from clsimpact._toml import parse_toml
from clsimpact.claims._problems import CHANGES, fit_problems, rule_problems
from clsimpact.claims.declared import Claim, ClaimTest
from clsimpact.claims.rules import Rule
from clsimpact.errors import ClsimpactError, did_you_mean

__all__ = ["load_claims", "read_claims"]

_CLAIM_KEYS: Final = ("id", "statement", "source", "outcomes", "tests", "published")
_TEST_KEYS: Final = tuple(field.name for field in fields(ClaimTest))
_FIELDS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("earlier_first", "earlier_last", "direction"), CHANGES),
    **dict.fromkeys(("value", "tolerance", "reason"), ("equals",)),
}
_ID: Final = re.compile(r"[A-Za-z0-9._-]+")


def load_claims(path: str | os.PathLike[str]) -> dict[str, Claim]:
    """Read claims from a TOML file.

    Parameters
    ----------
    path
        A file with a table ``[[claims]]`` per claim: ``id``, ``statement``, ``outcomes``, ``source`` and
        ``published`` if there are any, and a table ``[[claims.tests]]`` per test with the fields of
        :class:`ClaimTest`. An end of a window that is left out is open.

    Returns
    -------
    dict
        Id to claim, in the order of the file.

    Raises
    ------
    ClsimpactError
        If the file is absent, is no TOML, or declares no usable claims; all problems are listed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> text = '''
    ... [[claims]]
    ... id = "W1"
    ... statement = "Employment of teenagers falls"
    ... outcomes = ["lemp"]
    ... [[claims.tests]]
    ... rule = "decrease"
    ... first = 0
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     where = Path(folder) / "claims.toml"
    ...     _ = where.write_text(text, encoding="utf-8")
    ...     load_claims(where)["W1"].tests[0].window
    'event times 0 and later'
    """
    where, text = own_text(path, "a file of claims", "Give the path of a TOML file of claims.")
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise ClsimpactError(
            f"{where.name} is no TOML.", [str(error)], repair="Correct the line named above."
        ) from error
    problems: list[str] = []
    claims = read_claims(table.get("claims", []), problems)
    if problems or not claims:
        raise ClsimpactError(
            f"{where.name} declares no usable claims.",
            problems or ["there is no table [[claims]]"],
            repair="Each claim needs id, statement, outcomes and [[claims.tests]].",
        )
    return claims


def read_claims(rows: object, problems: list[str]) -> dict[str, Claim]:
    """Read claims from tables, and add whatever is wrong with them to ``problems``.

    Parameters
    ----------
    rows
        What stands under ``claims`` in a TOML file.
    problems
        Is added to: one line per problem, with claim and test.

    Returns
    -------
    dict
        Id to claim, of those without problems.

    Examples
    --------
    >>> problems = []
    >>> read_claims([{"id": "W1", "statement": "It falls", "outcomes": ["y"]}], problems)
    {}
    >>> problems
    ['claim W1: there is no table [[claims.tests]]']
    """
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        problems.append("claims: write each as a table [[claims]]")
        return {}
    claims: dict[str, Claim] = {}
    seen: set[str] = set()
    for place, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            problems.append(f"claim {place}: write it as a table [[claims]]")
            continue
        name = str(row.get("id", place))
        where = f"claim {name}"
        before = len(problems)
        if name in seen:
            problems.append(f"{where}: there are two claims of that id")
        seen.add(name)
        problems.extend(_claim_problems(row, where))
        tests = [_read_test(test, f"{where}, test {n}", problems) for n, test in _numbered(row.get("tests"))]
        if len(problems) == before:
            problems.extend(_outcome_problems(row, where))
        if len(problems) == before:
            words = {key: str(row.get(key, "")) for key in ("id", "statement", "source", "published")}
            kept = tuple(test for test in tests if test is not None)
            claims[name] = Claim(**words, outcomes=tuple(row["outcomes"]), tests=kept)
    return claims


def _numbered(tests: object) -> Iterable[tuple[int, object]]:
    return enumerate(tests, start=1) if isinstance(tests, list) else ()


def _claim_problems(row: Mapping[str, Any], where: str) -> Iterable[str]:
    """Say what is wrong with the fields of a claim."""
    for key in row:
        if key not in _CLAIM_KEYS:
            yield f"{where}: no field {key!r}{did_you_mean(str(key), _CLAIM_KEYS)}"
    for key in ("id", "statement"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            yield f"{where}: {key} must be a text"
    if isinstance(row.get("id"), str) and row["id"].strip() and not _ID.fullmatch(row["id"]):
        yield f"{where}: id may hold letters, digits, '.', '_' and '-' only"
    for key in ("source", "published"):
        if not isinstance(row.get(key, ""), str):
            yield f"{where}: {key} must be a text"
    outcomes = row.get("outcomes")
    if not outcomes or not _are_texts(outcomes):
        yield f"{where}: outcomes must be a list of column names"
    if not isinstance(row.get("tests"), list) or not row["tests"]:
        yield f"{where}: there is no table [[claims.tests]]"


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(it, str) and it for it in value)


def _outcome_problems(row: Mapping[str, Any], where: str) -> Iterable[str]:
    """Say which tests and outcomes of a claim, otherwise in order, do not go together."""
    tests = [tuple(test.get("outcomes", ())) for test in row["tests"]]
    for problem in fit_problems(tuple(row["outcomes"]), tests):
        yield f"{where}: {problem}"


def _read_test(row: object, where: str, problems: list[str]) -> ClaimTest | None:
    if not isinstance(row, Mapping):
        problems.append(f"{where}: write it as a table [[claims.tests]]")
        return None
    found = list(_test_problems(row))
    problems.extend(f"{where}: {problem}" for problem in found)
    if found:
        return None
    given = {"first": None, "last": None, **{str(key): value for key, value in row.items()}}
    return ClaimTest(**given | {"outcomes": tuple(given.get("outcomes", ()))})


def _test_problems(row: Mapping[str, Any]) -> Iterable[str]:
    """Say what is wrong with the fields of a test."""
    for key in row:
        if key not in _TEST_KEYS:
            yield f"no field {key!r}{did_you_mean(str(key), _TEST_KEYS)}"
    if not _are_texts(row.get("outcomes", [])):
        yield "outcomes must be a list of column names"
    if not isinstance(row.get("reason", ""), str):
        yield "reason must be a text"
    yield from rule_problems(row)
    rule = row.get("rule")
    for key, rules in _FIELDS_OF.items():
        if key in row and rule in get_args(Rule) and rule not in rules:
            yield f"{key} belongs to {' and '.join(rules)}, not to {rule}"
