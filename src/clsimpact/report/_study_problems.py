"""What can be wrong with a study file: every problem, with its table and the nearest known name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from clsimpact._asked import is_number
from clsimpact._printable import printable
from clsimpact._procedures import COVARIANCES
from clsimpact.claims.declared import Claim
from clsimpact.diagnostics.registry import all_checks
from clsimpact.errors import did_you_mean
from clsimpact.geography import Boundaries
from clsimpact.inference.methods import NAMED as DRAWN
from clsimpact.treatment import AlwaysTreated, DateChoice, PartYear, Undated

__all__ = ["COUNCIL_FIGURES", "ESTIMATORS", "FIGURES", "NAMED", "listed", "names_of", "part", "problems_of"]

ESTIMATORS: Final = (
    "event_study",
    "group_time",
    "imputation",
    "sun_abraham",
    "two_stage",
    "extended_twfe",
    "stacked",
    "local_projection",
    "did_m",
)
"""The estimators with effects by event time."""
FIGURES: Final = (
    "event_studies",
    "trends",
    "estimators",
    "adoption",
    "map",
    "front_door",
    "spending_types",
    "choices",
    "curve",
)
"""The figures that a report can hold."""
COUNCIL_FIGURES: Final = ("map", "front_door", "spending_types", "choices")
"""Those that only the panel of English councils can fill."""
NAMED: Final = ("official", "simulated")
"""Panels and lists of adopters that come with the library."""

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "study": ("title", "question", "programme", "units", "seed"),
    "data": (
        "panel", "adoption", "unit", "time", "cohort", "names", "boundaries", "source", "licence", "years",
    ),
    "adoption": ("date", "part_year", "undated", "always_treated"),
    "estimation": ("estimator", "beside", "inference", "margin_share", "margins", "always_treated"),
    "outcomes": ("name", "words", "label", "unit"),
    "report": ("main", "figures", "checks"),
    "claims": (),
}  # fmt: skip
_UNFIT: Final = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
_LONGEST: Final = 100
_LISTS: Final = ("outcomes", "claims")
_CHOICES: Final = {
    "date": DateChoice, "part_year": PartYear, "undated": Undated, "always_treated": AlwaysTreated,
}  # fmt: skip
_INFERENCE: Final = ("auto", "path", *DRAWN, *COVARIANCES)
_TAGGED: Final[Mapping[str, str]] = {"unit": "ons_code", "time": "year", "cohort": "adoption_year"}


def problems_of(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a study, as far as that can be seen without its claims and its data."""
    yield from _unknown(table)
    yield from _texts(table, "")
    yield from _study(part(table, "study"))
    yield from _data(part(table, "data"))
    yield from _adoption(part(table, "adoption"))
    yield from _outcomes(table.get("outcomes"))
    yield from _estimation(part(table, "estimation"))
    yield from _report(part(table, "report"))
    own = "claims" in table or part(table, "data").get("panel", "official") not in NAMED
    if own and not table.get("claims"):
        yield "there is no table [[claims]]: say what is claimed of the outcomes of the panel"


def names_of(table: Mapping[str, Any], claims: Mapping[str, Claim], *, own: bool) -> Iterator[str]:
    """Yield what is wrong with the names of outcomes in claims, margins and report."""
    rows = table.get("outcomes")
    rows = rows if isinstance(rows, list) else []
    names = [str(row["name"]) for row in rows if isinstance(row, Mapping) and "name" in row]
    claimed = [outcome for claim in claims.values() for outcome in claim.outcomes]
    for claim in claims.values() if own else ():
        for outcome in claim.outcomes:
            if outcome not in names:
                yield f"claim {claim.id}: {outcome!r} is not among [[outcomes]]{did_you_mean(outcome, names)}"
    main = part(table, "report").get("main")
    if main is not None and main not in names:
        yield f"[report]: main = {main!r} is not among [[outcomes]]{did_you_mean(str(main), names)}"
    known = list(dict.fromkeys([*names, *claimed]))
    margins = part(table, "estimation").get("margins", {})
    for name in margins if isinstance(margins, Mapping) else ():
        if name not in known:
            yield f"[estimation.margins]: there is no outcome {name!r}{did_you_mean(name, known)}"


def part(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of a study, or an empty one where it is none."""
    found = table.get(name, {})
    return found if isinstance(found, Mapping) else {}


def listed(value: object) -> Sequence[Any]:
    """Return a list; one thing is a list of one."""
    return value if isinstance(value, list) else [value]


def _unknown(table: Mapping[str, Any]) -> Iterable[str]:
    for name, found in table.items():
        if name not in _KEYS:
            yield f"no table [{name}]{did_you_mean(name, list(_KEYS))}"
            continue
        if name in _LISTS:
            rows = found if isinstance(found, list) else []
        else:
            rows = [found]
            if not isinstance(found, Mapping):
                yield f"[{name}]: write it as a table"
        for key in [key for row in rows if isinstance(row, Mapping) for key in row if _KEYS[name]]:
            if key not in _KEYS[name]:
                yield f"[{name}]: no field {key!r}{did_you_mean(key, _KEYS[name])}"


def _texts(value: object, where: str) -> Iterator[str]:
    """Yield texts that a report cannot show, or would read as a reference to its own ledger."""
    if isinstance(value, str) and (printable(value) != value or "{{" in value):
        yield f"{where}: {value[:40]!r} holds control characters, marks of direction, or '{{{{'"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key, f"{where} {key!r}".strip())
            yield from _texts(inner, f"{where}.{key}".strip("."))
    elif isinstance(value, list):
        for place, inner in enumerate(value, start=1):
            yield from _texts(inner, f"{where} {place}")


def _study(given: Mapping[str, Any]) -> Iterable[str]:
    for key in ("title", "question", "programme", "units"):
        if not isinstance(given.get(key), str) or not given[key].strip():
            yield f"[study]: {key} must be a text"
    if not _is_whole(given.get("seed", 0)) or given.get("seed", 0) < 0:
        yield "[study]: seed must be a whole number, not below 0"


def _data(given: Mapping[str, Any]) -> Iterable[str]:
    panel = given.get("panel")
    if not isinstance(panel, str) or not panel:
        yield "[data]: panel must be 'official', 'simulated' or the path of a CSV or Parquet file"
    for key in ("adoption", "names", "source", "licence"):
        if key in given and not isinstance(given[key], str):
            yield f"[data]: {key} must be a text"
    for key, usual in _TAGGED.items():
        if not isinstance(given.get(key, usual if panel in NAMED else None), str):
            yield f"[data]: {key} must name a column of the panel"
        elif given.get("adoption") is not None and given.get(key, usual) != usual:
            yield f"[data]: {key} must be {usual!r} where a list of adopters is given"
    if given.get("boundaries", "constant") not in get_args(Boundaries):
        yield _one_of("[data]", "boundaries", given["boundaries"], get_args(Boundaries))
    years = given.get("years")
    if years is not None and not (isinstance(years, list) and len(years) == 2 and all(map(_is_whole, years))):
        yield "[data]: years must be the first and the last period, such as years = [2016, 2021]"
    elif years is not None and years[0] > years[1]:
        yield f"[data]: years = {years}: the first is after the last"


def _adoption(given: Mapping[str, Any]) -> Iterable[str]:
    for key, kind in _CHOICES.items():
        if key in given and given[key] not in get_args(kind):
            yield _one_of("[adoption]", key, given[key], get_args(kind))


def _outcomes(rows: object) -> Iterable[str]:
    if not isinstance(rows, list) or not rows:
        yield "there is no table [[outcomes]]"
        return
    seen: list[str] = []
    for place, row in enumerate(rows, start=1):
        name = row.get("name") if isinstance(row, Mapping) else None
        if not isinstance(name, str) or not name:
            yield f"[[outcomes]] {place}: name must be a column of the panel"
            continue
        if _UNFIT.search(name) or len(name) > _LONGEST:
            yield (
                f"[[outcomes]] {place}: {name[:40]!r} cannot stand in the name of a file: rename the column, "
                f'to at most {_LONGEST} letters without / \\ : * ? " < > |'
            )
        if name in seen:
            yield f"[[outcomes]] {place}: {name!r} is there already"
        seen.append(name)
        for key in ("words", "label", "unit"):
            if not isinstance(row.get(key, ""), str):
                yield f"[[outcomes]] {place}: {key} must be a text"


def _estimation(given: Mapping[str, Any]) -> Iterable[str]:
    for name in [given.get("estimator", "event_study"), *listed(given.get("beside", []))]:
        if name not in ESTIMATORS:
            yield f"[estimation]: no estimator {name!r}{did_you_mean(str(name), ESTIMATORS)} with a path"
    inference = given.get("inference", "auto")
    if inference not in _INFERENCE:
        near = did_you_mean(str(inference), _INFERENCE)
        yield f"[estimation]: no inference {inference!r}{near}"
    share = given.get("margin_share", 0.05)
    if not is_number(share) or not 0 < share < 1:
        yield f"[estimation]: margin_share = {share!r} is not between 0 and 1"
    if given.get("always_treated", "drop") not in get_args(AlwaysTreated):
        yield _one_of("[estimation]", "always_treated", given["always_treated"], get_args(AlwaysTreated))
    margins = given.get("margins", {})
    if not isinstance(margins, Mapping):
        yield "[estimation]: write margins as a table, outcome to number"
    for name, value in margins.items() if isinstance(margins, Mapping) else ():
        if not is_number(value) or value <= 0:
            yield f"[estimation.margins]: {name} = {value!r} is not above zero"


def _report(given: Mapping[str, Any]) -> Iterable[str]:
    for name in listed(given.get("figures", [])):
        if name not in FIGURES:
            yield f"[report]: no figure {name!r}{did_you_mean(str(name), FIGURES)}"
    checks, known = given.get("checks", "all"), tuple(all_checks())
    for name in [] if checks == "all" else listed(checks):
        if name not in known:
            yield f"[report]: no check {name!r}{did_you_mean(str(name), known)}"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(where: str, key: str, value: object, known: Sequence[str]) -> str:
    return f"{where}: {key} = {value!r} is not one of {', '.join(known)}{did_you_mean(str(value), known)}"
