"""Realistic mistakes of an analyst, and what the library must say of each; docs/mistakes.md is made from them."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import clsimpact as ci
from clsimpact.cli import main
from clsimpact.datasets import example_design
from clsimpact.errors import ClsimpactError, ClsimpactWarning

__all__ = ["MISTAKES", "Mistake", "said"]

Make = Callable[[], object]


@dataclass(frozen=True)
class Mistake:
    """One mistake: its group, plain words, what is done, and what the message must name."""

    group: str
    words: str
    make: Make
    names: tuple[str, ...]
    suggests: str = ""
    kind: str = "error"


def said(mistake: Mistake, folder: Path) -> str:
    """Make the mistake in a folder and return what the library says; raise if it says nothing of its own."""
    with _in(folder):
        if mistake.kind == "command":
            return _command(mistake.make)
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                mistake.make()
        except ClsimpactError as error:
            return str(error)
        except AttributeError as error:
            return str(error)
        ours = [str(it.message) for it in told if issubclass(it.category, ClsimpactWarning)]
        if mistake.kind == "warning" and ours:
            return ours[0]
    raise AssertionError(f"nothing is said of: {mistake.words}")


@contextlib.contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _command(make: Make) -> str:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            status = make()
        except SystemExit as end:
            status = end.code
    if not status:
        raise AssertionError("the command succeeded")
    lines = error.getvalue().strip().splitlines()
    return "\n".join(line for line in lines if not line.startswith(("usage:", " " * 10)))


# The table that most mistakes start from: the textbook panel, with its roles.

ROLES: dict[str, Any] = {"outcome": "lemp", "unit": "county", "time": "year", "cohort": "first_treat"}


def panel() -> pd.DataFrame:
    return ci.load_mpdta()


def design(data: Any = None, **changed: Any) -> ci.Design:
    return ci.Design(panel() if data is None else data, **{**ROLES, **changed})


def changed(**columns: Callable[[pd.DataFrame], Any]) -> Make:
    """Return a design on the panel with columns replaced."""
    return lambda: design(panel().assign(**columns))


def adoption(text: str) -> Make:
    """Return the tagging of the official panel by a list of adopters."""

    def make() -> object:
        Path("adopters.csv").write_text(text, encoding="utf-8")
        return ci.tag_adoption(ci.load_panel(), ci.load_adoption("adopters.csv"))

    return make


def study(text: str = "", *, panel_rows: int = 200, name: str = "study.toml") -> Make:
    """Return the run of a study file that differs from a right one by what ``text`` replaces."""

    def make() -> object:
        panel().head(panel_rows).to_csv("panel.csv", index=False)
        Path(name).write_text(text, encoding="utf-8")
        return ci.replicate("out", study=name, pdf=False)

    return make


RIGHT = """[study]
title = "A study"
question = "What did it do?"
programme = "it"
units = "counties"
[data]
panel = "panel.csv"
unit = "county"
time = "year"
cohort = "first_treat"
[[outcomes]]
name = "lemp"
label = "Teen employment"
unit = "log points"
[[claims]]
id = "W1"
statement = "It falls"
outcomes = ["lemp"]
tests = [{ rule = "decrease", first = 0 }]
[report]
figures = []
checks = []
"""


def wrong(old: str, new: str) -> Make:
    assert old in RIGHT, old
    return study(RIGHT.replace(old, new, 1))


def claims(text: str) -> Make:
    def make() -> object:
        Path("claims.toml").write_text(text, encoding="utf-8")
        fits = {"lemp": ci.event_study(example_design())}
        return ci.evaluate_claims(fits, ci.load_claims("claims.toml"))

    return make


def in_folder(name: str, content: bytes | None = None) -> Path:
    """Make a file, or a folder if there is no content."""
    place = Path(name)
    if content is None:
        place.mkdir(exist_ok=True)
    else:
        place.write_bytes(content)
    return place


def semicolons() -> object:
    in_folder("mine.csv", panel().to_csv(sep=";", index=False).encode())
    return design(pd.read_csv("mine.csv"))


def command(*words: str, before: Callable[[], object] | None = None) -> Make:
    def make() -> object:
        if before is not None:
            before()
        return main(list(words))

    return make


C, T, Y, A, S, R, L = (
    "Columns", "Cells", "Years and adoption", "Adopters and comparison", "Study files, claims and folders",
    "Results", "Command line",
)  # fmt: skip

MISTAKES: tuple[Mistake, ...] = (
    # Columns
    Mistake(C, "The outcome is mistyped", lambda: design(outcome="lemq"), ("lemq", "lpop"), "lemp"),
    Mistake(C, "The unit is in another case", lambda: design(unit="County"), ("County",), "county"),
    Mistake(C, "A heading has blanks around it", lambda: design(panel().rename(columns={"county": " county "})), ("county",), " county "),
    Mistake(C, "Two columns are mistyped at once", lambda: design(outcome="lemq", time="yaer"), ("lemq", "yaer"), "year"),
    Mistake(C, "A covariate is mistyped", lambda: design(covariates=["lpo"]), ("lpo",), "lpop"),
    Mistake(C, "The cluster is no column", lambda: design(cluster="region"), ("region",)),
    Mistake(C, "The weights are no column", lambda: design(weights="adults"), ("adults",)),
    Mistake(C, "Several columns are given as the cluster", lambda: design(cluster=["county", "year"]), ("county", "year")),
    Mistake(C, "A column occurs twice", lambda: design(pd.concat([panel(), panel()[["lemp"]]], axis=1)), ("lemp",)),
    Mistake(C, "An outcome of the panel is mistyped", lambda: ci.describe("gce_per_adlut"), ("gce_per_adlut",), "gce_per_adult"),
    Mistake(C, "A CSV with semicolons is read as if with commas", semicolons, ("lemp", "county;year", "sep=';'")),
    Mistake(C, "A path is given in place of a table", lambda: design("mine.csv"), ("str", "read_csv")),
    Mistake(C, "A list is given in place of a table", lambda: design([1, 2, 3]), ("list", "DataFrame")),
    # Cells
    Mistake(T, "Rows are doubled", lambda: design(pd.concat([panel(), panel().head(2)])), ("8001, 2003", "8001, 2004")),
    Mistake(T, "The outcome has pounds and commas", changed(lemp=lambda t: "£1,200"), ("lemp", "'£1,200'", "8001, 2003")),
    Mistake(T, "Withheld figures are marked by a star", changed(lemp=lambda t: t["lemp"].astype(object).where(t.index > 1, "*")), ("lemp", "'*'", "8001, 2003")),
    Mistake(T, "Two columns are text", changed(lemp=lambda t: "[c]", year=lambda t: t["year"].astype(str)), ("lemp", "year", "'[c]'")),
    Mistake(T, "The unit is empty in some rows", changed(county=lambda t: t["county"].where(t.index > 1)), ("county", "2003")),
    Mistake(T, "The year is empty in some rows", changed(year=lambda t: t["year"].where(t.index > 1)), ("year", "8001")),
    Mistake(T, "The outcome is empty throughout", changed(lemp=lambda t: float("nan")), ("outcome",)),
    Mistake(T, "A division by zero left infinite values", changed(lemp=lambda t: t["lemp"].where(t.index > 1, float("inf"))), ("lemp", "8001, 2003")),
    Mistake(T, "Weights are zero", lambda: design(panel().assign(adults=0.0), weights="adults"), ("adults", "8001, 2003")),
    Mistake(T, "Percentages are over 100", lambda: design(panel().assign(share=lambda t: 100 + t["lemp"]), outcome="share", outcome_unit="%"), ("share", "100", "8001 in 2003"), kind="warning"),
    Mistake(T, "Percentages stand where proportions are said", lambda: design(panel().assign(share=50.0), outcome="share", outcome_unit="proportion of people"), ("share", "0 to 1", "8001 in 2003"), kind="warning"),
    Mistake(T, "The table is empty", lambda: design(panel().head(0)), ("no rows",)),
    # Years and adoption
    Mistake(Y, "Years are text: 2019-20", changed(year=lambda t: [f"{y}-{y % 100 + 1:02d}" for y in t["year"]]), ("year", "2003-04", "parse_year")),
    Mistake(Y, "Years are dates", changed(year=lambda t: pd.to_datetime(t["year"], format="%Y")), ("year", "dates")),
    Mistake(Y, "Years are not whole", changed(year=lambda t: t["year"] + 0.5), ("year", "2003.5")),
    Mistake(Y, "A span of years is no financial year", lambda: ci.parse_year("2019-2021"), ("2019-2021",)),
    Mistake(Y, "A bare year could be two financial years", lambda: ci.parse_year("2019"), ("2019",)),
    Mistake(Y, "A unit adopts twice", changed(first_treat=lambda t: t["first_treat"].where(t["year"] < 2006, 2006)), ("first_treat", "13011")),
    Mistake(Y, "The year of adoption is text", changed(first_treat=lambda t: "from 2006"), ("first_treat", "from 2006")),
    Mistake(Y, "A mark of 0 and 1 is given as the year of adoption", changed(first_treat=lambda t: (t["first_treat"] > 0).astype(int)), ("cohort", "marks")),
    Mistake(Y, "A mark by period is given as the year of adoption", changed(first_treat=lambda t: (t["first_treat"].gt(0) & t["first_treat"].le(t["year"])).astype(int)), ("first_treat", "marks")),
    Mistake(Y, "Never treated is coded as -1", changed(first_treat=lambda t: t["first_treat"].where(t["first_treat"] > 0, -1)), ("13011", "below 0"), kind="warning"),
    # Adopters and comparison
    Mistake(A, "Nobody is treated", changed(first_treat=lambda t: 0), ("first_treat", "2003-2007")),
    Mistake(A, "All were treated before the first year", changed(first_treat=lambda t: 1990), ("8001",)),
    Mistake(A, "Every unit adopts: nobody is never treated", lambda: ci.group_time(design(panel()[panel()["first_treat"] > 0])), ("2007", "not_yet")),
    Mistake(A, "There is one period only", lambda: design(panel()[panel()["year"].eq(2004)]), ("2004",)),
    Mistake(A, "Adopters that have no year before leave the sample", lambda: design(panel()[panel()["year"] >= 2004]), ("always-treated", "8"), kind="warning"),
    Mistake(A, "Anticipation is negative", lambda: design(anticipation=-1), ("anticipation", "-1")),
    Mistake(A, "The option for always-treated units is mistyped", lambda: design(always_treated="dorp"), ("dorp", "drop")),
    Mistake(A, "The list of adopters is not there", lambda: ci.load_adoption("adopters.csv"), ("adopters.csv",)),
    Mistake(A, "The list of adopters has other columns", adoption("council,when\nLeeds,2017\n"), ("adopters.csv", "ons_code")),
    # Results
    Mistake(R, "An estimator is mistyped", lambda: ci.event_studdy, ("event_studdy",), "event_study"),
    Mistake(R, "A method of inference is mistyped", lambda: ci.event_study(design(), inference="permutatoin"), ("permutatoin",), "permutation"),
    Mistake(R, "The level is 95 in place of 0.95", lambda: ci.event_study(design(), level=95), ("level", "95", "0.95")),
    Mistake(R, "An average is mistyped", lambda: ci.group_time(design()).aggregate("dynamics"), ("dynamics",), "dynamic"),
    Mistake(R, "A check is mistyped", lambda: ci.twfe(design()).check("pre_trend"), ("pre_trend",), "pre_trends"),
    Mistake(R, "The reference period is not in the data", lambda: ci.event_study(design(), reference=9), ("9", "-4")),
    Mistake(R, "Leads are negative", lambda: ci.event_study(design(), leads=-3), ("leads", "-3")),
    Mistake(R, "Bounds are asked for without periods before adoption", lambda: ci.honest_did(ci.twfe(design())), ("twfe", "event_study")),
    Mistake(R, "Estimates of different outcomes are compared", lambda: ci.compare([ci.twfe(design()), ci.twfe(design(outcome="lpop"))]), ("lemp", "lpop")),
    Mistake(R, "The margin is negative", lambda: ci.twfe(design()).equivalence(-1), ("-1",)),
    Mistake(R, "A result is opened that is none", lambda: ci.load_estimate(in_folder("fit.json", b"{}")), ("fit.json",)),
    # Study files, claims and folders
    Mistake(S, "A study file is no TOML", study('[study]\ntitle = "A study\n'), ("study.toml", "line 2")),
    Mistake(S, "A field of a study file is mistyped", wrong("programme =", "program ="), ("program",), "programme"),
    Mistake(S, "The outcome of a study file is no column", wrong('name = "lemp"', 'name = "lemq"'), ("lemq",)),
    Mistake(S, "The estimator of a study file is mistyped", wrong("[[outcomes]]", '[estimation]\nestimator = "grup_time"\n[[outcomes]]'), ("grup_time",), "group_time"),
    Mistake(S, "The rule of a claim is mistyped", wrong('"decrease"', '"decreese"'), ("W1", "decreese"), "decrease"),
    Mistake(S, "The panel of a study file is not there", wrong('"panel.csv"', '"pannel.csv"'), ("pannel.csv",)),
    Mistake(S, "A claim lacks its tests, and a field is mistyped", claims('[[claims]]\nid = "W1"\nstatment = "x"\noutcomes = ["lemp"]\n'), ("W1", "tests", "statment")),
    Mistake(S, "The claims file is not there", lambda: ci.load_claims("claim.toml"), ("claim.toml",)),
    Mistake(S, "The folder of publications is not there", lambda: ci.load_returns("offical"), ("offical",)),
    Mistake(S, "The folder of publications is empty", lambda: ci.build(in_folder("empty"), "rebuilt"), ("empty",)),
    Mistake(S, "A panel of that name does not exist", lambda: ci.load_panel("simulatd"), ("simulatd",), "simulated"),
    Mistake(S, "A file that is no publication is read as one", lambda: ci.read_return(in_folder("mine.csv", b"a,b\n1,2\n")), ("mine.csv",)),
    # Command line
    Mistake(L, "A command is mistyped", command("replicat"), ("replicat",), "replicate", "command"),
    Mistake(L, "The number of workers is no number", command("replicate", "--workers", "two"), ("two",), kind="command"),
    Mistake(L, "The study file is not there", command("replicate", "--study", "mine.toml", "--offline"), ("mine.toml",), kind="command"),
    Mistake(L, "A column is mistyped", command("describe", "gce_per_adlut"), ("gce_per_adlut",), "gce_per_adult", "command"),
    Mistake(L, "The output folder holds other files", command("replicate", "--out", "mine", "--offline", before=lambda: (in_folder("mine"), in_folder("mine/notes.txt", b"x"))), ("mine",), kind="command"),
    Mistake(L, "The study file would be written over", command("study", "--out", "old.toml", before=lambda: in_folder("old.toml", b"x")), ("old.toml",), kind="command"),
    Mistake(L, "The year to download is not published", command("fetch", "--year", "1999-00", "--offline", "--dest", "raw"), ("1999-00",), kind="command"),
)  # fmt: skip
