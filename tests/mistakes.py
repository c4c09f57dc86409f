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
from unittest import mock

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import clsimpact as ci
from clsimpact.cli import main
from clsimpact.datasets import example_design
from clsimpact.diagnostics.detectable_effects import minimum_detectable_effects
from clsimpact.errors import ClsimpactError, ClsimpactWarning
from clsimpact.plots import event_study_figure
from clsimpact.years import year_label

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
    """``error``, ``warning``, ``command`` (the command line says it), or ``result`` (a report says it)."""


def said(mistake: Mistake, folder: Path) -> str:
    """Make the mistake in a folder and return what the library says; raise if it says nothing of its own."""
    with _in(folder):
        if mistake.kind == "command":
            return _command(mistake.make)
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                result = mistake.make()
        except ClsimpactError as error:
            return str(error)
        except AttributeError as error:
            return str(error)
        if mistake.kind == "result":
            return str(result)
        ours = [str(it.message) for it in told if issubclass(it.category, ClsimpactWarning)]
        if mistake.kind == "warning" and ours:
            return ours[-1]
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


FEW = ("8001", "8019", "8023")
"""Three counties that adopt."""


def few_adopters() -> pd.DataFrame:
    data = panel()
    adopts = data["first_treat"].gt(0)
    return data[~adopts | data["county"].astype(str).isin(FEW)]


def adopters(rows: str, heading: str = "ons_code,la_name,adoption_year") -> Make:
    return adoption(f"{heading}\n{rows}\n")


def workbook() -> object:
    panel().head(3).to_excel("adopters.xlsx", index=False)
    return ci.load_adoption("adopters.xlsx")


def own_study(**written: Any) -> Make:
    """Return the run of a right study file whose panel is written in another way."""

    def make() -> object:
        panel().to_csv("panel.csv", index=False, **written)
        Path("study.toml").write_text(RIGHT, encoding="utf-8")
        return ci.replicate("out", study="study.toml", pdf=False)

    return make


def planned(**asked: Any) -> object:
    """Ask for the effects that the textbook panel could show."""
    roles = {"outcomes": ["lemp"], "unit": "county", "time": "year", "cohort": "first_treat"}
    return minimum_detectable_effects(panel(), **{**roles, **asked})


def without_right() -> object:
    """Save where one may not write; a test that runs as root has to pretend it."""
    refused = PermissionError(13, "Permission denied")
    with mock.patch.object(Path, "write_bytes", side_effect=refused):
        return ci.twfe(design()).save("shared/fit.json")


def marked_made_up() -> object:
    mine = pd.read_csv(in_folder("mine.csv", b"ons_code,adoption_year,note\nE08000035,2016,SIMULATED\n"))
    return ci.tag_adoption(ci.load_panel(), mine)


def semicolons() -> object:
    in_folder("mine.csv", panel().to_csv(sep=";", index=False).encode())
    return design(pd.read_csv("mine.csv"))


def title_above() -> object:
    in_folder("mine.csv", b"Table 1,,,,\n" + panel().to_csv(index=False).encode())
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
    Mistake(C, "A heading has blanks around it", lambda: design(panel().rename(columns={"county": " county "})), ("county", "str.strip()"), " county "),
    Mistake(C, "The outcome is written in capitals", lambda: design(outcome="LEMP"), ("LEMP",), "lemp"),
    Mistake(C, "The columns stand in the index", lambda: design(panel().set_index(["county", "year"])), ("county, year", "reset_index")),
    Mistake(C, "A title stands above the headings", title_above, ("lemp", "skiprows")),
    Mistake(C, "The cluster is mistyped", lambda: design(cluster="conty"), ("cluster", "conty"), "county"),
    Mistake(C, "The weights are mistyped", lambda: design(weights="lpopp"), ("weights", "lpopp"), "lpop"),
    Mistake(C, "The name of a column is given with a blank", lambda: design(outcome="lemp "), ("lemp ",), "lemp"),
    Mistake(C, "The year of adoption is mistyped", lambda: design(cohort="first_treet"), ("cohort", "first_treet"), "first_treat"),
    Mistake(C, "The names of the R package are used", lambda: design(unit="countyreal", cohort="first.treat"), ("countyreal", "first.treat"), "first_treat"),
    Mistake(C, "Two columns are mistyped at once", lambda: design(outcome="lemq", time="yaer"), ("lemq", "yaer"), "year"),
    Mistake(C, "A covariate is mistyped", lambda: design(covariates=["lpo"]), ("lpo",), "lpop"),
    Mistake(C, "The cluster is no column", lambda: design(cluster="region"), ("region",)),
    Mistake(C, "The weights are no column", lambda: design(weights="adults"), ("adults",)),
    Mistake(C, "Several columns are given as the cluster", lambda: design(cluster=["county", "year"]), ("county", "year")),
    Mistake(C, "A column occurs twice", lambda: design(pd.concat([panel(), panel()[["lemp"]]], axis=1)), ("lemp", "rename")),
    Mistake(C, "An outcome of the panel is mistyped", lambda: ci.describe("gce_per_adlut"), ("gce_per_adlut",), "gce_per_adult"),
    Mistake(C, "A CSV with semicolons is read as if with commas", semicolons, ("lemp", "county;year", "sep=';'")),
    Mistake(C, "The outcome is its own covariate", lambda: design(covariates=["lemp"]), ("lemp", "covariates")),
    Mistake(C, "The same column has two roles", lambda: design(outcome="first_treat"), ("outcome and cohort", "first_treat")),
    Mistake(C, "The weights are the numbers themselves", lambda: design(weights=np.ones(2500)), ("weights", "a name")),
    Mistake(C, "The covariates are a number", lambda: design(covariates=5), ("covariates", "5")),
    Mistake(C, "Of the panel of councils, three columns are mistyped", lambda: ci.Design(ci.load_panel(), outcome="gce_per_adlut", unit="ons_cod", time="Year", cohort="region"), ("gce_per_adlut", "ons_cod", "Year"), "gce_per_adult"),
    Mistake(C, "A path is given in place of a table", lambda: design("mine.csv"), ("'mine.csv'", "read_csv")),
    Mistake(C, "An Excel file is given in place of a table", lambda: design(Path("mine.xlsx")), ("'mine.xlsx'", "read_excel")),
    Mistake(C, "An array is given in place of a table", lambda: design(np.ones((3, 4))), ("array", "headings")),
    Mistake(C, "Nothing is given in place of a table", lambda: ci.Design(None, **ROLES), ("None", "DataFrame")),  # type: ignore[arg-type]
    Mistake(C, "A dictionary is given in place of a table", lambda: design({"lemp": [1.0]}), ("dict", "DataFrame")),
    Mistake(C, "A list is given in place of a table", lambda: design([1, 2, 3]), ("list", "DataFrame")),
    # Cells
    Mistake(T, "Rows are doubled", lambda: design(pd.concat([panel(), panel().head(2)])), ("8001 in 2003", "8001 in 2004")),
    Mistake(T, "The outcome has pounds and commas", changed(lemp=lambda t: "£1,200"), ("lemp", "'£1,200'", "8001 in 2003")),
    Mistake(T, "Withheld figures are marked by a star", changed(lemp=lambda t: t["lemp"].astype(object).where(t.index > 1, "*")), ("lemp", "'*'", "8001 in 2003")),
    Mistake(T, "Two columns are text", changed(lemp=lambda t: "[c]", year=lambda t: t["year"].astype(str)), ("lemp", "year", "'[c]'")),
    Mistake(T, "The unit is empty in some rows", changed(county=lambda t: t["county"].where(t.index > 1)), ("county", "row 1 in 2003")),
    Mistake(T, "A unit is empty, and a figure is infinite", changed(county=lambda t: t["county"].where(t.index > 1), lemp=lambda t: t["lemp"].where(t.index != 9, float("inf"))), ("row 1 in 2003", "8019 in 2007")),
    Mistake(T, "The year is empty in some rows", changed(year=lambda t: t["year"].where(t.index > 1)), ("year", "8001")),
    Mistake(T, "The outcome is empty throughout", changed(lemp=lambda t: float("nan")), ("lemp", "2500 of 2500")),
    Mistake(T, "A covariate is text", lambda: design(panel().assign(region="North"), covariates=["region"]), ("region", "'North'")),
    Mistake(T, "The cluster changes within units", lambda: design(panel().assign(half=lambda t: t["year"] % 2), cluster="half"), ("half", "12007")),
    Mistake(T, "Official and made-up rows are mixed", lambda: design(panel().assign(simulated=lambda t: t["year"] > 2005)), ("1000 of 2500", "simulated")),
    Mistake(T, "Weights are negative", lambda: design(panel().assign(adults=-5.0), weights="adults"), ("adults", "8001 in 2003")),
    Mistake(T, "Some years hold proportions, others percentages", lambda: design(panel().assign(share=lambda t: np.where(t["year"] < 2005, 0.4, 40.0)), outcome="share", outcome_unit="%"), ("share", "2003, 2004", "100"), kind="warning"),
    Mistake(T, "A division by zero left infinite values", changed(lemp=lambda t: t["lemp"].where(t.index > 1, float("inf"))), ("lemp", "8001 in 2003")),
    Mistake(T, "Weights are zero", lambda: design(panel().assign(adults=0.0), weights="adults"), ("adults", "8001 in 2003")),
    Mistake(T, "Percentages are over 100", lambda: design(panel().assign(share=lambda t: 100 + t["lemp"]), outcome="share", outcome_unit="%"), ("share", "100", "8001 in 2003"), kind="warning"),
    Mistake(T, "Percentages stand where proportions are said", lambda: design(panel().assign(share=50.0), outcome="share", outcome_unit="proportion of people"), ("share", "0 to 1", "8001 in 2003"), kind="warning"),
    Mistake(T, "Decimal commas stand in place of points", changed(lemp=lambda t: "32,9"), ("lemp", "'32,9'", 'decimal=","', "other numbers")),
    Mistake(T, "A covariate has decimal commas and points of thousands", lambda: design(panel().assign(lpop="1.234,5"), covariates=["lpop"]), ("lpop", "'1.234,5'", 'decimal=","', 'thousands="."')),
    Mistake(T, "A unit has a blank behind it in one year", changed(county=lambda t: t["county"].astype(str).where(t.index > 0, "8001 ")), ("'8001' and '8001 '", "str.strip()"), kind="warning"),
    Mistake(T, "A unit is written in capitals in one year", changed(county=lambda t: ("area " + t["county"].astype(str)).where(t.index > 0, "AREA 8001")), ("'AREA 8001' and 'area 8001'", "casefold"), kind="warning"),
    Mistake(T, "The table is empty", lambda: design(panel().head(0)), ("no rows",)),
    # Years and adoption
    Mistake(Y, "Years are text: 2019-20", changed(year=lambda t: [f"{y}-{y % 100 + 1:02d}" for y in t["year"]]), ("year", "2003-04", "parse_year")),
    Mistake(Y, "Years are text: 2019/20", changed(year=lambda t: [f"{y}/{y % 100 + 1:02d}" for y in t["year"]]), ("year", "2003/04", "parse_year")),
    Mistake(Y, "Years are text: 2019.0", changed(year=lambda t: [f"{y}.0" for y in t["year"]]), ("year", "'2003.0'")),
    Mistake(Y, "Years are dates", changed(year=lambda t: pd.to_datetime(t["year"], format="%Y")), ("year", "dates")),
    Mistake(Y, "Years are not whole", changed(year=lambda t: t["year"] + 0.5), ("year", "2003.5")),
    Mistake(Y, "A span of years is no financial year", lambda: ci.parse_year("2019-2021"), ("2019-2021",)),
    Mistake(Y, "A bare year could be two financial years", lambda: ci.parse_year("2019"), ("2019",)),
    Mistake(Y, "A unit adopts twice", changed(first_treat=lambda t: t["first_treat"].where(t["year"] < 2006, 2006)), ("first_treat", "13011")),
    Mistake(Y, "The year of adoption is text", changed(first_treat=lambda t: "from 2006"), ("first_treat", "from 2006")),
    Mistake(Y, "The year of adoption is text: 2019-20", changed(first_treat=lambda t: [f"{y}-{y % 100 + 1:02d}" if y else None for y in t["first_treat"]]), ("first_treat", "2007-08", 'column.map(clsimpact.parse_year, na_action="ignore")')),
    Mistake(Y, "The year of adoption is a date", changed(first_treat=lambda t: pd.to_datetime(t["first_treat"].replace(0, 2030), format="%Y")), ("first_treat", "dates")),
    Mistake(Y, "The year of adoption is not whole", changed(first_treat=lambda t: t["first_treat"].where(t["first_treat"] == 0, t["first_treat"] + 0.25)), ("first_treat", "8001 in 2003")),
    Mistake(Y, "The year of adoption is a percentage", changed(first_treat=lambda t: ["50%" if y else None for y in t["first_treat"]]), ("first_treat", "'50%'")),
    Mistake(Y, "Never treated is a word", changed(first_treat=lambda t: t["first_treat"].astype(object).where(t["first_treat"] > 0, "never")), ("first_treat", "'never'", "13011 in 2003")),
    Mistake(Y, "Never treated is coded as 9999", changed(first_treat=lambda t: t["first_treat"].replace(0, 9999)), ("first_treat", "13011 in 2003")),
    Mistake(Y, "0 is a period, and also never treated", changed(year=lambda t: t["year"] - 2005, first_treat=lambda t: t["first_treat"].where(t["first_treat"] == 0, t["first_treat"] - 2005)), ("first_treat", "13011 in -2")),
    Mistake(Y, "A mark of 0 and 1 is given as the year of adoption", changed(first_treat=lambda t: (t["first_treat"] > 0).astype(int)), ("first_treat", "marks", "first treated period in all its rows")),
    Mistake(Y, "A mark by period is given as the year of adoption", changed(first_treat=lambda t: (t["first_treat"].gt(0) & t["first_treat"].le(t["year"])).astype(int)), ("first_treat", "marks")),
    Mistake(Y, "A missing year is coded as -999", changed(year=lambda t: t["year"].where(t.index > 0, -999), first_treat=lambda t: t["first_treat"].where(t["first_treat"] > 0)), ("year", "-999", "2003 to 2007"), kind="warning"),
    Mistake(Y, "A missing year is coded as 0", changed(year=lambda t: t["year"].where(t.index > 0, 0), first_treat=lambda t: t["first_treat"].where(t["first_treat"] > 0)), ("year", "holds 0", "2003 to 2007"), kind="warning"),
    Mistake(Y, "Years of adoption as text with empty cells are read one by one", lambda: ci.parse_year(float("nan")), ("An empty cell", 'na_action="ignore"')),  # type: ignore[arg-type]
    Mistake(Y, "A whole column is read as one financial year", lambda: ci.parse_year(pd.Series(["2019-20"])), ("column.map", 'na_action="ignore"')),  # type: ignore[arg-type]
    Mistake(Y, "An empty year is to be labelled", lambda: year_label(float("nan")), ("An empty cell", "year_label")),  # type: ignore[arg-type]
    Mistake(Y, "Never treated is coded as -1", changed(first_treat=lambda t: t["first_treat"].where(t["first_treat"] > 0, -1)), ("13011", "below 0"), kind="warning"),
    # Adopters and comparison
    Mistake(A, "Nobody is treated", changed(first_treat=lambda t: 0), ("first_treat", "2003-2007")),
    Mistake(A, "All were treated before the first year", changed(first_treat=lambda t: 1990), ("8001",)),
    Mistake(A, "Every unit adopts: nobody is never treated", lambda: ci.group_time(design(panel()[panel()["first_treat"] > 0])), ("2007", "not_yet")),
    Mistake(A, "There is one cohort, and nobody else", lambda: ci.group_time(design(panel()[panel()["first_treat"] == 2007])), ("2007", "one cohort")),
    Mistake(A, "There is one period only", lambda: design(panel()[panel()["year"].eq(2004)]), ("one period only", "2004")),
    Mistake(A, "Three adopters, and errors that need many", lambda: ci.twfe(design(few_adopters()), inference="CR1"), ("3 treated", "CR1", "auto"), kind="warning"),
    Mistake(A, "Adopters that have no year before leave the sample", lambda: design(panel()[panel()["year"] >= 2004]), ("always-treated", "8"), kind="warning"),
    Mistake(A, "Anticipation is negative", lambda: design(anticipation=-1), ("anticipation", "-1")),
    Mistake(A, "Anticipation is a word", lambda: design(anticipation="one"), ("anticipation", "'one'")),
    Mistake(A, "The option for always-treated units is mistyped", lambda: design(always_treated="dorp"), ("dorp",), "drop"),
    Mistake(A, "Units are missing in some periods", lambda: ci.synthetic_did(design(panel().drop(index=[0, 7]))), ("8001", "8019")),
    Mistake(A, "The list of adopters is not there", lambda: ci.load_adoption("adopters.csv"), ("adopters.csv",)),
    Mistake(A, "The list of adopters has other columns", adoption("council,when\nLeeds,2017\n"), ("adopters.csv", "ons_code", "council, when")),
    Mistake(A, "The list of adopters is an Excel file", workbook, ("adopters.xlsx", "workbook")),
    Mistake(A, "The list of adopters has semicolons", adopters("E08000035;Leeds;2016", "ons_code;la_name;adoption_year"), ("adopters.csv", "semicolons")),
    Mistake(A, "The list of adopters has a cell too many", adopters("E08000035,Leeds, City of,2016"), ("adopters.csv",)),
    Mistake(A, "The list of adopters is in another encoding", lambda: ci.load_adoption(in_folder("adopters.csv", b"ons_code,la_name,adoption_year\nE08000035,Le\xe9ds,2016\n")), ("adopters.csv", "line 2", "UTF-8")),
    Mistake(A, "A folder is given in place of the list of adopters", lambda: ci.load_adoption(in_folder("lists")), ("lists", "not a file")),
    Mistake(A, "The path of the list is given in place of the list", lambda: ci.tag_adoption(ci.load_panel(), "adopters.csv"), ("adopters.csv", "load_adoption")),  # type: ignore[arg-type]
    Mistake(A, "An adopter has a financial year in place of a year", adopters("E08000035,Leeds,2016-17"), ("row 2", "adoption_year", "2016-17")),
    Mistake(A, "An adopter has a date in place of a year", adopters("E08000035,Leeds,01/04/2016"), ("row 2", "adoption_year", "01/04/2016")),
    Mistake(A, "An adopter has a percentage in place of a year", adopters("E08000035,Leeds,50%"), ("row 2", "adoption_year", "50%")),
    Mistake(A, "An adopter has the year 0", adopters("E08000035,Leeds,0"), ("Leeds (E08000035)", "2014 to 2022")),
    Mistake(A, "An adopter has the year 9999", adopters("E08000035,Leeds,9999"), ("Leeds (E08000035)", "2014 to 2022")),
    Mistake(A, "An adopter has a negative year", adopters("E08000035,Leeds,-1"), ("Leeds (E08000035)", "2014 to 2022")),
    Mistake(A, "The code of an adopter is mistyped", adopters("E0800035,Leeds City,2016"), ("E0800035",), "E08000035"),
    Mistake(A, "An adopter has its name in place of its code", adopters("Leeds,Leeds,2016"), ("Leeds is E08000035",)),
    Mistake(A, "A council is listed twice, and another has a wrong year", adopters("E08000035,Leeds,2016\nE08000035,Leeds,2017\nE06000014,York,1916"), ("Leeds (E08000035): listed 2 times", "York (E06000014)", "1916")),
    Mistake(A, "No adopter is in the panel", adopters("W06000015,Cardiff,2016"), ("Cardiff (W06000015)", "England")),
    Mistake(A, "An option of the tagging is mistyped", lambda: ci.tag_adoption(ci.load_panel(), ci.load_adoption(), undated="dorp"), ("undated", "dorp"), "drop"),  # type: ignore[arg-type]
    Mistake(A, "Made-up adopters are given with official figures", marked_made_up, ("SIMULATED",)),
    Mistake(A, "Real adopters are given with made-up figures", lambda: ci.tag_adoption(ci.load_panel("simulated"), ci.load_adoption()), ("made up", "simulate_world")),
    Mistake(A, "Another panel is tagged with the adopters of England", lambda: ci.tag_adoption(panel(), ci.load_adoption()), ("ons_code", "load_panel")),
    Mistake(A, "The panel was not tagged with adopters", lambda: ci.Design(ci.load_panel(), outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year"), ("adoption_year", "tag_adoption")),
    # Results
    Mistake(R, "An estimator is mistyped", lambda: ci.event_studdy, ("event_studdy",), "event_study"),
    Mistake(R, "An estimator is given the table", lambda: ci.event_study(panel()), ("event_study", "DataFrame", "Design")),  # type: ignore[arg-type]
    Mistake(R, "A decomposition is given the table", lambda: ci.bacon(panel()), ("bacon", "DataFrame", "Design")),  # type: ignore[arg-type]
    Mistake(R, "Bounds are asked of a design", lambda: ci.honest_did(design()), ("honest_did", "Design", "event_study")),  # type: ignore[arg-type]
    Mistake(R, "Leads are a word", lambda: ci.event_study(design(), leads="all"), ("leads", "'all'")),  # type: ignore[arg-type]
    Mistake(R, "A covariance that the estimator has not is asked for", lambda: ci.twfe(design(), inference="bootstrap"), ("bootstrap", "'wild'")),
    Mistake(R, "Results to adjust are given without names", lambda: ci.holm([ci.twfe(design())]), ("'spending'",)),  # type: ignore[arg-type]
    Mistake(R, "A panel is searched in place of the returns", lambda: ci.find_inconsistencies(ci.load_panel()), ("'cell'", "load_returns")),
    Mistake(R, "A pickle is opened as a result", lambda: ci.load_estimate(in_folder("fit.pkl", b"\x80\x04\x95")), ("fit.pkl", "binary")),
    Mistake(R, "An option of an estimator is mistyped", lambda: ci.group_time(design(), control="nevr"), ("control", "nevr"), "never"),  # type: ignore[arg-type]
    Mistake(R, "The level is text", lambda: ci.event_study(design()).with_inference("CR1", level="95%"), ("level", "95%")),  # type: ignore[arg-type]
    Mistake(R, "A term is outside the window", lambda: ci.event_study(design()).equivalence(0.1, row="e=9"), ("e=9", "e=3")),
    Mistake(R, "The number of draws is negative", lambda: ci.twfe(design()).with_inference("permutation", draws=-5), ("draws", "-5")),
    Mistake(R, "A method of inference is mistyped", lambda: ci.event_study(design(), inference="permutatoin"), ("permutatoin",), "permutation"),
    Mistake(R, "The level is 95 in place of 0.95", lambda: ci.event_study(design(), level=95), ("level", "95", "0.95")),
    Mistake(R, "The level is that of the test", lambda: ci.event_study(design(), level=0.05), ("level", "0.05", "did you mean 0.95?")),
    Mistake(R, "The margin is a percentage", lambda: ci.twfe(design()).check(margin="5%"), ("margin", "'5%'", "unit of the outcome")),  # type: ignore[arg-type]
    Mistake(R, "The margin is text", lambda: design().check(margin="23"), ("margin", "'23'")),  # type: ignore[arg-type]
    Mistake(R, "The margin of the checks is negative", lambda: ci.twfe(design()).check(margin=-5), ("margin", "-5", "above 0")),
    Mistake(R, "The list of checks is empty", lambda: ci.twfe(design()).check([]), ("empty", "pre_trends")),
    Mistake(R, "Checks are to make no draws", lambda: ci.twfe(design()).check(draws=0), ("draws", "0")),
    Mistake(R, "A figure is given in place of axes", lambda: ci.twfe(design()).plot(ax=Figure()), ("ax", "Figure", "add_subplot")),  # type: ignore[arg-type]
    Mistake(R, "Several axes are given in place of one", lambda: ci.twfe(design()).plot(ax=Figure().subplots(1, 2)), ("ax", "axes[0]")),
    Mistake(R, "A figure is asked of a design", lambda: event_study_figure(design()), ("event_study_figure", "Design")),  # type: ignore[arg-type]
    Mistake(R, "A figure is saved as a Word file", lambda: event_study_figure(ci.twfe(design())).save("a.docx"), ("a.docx", ".svg, .png, .pdf")),
    Mistake(R, "The weight of a term is text", lambda: ci.event_study(design()).linear_combination({"e=0": "a"}), ("e=0", "'a'")),  # type: ignore[dict-item]
    Mistake(R, "Terms are combined without weights", lambda: ci.event_study(design()).linear_combination(["e=0"]), ("a list", "'e=0': 0.5")),  # type: ignore[arg-type]
    Mistake(R, "An average is weighted without event times", lambda: ci.event_study(design()).average(weights=[1, 2]), ("a list", "0: 0.5")),  # type: ignore[arg-type]
    Mistake(R, "An average is weighted by names of terms", lambda: ci.event_study(design()).average(weights={"e=0": 1}), ("'e=0'", "did you mean 0?")),  # type: ignore[dict-item]
    Mistake(R, "The power is 80 in place of 0.8", lambda: planned(power=80), ("power", "80", "did you mean 0.8?")),
    Mistake(R, "The number of adopters is not whole", lambda: planned(adopters=2.5), ("adopters", "2.5")),
    Mistake(R, "A list is described in place of a column", lambda: ci.describe(["gce"]), ("a list", "describe('gce_per_adult')")),  # type: ignore[arg-type]
    Mistake(R, "Nothing is opened as a result", lambda: ci.load_estimate(None), ("path", "None", "fit.save")),  # type: ignore[arg-type]
    Mistake(R, "A result is saved under a number", lambda: ci.twfe(design()).save(3), ("path", "3")),  # type: ignore[arg-type]
    Mistake(R, "A table is written to a Word file named pdf", lambda: ci.twfe(design()).to_docx("x.pdf"), ("x.pdf", "'x.docx'")),
    Mistake(R, "A Word file is written to a home folder that nobody has", lambda: ci.twfe(design()).to_docx("~no-such-user/x.docx"), ("~no-such-user", "Write the folder out")),
    Mistake(R, "A saved result has no data to refit", lambda: ci.load_estimate(ci.twfe(design()).save("fit.json")).verify(), ("verify", "Refit from the data")),
    Mistake(R, "Bounds of a saved result need another base period", lambda: ci.honest_did(ci.load_estimate(ci.group_time(design()).save("fit.json"))), ("group_time", "Estimate again", "universal")),
    Mistake(R, "An average is mistyped", lambda: ci.group_time(design()).aggregate("dynamics"), ("dynamics",), "dynamic"),
    Mistake(R, "A check is mistyped", lambda: ci.twfe(design()).check("pre_trend"), ("pre_trend",), "pre_trends"),
    Mistake(R, "The reference period is not in the data", lambda: ci.event_study(design(), reference=9), ("9", "-4")),
    Mistake(R, "Leads are negative", lambda: ci.event_study(design(), leads=-3), ("leads", "-3")),
    Mistake(R, "Bounds are asked for without periods before adoption", lambda: ci.honest_did(ci.twfe(design())), ("twfe", "event_study")),
    Mistake(R, "Bounds are asked for with one period before adoption", lambda: ci.honest_did(ci.event_study(design(panel()[panel()["first_treat"].isin([0, 2004])]))), ("-2", "two or more")),
    Mistake(R, "Estimates of different outcomes are compared", lambda: ci.compare([ci.twfe(design()), ci.twfe(design(outcome="lpop"))]), ("lemp", "lpop")),
    Mistake(R, "One estimate is compared", lambda: ci.compare(ci.twfe(design())), ("1 given", "2 to 10")),  # type: ignore[arg-type]
    Mistake(R, "A name is compared in place of an estimate", lambda: ci.compare([ci.twfe(design()), "imputation"]), ("item 2",)),  # type: ignore[list-item]
    Mistake(R, "The margin is negative", lambda: ci.twfe(design()).equivalence(-1), ("-1",)),
    Mistake(R, "A result is saved where one may not write", without_right, ("shared/fit.json", "no right")),
    Mistake(R, "A result is saved below a file", lambda: ci.twfe(design()).save(in_folder("results", b"x") / "fit.json"), ("results/fit.json",)),
    Mistake(R, "A Word file is saved over a folder", lambda: ci.twfe(design()).to_docx(in_folder("reports")), ("reports", "is a folder", "name.docx")),
    Mistake(R, "A saved result is not there", lambda: ci.load_estimate("fit.json"), ("fit.json",)),
    Mistake(R, "A result is opened that is none", lambda: ci.load_estimate(in_folder("fit.json", b"{}")), ("fit.json",)),
    # Study files, claims and folders
    Mistake(S, "A study file is no TOML", study('[study]\ntitle = "A study\n'), ("study.toml", "line 2")),
    Mistake(S, "A field of a study file is mistyped", wrong("programme =", "program ="), ("program",), "programme"),
    Mistake(S, "The outcome of a study file is no column", study(RIGHT.replace("lemp", "lemq")), ("[[outcomes]]", "lemq"), "lemp"),
    Mistake(S, "A claim of a study file names another outcome", wrong('outcomes = ["lemp"]', 'outcomes = ["lemq"]'), ("W1", "lemq"), "lemp"),
    Mistake(S, "A check of a study file is mistyped", wrong("checks = []", 'checks = ["pre_trend"]'), ("pre_trend",), "pre_trends"),
    Mistake(S, "The panel of a study file has semicolons", own_study(sep=";"), ("county", "semicolons")),
    Mistake(S, "The panel of a study file has decimal commas", own_study(sep=";", decimal=","), ("panel.csv", "semicolons", "points")),
    Mistake(S, "The estimator of a study file is mistyped", wrong("[[outcomes]]", '[estimation]\nestimator = "grup_time"\n[[outcomes]]'), ("grup_time",), "group_time"),
    Mistake(S, "The rule of a claim is mistyped", wrong('"decrease"', '"decreese"'), ("W1", "decreese"), "decrease"),
    Mistake(S, "The panel of a study file is not there", wrong('"panel.csv"', '"pannel.csv"'), ("pannel.csv",)),
    Mistake(S, "A claim lacks its tests, and a field is mistyped", claims('[[claims]]\nid = "W1"\nstatment = "x"\noutcomes = ["lemp"]\n'), ("W1", "tests", "statment")),
    Mistake(S, "A window of a claim ends before it begins", claims('[[claims]]\nid = "W1"\nstatement = "x"\noutcomes = ["lemp"]\ntests = [{ rule = "decrease", first = 3, last = 1 }]\n'), ("W1", "first = 3", "last = 1")),
    Mistake(S, "A claim is about an outcome without a result", claims('[[claims]]\nid = "W1"\nstatement = "x"\noutcomes = ["lemq"]\ntests = [{ rule = "decrease", first = 0 }]\n'), ("W1", "lemq"), "lemp", "result"),
    Mistake(S, "A study file is in the encoding of Windows", lambda: ci.replicate("out", study=in_folder("mine.toml", "[study]\ntitle = 'Café'\n".encode("cp1252"))), ("mine.toml", "line 2", "encoding UTF-8")),
    Mistake(S, "A study file is in UTF-16", lambda: ci.replicate("out", study=in_folder("mine.toml", "[study]\n".encode("utf-16"))), ("mine.toml", "UTF-16", "encoding UTF-8")),
    Mistake(S, "A number is given in place of a study file", lambda: ci.replicate(study=3), ("path", "3", "study file")),  # type: ignore[arg-type]
    Mistake(S, "A year is given in place of the folder of publications", lambda: ci.load_returns(2019), ("path", "2019")),  # type: ignore[arg-type]
    Mistake(S, "A dictionary is given in place of a file of claims", lambda: ci.load_claims({}), ("path", "a dict")),  # type: ignore[arg-type]
    Mistake(S, "Claims are judged by a word", lambda: ci.evaluate_claims("x"), ("'x'", "evaluate_claims({")),  # type: ignore[arg-type]
    Mistake(S, "The claims file is not there", lambda: ci.load_claims("claim.toml"), ("claim.toml",)),
    Mistake(S, "The folder of publications is not there", lambda: ci.load_returns("offical"), ("offical",)),
    Mistake(S, "A file is given in place of the folder of publications", lambda: ci.build(in_folder("raw.zip", b"x"), "rebuilt"), ("raw.zip", "not a folder")),
    Mistake(S, "The years asked for are not published", lambda: ci.build_panel(ci.load_returns(), years=(2009, 2030)), ("2009", "2014 to 2023")),
    Mistake(S, "The boundaries are mistyped", lambda: ci.load_panel(boundaries="constnat"), ("constnat",), "constant"),  # type: ignore[arg-type]
    Mistake(S, "The report is to be written over a file", lambda: ci.replicate(in_folder("report.html", b"x"), pdf=False), ("report.html",)),
    Mistake(S, "The folder of publications is empty", lambda: ci.build(in_folder("empty"), "rebuilt"), ("empty",)),
    Mistake(S, "A panel of that name does not exist", lambda: ci.load_panel("simulatd"), ("simulatd",), "simulated"),
    Mistake(S, "A file that is no publication is read as one", lambda: ci.read_return(in_folder("mine.csv", b"a,b\n1,2\n")), ("mine.csv",)),
    # Command line
    Mistake(L, "A command is mistyped", command("replicat"), ("replicat",), "replicate", "command"),
    Mistake(L, "A choice of an option is mistyped", command("simulate", "--out", "made", "--rows", "stduy"), ("--rows", "stduy"), "study", "command"),
    Mistake(L, "An option is mistyped", command("replicate", "--studdy", "mine.toml"), ("--studdy",), "--study", "command"),
    Mistake(L, "An option of another command is mistyped", command("describe", "--markdwon"), ("--markdwon",), "--markdown", "command"),
    Mistake(L, "An option of the doctor is mistyped", command("doctor", "--jsn"), ("clsimpact doctor", "--jsn"), "--json", "command"),
    Mistake(L, "Help is asked for as a command", command("help"), ("'help'",), "--help", "command"),
    Mistake(L, "The version is asked for as a command", command("version"), ("'version'",), "--version", "command"),
    Mistake(L, "A folder is given as a study file", command("replicate", "--study", ".", "--offline"), (". is a folder",), kind="command"),
    Mistake(L, "A CSV is given as a study file", command("replicate", "--study", "mine.csv", "--offline", before=lambda: in_folder("mine.csv", b"a,b\n")), ("mine.csv is a table", "clsimpact study"), kind="command"),
    Mistake(L, "The truth file is not there", command("simulate", "--truth", "nope.toml", "--out", "made"), ("nope.toml", "Repair", "--truth"), kind="command"),
    Mistake(L, "The folder to build from is not there", command("build", "--raw", "offical", "--out", "rebuilt"), ("offical",), kind="command"),
    Mistake(L, "The number of workers is no number", command("replicate", "--workers", "two"), ("two",), kind="command"),
    Mistake(L, "The study file is not there", command("replicate", "--study", "mine.toml", "--offline"), ("mine.toml",), kind="command"),
    Mistake(L, "A column is mistyped", command("describe", "gce_per_adlut"), ("gce_per_adlut",), "gce_per_adult", "command"),
    Mistake(L, "The output folder holds other files", command("replicate", "--out", "mine", "--offline", before=lambda: (in_folder("mine"), in_folder("mine/notes.txt", b"x"))), ("mine",), kind="command"),
    Mistake(L, "The study file would be written over", command("study", "--out", "old.toml", before=lambda: in_folder("old.toml", b"x")), ("old.toml",), kind="command"),
    Mistake(L, "The year to download is not published", command("fetch", "--year", "1999-00", "--offline", "--dest", "raw"), ("1999-00",), kind="command"),
)  # fmt: skip
