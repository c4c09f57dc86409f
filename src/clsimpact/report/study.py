"""A study as a file: what is read, estimated, claimed, checked and drawn."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clsimpact._own_files import own_text
from clsimpact._toml import parse_toml
from clsimpact.claims.declared import CLAIMS, Claim
from clsimpact.claims.reading import read_claims
from clsimpact.errors import ClsimpactError
from clsimpact.report._study_problems import (
    COUNCIL_FIGURES,
    ESTIMATORS,
    FIGURES,
    NAMED,
    listed,
    names_of,
    part,
    problems_of,
)

__all__ = [
    "COUNCIL_FIGURES",
    "ESTIMATORS",
    "FIGURES",
    "NAMED",
    "Study",
    "StudyOutcome",
    "default_path",
    "default_study",
    "load_study",
]


@dataclass(frozen=True)
class StudyOutcome:
    """An outcome of a study.

    Attributes
    ----------
    name
        Column of the panel.
    words
        What it is called inside a sentence.
    label, unit
        For figures and tables; by default what the panel says.
    """

    name: str
    words: str
    label: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Study:
    """What a study reads, estimates, claims, checks and draws.

    Attributes
    ----------
    title, question, programme, units
        Words: the title of the report, what is asked, who is said to do what, the plural of the units.
    seed
        Of every draw.
    data, adoption
        Where panel and list of adopters come from and which columns have which role; how adopters are tagged.
    outcomes, claims
        What is estimated, and what is claimed of it.
    estimator, beside, inference, margin_share, margins
        The estimator that claims are judged by, those beside it, how intervals are made, and what is too
        small to matter.
    main, figures, checks
        The outcome that checks look at, the figures of the report, the names of checks (``None``: all).
    folder
        What paths are relative to.
    text
        The file, as it was read.

    Examples
    --------
    >>> study = default_study()
    >>> [outcome.name for outcome in study.outcomes]
    ['signposted', 'planned_share', 'funded_mid', 'gce_per_adult']
    """

    title: str
    question: str
    programme: str
    units: str
    seed: int
    data: Mapping[str, Any]
    adoption: Mapping[str, str]
    outcomes: tuple[StudyOutcome, ...]
    claims: Mapping[str, Claim]
    estimator: str
    beside: tuple[str, ...]
    inference: str
    margin_share: float
    margins: Mapping[str, float]
    always_treated: str
    main: str
    figures: tuple[str, ...]
    checks: tuple[str, ...] | None
    folder: Path = field(default=Path())
    text: str = ""

    @property
    def of_councils(self) -> bool:
        """Whether the panel is one of English councils that comes with the library."""
        return str(self.data["panel"]) in NAMED


def default_study() -> Study:
    """Return the study of Community Led Support, the file ``study.toml`` of the project.

    Examples
    --------
    >>> default_study().programme
    'Community Led Support'
    """
    return load_study(default_path())


def default_path() -> Path:
    """Return where the study that comes with the library is: in the project's folder, or in the package."""
    here = Path(__file__).resolve()
    package = here.parents[1] / "data" / "study.toml"
    return package if package.is_file() else here.parents[3] / "study.toml"


def load_study(path: str | os.PathLike[str]) -> Study:
    """Read a study from a TOML file.

    Parameters
    ----------
    path
        A file with the tables ``[study]``, ``[data]``, ``[[outcomes]]`` and, where the defaults will not do,
        ``[adoption]``, ``[estimation]``, ``[[claims]]`` and ``[report]``. ``study.toml`` of the project
        explains every field.

    Returns
    -------
    Study
        Checked as far as that can be done without the data.

    Raises
    ------
    ClsimpactError
        If the file is absent, not in UTF-8 or no TOML, or a field is unknown, lacking or of the wrong kind;
        all problems are listed with the nearest known names.

    Examples
    --------
    >>> load_study("no-such-study.toml")
    Traceback (most recent call last):
    clsimpact.errors.ClsimpactError: There is no file no-such-study.toml.
    Repair: Give the path of a study file; 'clsimpact study' writes one to start from.
    """
    where, text = own_text(
        path, "a study file", "Give the path of a study file; 'clsimpact study' writes one to start from."
    )
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise ClsimpactError(
            f"{where.name} is no TOML.", [str(error)], repair="Correct the line named above."
        ) from error
    problems = list(problems_of(table))
    own = "claims" in table
    claims = read_claims(table["claims"], problems) if own else dict(CLAIMS)
    problems += names_of(table, claims, own=own)
    if problems:
        raise ClsimpactError(
            f"{where.name} is no study that can be run.",
            problems,
            repair="Correct these in the file; 'clsimpact study' writes a right one to start from.",
        )
    return _made(table, claims, where.resolve().parent, text)


def _made(table: Mapping[str, Any], claims: Mapping[str, Claim], folder: Path, text: str) -> Study:
    words, given, shown = table["study"], part(table, "estimation"), part(table, "report")
    data = {"unit": "ons_code", "time": "year", "cohort": "adoption_year", **table["data"]}
    council = data["panel"] in NAMED
    figures = dict.fromkeys(listed(shown.get("figures", list(FIGURES))))
    checks = shown.get("checks", "all")
    outcomes = tuple(
        StudyOutcome(
            row["name"], str(row.get("words") or row.get("label") or row["name"]),
            str(row.get("label", "")), str(row.get("unit", "")),
        )
        for row in table["outcomes"]
    )  # fmt: skip
    return Study(
        title=words["title"],
        question=words["question"],
        programme=words["programme"],
        units=words["units"],
        seed=words.get("seed", 0),
        data=data,
        adoption=dict(part(table, "adoption")),
        outcomes=outcomes,
        claims=claims,
        estimator=given.get("estimator", "event_study"),
        beside=tuple(dict.fromkeys(listed(given.get("beside", [])))),
        inference=given.get("inference", "auto"),
        margin_share=float(given.get("margin_share", 0.05)),
        margins={name: float(value) for name, value in given.get("margins", {}).items()},
        always_treated=given.get("always_treated", "drop"),
        main=shown.get("main", outcomes[0].name),
        figures=tuple(name for name in figures if council or name not in COUNCIL_FIGURES),
        checks=None if checks == "all" else tuple(dict.fromkeys(listed(checks))),
        folder=folder,
        text=text,
    )
