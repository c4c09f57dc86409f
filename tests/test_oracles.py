"""Frozen answers of other packages are whole, and the panels they were asked about are still the same."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.oracles import panels
from tests.oracles.collect import join
from tests.oracles.record import COLUMNS

KEY = ["panel", "estimator", "options", "term", "package"]

FILES = (
    "clusters.csv",
    "decompositions.csv",
    "did_m.csv",
    "group_time.csv",
    "group_time_gaps.csv",
    "group_time_missing.csv",
    "group_time_options.csv",
    "group_time_panels.csv",
    "imputation.csv",
    "interaction.csv",
    "local_projection.csv",
    "stacked.csv",
    "synthetic_did.csv",
    "wild.csv",
)

LARGEST = 200_000
"""Bytes of one file: what a reviewer's browser still shows."""

SAME_PANELS = {
    "small": "553ad6847533475c565e3ad9b5ab5e24faee5849f3bfcd0dd5bc24093ab81573",
    "alone": "0bd84ebc3b84dca3f8662ca5f2d9562639371403ad9cacdcf0cad19d1168ceb7",
    "balanced": "b82db5ea953abdb5716a460e3c34391a7d0063214446cc0a9183e787882f215b",
    "missing": "85cf1c721042fcdec128c505921c5eda4ba6a1e9144cf9514cce5c4fdaf6d762",
    "gaps": "9cf1f82f0dc43da93f157c4c7c8abe839362fe734cabb1c3a16ba51d15884ff8",
    "no_never": "aaedf2d7f1bcbfad33308a8c548fcc67001dd11b5aecb814227dfd37dc32c1af",
    "late": "174f4b0c3c5fcc3ad6cc3b0ed3a6241205e9f7371fad26ced3cad836aef4a1b1",
    "mpdta": "1bead3bb32efde07a11d980db47fbd2e1ccea20cda42de7fe122020231d59f05",
}
"""sha256 of each panel as CSV, rounded to six decimals."""

PRINTED = 5e-9
"""Values of R are printed with eight decimals."""

SUMS = 1e-11
"""Sums of a few hundred outcomes near fifty, in two orders of summation."""

NEVER = "control=never;base=varying;method="

VALUES_OF_R = (
    ("group_time.csv", NEVER + "dr", "simple", -0.03995128, 0.01203401),
    ("group_time.csv", NEVER + "dr", "dynamic:overall", -0.07723982, 0.01996499),
    ("group_time.csv", NEVER + "dr", "group:overall", -0.03101828, 0.01244606),
    ("group_time.csv", NEVER + "dr", "calendar:overall", -0.04170043, 0.01597185),
    ("group_time.csv", NEVER + "dr", "balanced:overall", -0.02876076, 0.01368558),
    ("group_time.csv", NEVER + "dr", "dynamic:-3", 0.03050666, 0.01503356),
    ("group_time.csv", "control=never;base=universal;method=dr", "dynamic:-4", 0.00330636, 0.02445187),
    ("group_time.csv", "control=not_yet;base=varying;method=dr", "simple", -0.03976363, 0.01205242),
    ("group_time_options.csv", NEVER + "dr;x=x1", "simple", -0.04175177, 0.01150284),
    ("group_time_options.csv", NEVER + "reg;x=x1", "simple", -0.04196861, 0.01144483),
    ("group_time_options.csv", NEVER + "ipw;x=x1", "simple", -0.04177708, 0.01149972),
    ("group_time_options.csv", NEVER + "dr;anticipation=1", "dynamic:overall", -0.04473430, 0.01861171),
    ("interaction.csv", "control=never", "att", -0.03995128, 0.01179628),
    ("interaction.csv", "control=never", "event:2", -0.13725874, 0.03658948),
    ("imputation.csv", "", "att", -0.04770992, 0.01322249),
    ("imputation.csv", "", "event:3", -0.10470747, 0.03376585),
    ("imputation.csv", "", "lead:-4", -0.00139535, 0.02319650),
)
"""Values of R on mpdta: did 2.5.0, fixest 0.14.2, didimputation 0.5.0."""


@pytest.fixture(scope="module")
def scripts(root: Path) -> Path:
    return root / "tests" / "oracles"


def answers(frozen: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(frozen / name, dtype=str, keep_default_na=False)


def rounded_text(panel: pd.DataFrame) -> str:
    return panel.to_csv(index=False, float_format="%.6f", lineterminator="\n")


@pytest.mark.parametrize("name", FILES)
def test_answers_are_whole(frozen: Path, name: str) -> None:
    table = answers(frozen, name)
    assert tuple(table.columns) == COLUMNS
    assert len(table) > 0
    assert not table.duplicated(KEY).any()
    assert (table[["panel", "estimator", "term", "estimate", "package", "version"]] != "").all().all()
    assert table["panel"].isin(panels.PANELS).all()
    packages, versions = (table[c].str.split(";") for c in ("package", "version"))
    assert (packages.map(len) == versions.map(len)).all()
    assert all(re.fullmatch(r"\d[\w.]*", v) for several in versions for v in several)
    assert (frozen / name).stat().st_size < LARGEST


@pytest.mark.parametrize("name", FILES)
def test_numbers_hold_every_digit(frozen: Path, name: str) -> None:
    table = answers(frozen, name)
    for column in ("estimate", "std_error"):
        written = table.loc[table[column] != "", column]
        assert (written == written.map(lambda text: repr(float(text)))).all()


@pytest.mark.parametrize("name", FILES)
def test_most_questions_are_agreed_on_by_two_packages(frozen: Path, name: str) -> None:
    table = answers(frozen, name)
    agreed = table["package"].str.contains(";")
    asked = table.groupby(["panel", "estimator", "options", "term"])["package"].first()
    assert agreed.sum() > len(asked) / 2


def test_every_answer_file_is_looked_at(frozen: Path) -> None:
    others = {"mpdta_cr.csv", "mpdta_r.csv"}
    made = {
        path.name
        for path in frozen.glob("*.csv")
        if tuple(pd.read_csv(path, nrows=0).columns) == COLUMNS and path.name not in others
    }
    assert made == set(FILES)


@pytest.mark.parametrize("name", SAME_PANELS)
def test_panels_are_the_ones_asked_about(name: str) -> None:
    text = rounded_text(panels.PANELS[name]())
    assert hashlib.sha256(text.encode()).hexdigest() == SAME_PANELS[name]


def test_panels_are_what_their_words_say() -> None:
    plain = panels.balanced()
    assert tuple(plain.columns) == panels.COLUMNS
    assert plain.groupby("unit")["time"].nunique().eq(8).all()
    sizes = plain.groupby("cohort")["unit"].nunique()
    assert {int(g): int(n) for g, n in sizes.items()} == panels.COHORT_SIZES
    assert len(panels.missing()) == len(plain) - 60
    assert not set(panels.gaps()["time"]) & {2017, 2019}
    assert panels.no_never()["cohort"].max() <= plain["time"].max()
    late = panels.late()["cohort"]
    assert set(late[late > plain["time"].max()]) == {2023.0, 2024.0}


def test_every_script_that_the_page_names_is_there(scripts: Path) -> None:
    page = (scripts / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+\.(?:py|R|sh|csv))`", page))
    here = {path.name for path in scripts.iterdir()}
    frozen_files = {path.name for path in (scripts.parent / "reference").iterdir()}
    assert named - here - frozen_files == set()
    made = {path.name for path in scripts.iterdir() if path.suffix in {".py", ".R", ".sh"}} - {"__init__.py"}
    assert made - named == set()


@pytest.mark.parametrize(("name", "options", "term", "estimate", "std_error"), VALUES_OF_R)
def test_agreed_values_are_those_of_r(
    frozen: Path, name: str, options: str, term: str, estimate: float, std_error: float
) -> None:
    table = answers(frozen, name)
    wanted = {"panel": "mpdta", "options": options, "term": term}
    for column, value in wanted.items():
        table = table[table[column] == value]
    family = {"interaction.csv": "sun_abraham", "imputation.csv": "imputation"}.get(name, "group_time")
    row = table[(table["estimator"] == family) & table["package"].str.contains(";")].iloc[0]
    assert float(row["estimate"]) == pytest.approx(estimate, abs=PRINTED)
    assert float(row["std_error"]) == pytest.approx(std_error, abs=PRINTED)


def cell_by_hand(wide: pd.DataFrame, cohort: pd.Series, g: int, t: int, sample: str) -> float:
    """Two changes of means since the last observed year before adoption (before t, if that is earlier)."""
    years = list(wide.columns)
    base = max(y for y in years if y < min(g, t))
    adopts, never = cohort == g, cohort.isna()
    if sample == "cross_sections":
        means = {y: (wide.loc[adopts, y].mean(), wide.loc[never, y].mean()) for y in (t, base)}
        return (means[t][0] - means[base][0]) - (means[t][1] - means[base][1])
    seen = wide.notna().all(axis=1) if sample == "complete" else pd.Series(True, index=wide.index)
    change = (wide[t] - wide[base])[seen]
    return change[adopts].mean() - change[never].mean()


@pytest.mark.parametrize(
    ("name", "panel", "sample"),
    [
        ("group_time.csv", "balanced", ""),
        ("group_time.csv", "mpdta", ""),
        *(
            (f"group_time_{panel}.csv", panel, sample)
            for panel in ("missing", "gaps")
            for sample in ("complete", "pairs", "cross_sections")
        ),
    ],
)
def test_agreed_cells_are_changes_of_means(frozen: Path, name: str, panel: str, sample: str) -> None:
    data = panels.PANELS[panel]()
    wide = data.pivot_table(index="unit", columns="time", values="y")
    cohort = data.groupby("unit")["cohort"].first()
    options = NEVER + "dr" + (f";sample={sample}" if sample else "")
    table = answers(frozen, name)
    table = table[(table["panel"] == panel) & (table["options"] == options)]
    table = table[table["term"].str.startswith("gt:") & table["package"].str.contains(";")]
    assert len(table) >= 8
    for term, estimate in zip(table["term"], table["estimate"], strict=True):
        g, t = (int(part) for part in term.split(":")[1:])
        assert float(estimate) == pytest.approx(cell_by_hand(wide, cohort, g, t, sample), abs=SUMS)


def raw(*rows: tuple[str, str, str]) -> pd.DataFrame:
    made = [("balanced", "twfe", "", "att", est, se, package, "1.0") for package, est, se in rows]
    return pd.DataFrame(made, columns=list(COLUMNS))


def test_packages_that_agree_share_a_row() -> None:
    joined, apart = join(raw(("b", "1.0", "0.5"), ("a", "1.0000000001", "0.5"), ("c", "1.1", "0.5")))
    assert joined["package"].tolist() == ["a;b", "c"]
    assert joined["version"].tolist() == ["1.0;1.0", "1.0"]
    assert apart.loc[apart["package"] == "c", "largest_difference"].item() == pytest.approx(0.1)


def test_a_package_without_a_standard_error_stands_apart() -> None:
    joined, _ = join(raw(("a", "1.0", "0.5"), ("b", "1.0", "")))
    assert joined["package"].tolist() == ["a", "b"]
