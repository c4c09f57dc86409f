"""The spending estimate under other choices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.linear_model import OLS

import clsimpact as ci
from clsimpact.errors import PanelError
from clsimpact.report.sensitivity import sensitivity_table
from tests.estimation_helpers import SOLVER


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return sensitivity_table().set_index("choice")


def by_hand(tagged: pd.DataFrame, *, effects: tuple[str, ...] = ("ons_code",)) -> float:
    """The effect from a regression on dummies."""
    data = tagged[tagged["gce_per_adult"].notna()].assign(cohort=lambda t: t["adoption_year"].fillna(0))
    dummies = [pd.get_dummies(data[name].astype("object"), drop_first=True) for name in (*effects, "year")]
    regressors = np.column_stack([data["treated"], np.ones(len(data)), *dummies]).astype(float)
    return float(OLS(data["gce_per_adult"].to_numpy(), regressors).fit(method="qr").params[0])


def test_every_row_is_an_estimate_inside_its_interval(table: pd.DataFrame) -> None:
    assert table.index.is_unique
    assert list(table.columns) == [
        "estimate",
        "conf_low",
        "conf_high",
        "p_value",
        "treated",
        "councils",
        "rows",
    ]
    assert np.isfinite(table.to_numpy(dtype=float)).all()
    assert ((table["conf_low"] < table["estimate"]) & (table["estimate"] < table["conf_high"])).all()
    assert table["p_value"].between(0, 1).all()


@pytest.mark.parametrize(
    ("row", "choice"),
    [
        ("main: ", {}),
        ("earliest date", {"date": "earliest"}),
        ("latest date", {"date": "latest"}),
        ("first full year", {"part_year": "first_full"}),
        ("undated adopters as controls", {"undated": "control"}),
        ("undated adopters treated", {"undated": "treated_from_latest"}),
    ],
)
def test_choices_of_adoption_against_dummies(table: pd.DataFrame, row: str, choice: dict[str, str]) -> None:
    tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption(), **choice)
    found = table[table.index.str.startswith(row)].iloc[0]
    np.testing.assert_allclose(found["estimate"], by_hand(tagged), rtol=SOLVER)


def test_samples_and_effects_against_dummies(table: pd.DataFrame) -> None:
    main = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    dropped = ci.tag_adoption(ci.load_panel(boundaries="drop"), ci.load_adoption())
    expected = {
        "without 2020-21": by_hand(main[main["year"] != 2020]),
        "without 2020-21 and 2021-22": by_hand(main[main["year"] < 2020]),
        "without City of London and Isles of Scilly": by_hand(
            main[~main["name"].isin(["City of London", "Isles of Scilly"])]
        ),
        "areas that changed boundaries dropped": by_hand(dropped),
        "region and adopter-cohort effects in place of council effects": by_hand(
            main, effects=("region", "cohort")
        ),
    }
    np.testing.assert_allclose(table.loc[list(expected), "estimate"], list(expected.values()), rtol=SOLVER)


def test_the_main_row_is_the_estimate_of_the_library(table: pd.DataFrame) -> None:
    tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption())
    design = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    row = ci.twfe(design).overall.iloc[0]
    assert (
        table.iloc[0][["estimate", "conf_low", "conf_high"]].tolist()
        == row[["estimate", "conf_low", "conf_high"]].tolist()
    )
    assert table["treated"].iloc[0] == 5


def test_an_unknown_outcome_is_named() -> None:
    with pytest.raises(PanelError, match="gce_per_adlut"):
        sensitivity_table("gce_per_adlut")


def test_the_first_row_is_the_choice_of_the_study() -> None:
    """The other rows change one choice of it; none is the same as the first."""
    base = {"date": "earliest", "undated": "control"}
    found = sensitivity_table(base=base).set_index("choice")
    main = found.index[0]
    words = "main: earliest date that the evidence allows, first exposed year, undated adopters as controls"
    assert main == f"{words}, always treated dropped"
    expected = {
        main: base,
        "best date": {"undated": "control"},
        "latest date that the evidence allows": {"date": "latest", "undated": "control"},
        "undated adopters dropped": {"date": "earliest"},
    }
    for name, choice in expected.items():
        tagged = ci.tag_adoption(ci.load_panel(), ci.load_adoption(), **choice)
        np.testing.assert_allclose(found.loc[name, "estimate"], by_hand(tagged), rtol=SOLVER)
    assert len(found) == 11
