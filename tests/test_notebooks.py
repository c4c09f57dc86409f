"""Every notebook runs from top to bottom without an error or a warning, and none holds outputs."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import ipykernel.kernelspec
import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

import clsimpact as ci
from tests.test_oracles import VALUES_OF_R

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NAMES = (
    "01_the_data",
    "02_who_adopted",
    "03_a_first_effect",
    "04_staggered_estimators_compared",
    "05_inference_with_few_councils",
    "06_checks_and_sensitivity",
    "07_the_report",
    "08_your_own_programme",
    "09_from_r_or_stata",
)
NOTEBOOKS = [FOLDER / f"{name}.ipynb" for name in NAMES]
SECONDS = 60
"""Processor time of one notebook: on a busy machine the clock says nothing."""
HANGS = 600
"""A cell that takes so long by the clock does not end."""
LINES = 60
"""What one output may print."""
MADE_UP = ("04_staggered_estimators_compared", "08_your_own_programme")
"""Notebooks that show made-up data beside, or instead of, official figures."""

# The notebook client's own libraries, not ours and not the notebooks'.
pytestmark = pytest.mark.filterwarnings("default")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.fixture
def own_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel of this interpreter comes first, and nothing is written outside a temporary folder."""
    ipykernel.kernelspec.write_kernel_spec(tmp_path / "kernels" / "python3")
    for name in ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("CLSIMPACT_RAW", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)


def words_of(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def test_these_are_all_notebooks() -> None:
    assert sorted(FOLDER.glob("*.ipynb")) == NOTEBOOKS


def texts(output: nbformat.NotebookNode) -> list[str]:
    """Return what a reader sees of an output, as text."""
    data = output.get("data", {})
    if "text/html" in data:
        return re.findall(r">([^<]+)<", data["text/html"])
    if "image/png" in data:
        return []
    return [data.get("text/markdown") or data.get("text/plain") or output.get("text") or ""]


def _spent_by_children() -> float:
    """Return the processor time of processes that have ended, in seconds."""
    spent = os.times()
    return spent.children_user + spent.children_system


@pytest.mark.usefixtures("own_kernel")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path) -> None:
    notebook = read(path)
    before = _spent_by_children()
    NotebookClient(
        notebook, timeout=HANGS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert 0 < _spent_by_children() - before < SECONDS
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stderr"] == []
    assert not [o for o in outputs if o["output_type"] == "error"]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
    shown = [text for output in outputs for text in texts(output)]
    assert max(len(text.splitlines()) for text in shown) <= LINES
    made_up = [text for text in shown if "SIMULATED" in text]
    assert bool(made_up) == (path.stem in MADE_UP)
    if path.stem in MADE_UP:
        assert "SIMULATED" in words_of(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_holds_no_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert notebook.metadata["language_info"] == {"name": "python"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_opens_with_a_question_and_explains_every_step(path: Path) -> None:
    cells = read(path).cells
    assert re.match(r"# .*\?\n", cells[0].source)
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    assert words > 300
    kinds = "".join("m" if cell.cell_type == "markdown" else "c" for cell in cells)
    assert "cccc" not in kinds


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_ends_with_what_was_learnt(path: Path) -> None:
    headings = re.findall(r"^## (.*)$", words_of(path), flags=re.MULTILINE)
    assert headings[-1] == "What was learnt"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", words_of(path)):
        assert target.startswith("https://") or (FOLDER / target).is_file(), target


def test_the_numbers_in_the_words_are_those_of_the_estimate() -> None:
    text = " ".join(words_of(FOLDER / "03_a_first_effect.ipynb").split())
    tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    design = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    row = ci.twfe(design).overall.iloc[0]
    low, high = abs(row["conf_low"]), row["conf_high"]
    mean = tagged.loc[tagged["adoption_year"].isna(), "gce_per_adult"].mean()
    for words in (
        f"a rise of £{row['estimate']:.1f} per adult, on a mean of about £{mean:.2g}".replace(
            "4.7e+02", "470"
        ),
        f"from £{low:.1f} lower to £{high:.1f} higher",
        f"a fall of {low / mean:.0%}, no change at all, and a rise of {high / mean:.0%}",
        f"more than about £{high:.0f} up or £{low:.0f} down",
        f"5% (about £{0.05 * mean:.0f})",
    ):
        assert words in text
    path = ci.event_study(design).tidy()
    behind = path.loc[path["identified"], "n_units"]
    assert behind.max() < 5
    assert (behind == 1).sum() == 4
    assert "four of them rest on a single one" in text


def test_counts_in_the_words_are_those_of_the_design() -> None:
    tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    design = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    assert (len(design.units), design.n_treated) == (143, 5)
    assert sorted(tagged.groupby("ons_code")["adoption_year"].first().dropna()) == [
        2016,
        2016,
        2016,
        2017,
        2018,
    ]
    for name in ("04_staggered_estimators_compared", "05_inference_with_few_councils"):
        assert "138" in words_of(FOLDER / f"{name}.ipynb")
    counties = ci.Design(ci.load_mpdta(), outcome="lemp", unit="county", time="year", cohort="first_treat")
    assert f"With {counties.n_treated} treated counties" in words_of(FOLDER / "09_from_r_or_stata.ipynb")


def test_what_is_said_of_pooled_event_times_is_so() -> None:
    tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    design = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    pooled = ci.event_study(design, leads=3, lags=4)
    said = " ".join(words_of(FOLDER / "06_checks_and_sensitivity.ipynb").split())
    honest = ci.honest_did(pooled).summary()
    assert "average effect over event times 0 to 3" in honest
    assert "Left out: e<=-3, e>=4" in honest
    before = pooled.tidy().set_index("term").loc["e=-2", "n_units"]
    assert before == 1
    assert "HonestDiD leaves them out and asks about the average of event times 0 to 3" in said
    assert "Of steps before adoption that leaves one, of one council." in said


def quoted(name: str) -> dict[str, dict[object, tuple[float, float]]]:
    """Return the tables of numbers that a notebook writes out, by the name of the variable."""
    found = {}
    for cell in read(FOLDER / f"{name}.ipynb").cells:
        for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                try:
                    found[ast.unparse(node.targets[0])] = ast.literal_eval(node.value)
                except ValueError:
                    continue
    return found


def test_numbers_of_r_are_the_frozen_ones(frozen: Path) -> None:
    tables = quoted("09_from_r_or_stata")
    fixest = pd.read_csv(frozen / "mpdta_r.csv").set_index(["method", "term"])[["estimate", "se"]]
    events = {int(term): tuple(row) for term, row in fixest.loc["twfe_event"].iterrows()}
    assert tables["FIXEST"] == {"twfe": tuple(fixest.loc["twfe_static", "ATT"])}
    assert tables["FIXEST_EVENTS"] == events
    known = {(file, options, term): (value, error) for file, options, term, value, error in VALUES_OF_R}
    assert list(tables["DID"].values()) == [
        known["group_time.csv", "control=never;base=varying;method=dr", "simple"],
        known["group_time.csv", "control=not_yet;base=varying;method=dr", "simple"],
        known["group_time_options.csv", "control=never;base=varying;method=dr;x=x1", "simple"],
    ]
    assert list(tables["OTHERS"].values()) == [
        known["interaction.csv", "control=never", "att"],
        known["imputation.csv", "", "att"],
    ]
