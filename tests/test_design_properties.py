"""What must not matter to a design: row order, the labels of units, other columns, the kind of frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.design import Design

ARRAYS = [
    *["y", "X", "w", "unit_codes", "time_codes", "cluster_codes", "effect_codes", "times", "cohorts"],
    *["event_time", "treated", "unit_cohorts", "unit_rows", "unit_clusters"],
]
ROLES: dict[str, Any] = {"outcome": "y", "unit": "u", "time": "t", "cohort": "c"}
OPTIONS: dict[str, Any] = {"weights": "w", "covariates": ["x"], "cluster": "g", "always_treated": "keep"}


@st.composite
def panels(draw: st.DrawFn) -> pd.DataFrame:
    """Small panels with gaps, holes and missing outcomes, that hold a comparison."""
    n, gaps = draw(st.integers(2, 7)), draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    years = np.cumsum([draw(st.sampled_from([-80, 2000])), *gaps]).tolist()
    drawn = [draw(st.sampled_from([np.nan, *years, 2090])) for _ in range(n - 2)]
    rows = [(u, t, c, u % 3) for u, c in enumerate([years[-1], np.nan, *drawn]) for t in years]
    panel = pd.DataFrame(rows, columns=["u", "t", "c", "g"])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    panel[["y", "x"]] = rng.normal(size=(len(panel), 2))
    panel["w"] = rng.uniform(0.5, 2.0, len(panel))
    needed = panel["u"].to_numpy() == 0
    kept = needed | np.array(draw(st.lists(st.booleans(), min_size=len(panel), max_size=len(panel))))
    blank = ~needed & (rng.uniform(size=len(panel)) < 0.1)
    return panel.assign(y=panel["y"].mask(blank))[kept].reset_index(drop=True)


def arrays(design: Design) -> dict[str, np.ndarray]:
    return {name: getattr(design, name) for name in ARRAYS}


def assert_same(one: Design, other: Design) -> None:
    for name, values in arrays(one).items():
        np.testing.assert_array_equal(values, getattr(other, name), err_msg=name, strict=True)
    assert (one.periods, one.balanced) == (other.periods, other.balanced)


@settings(deadline=None, max_examples=60)
@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(panel: pd.DataFrame, random: Any) -> None:
    order = list(range(len(panel)))
    random.shuffle(order)
    one, other = (Design(p, **ROLES, **OPTIONS) for p in (panel, panel.iloc[order]))
    assert_same(one, other)
    assert one.units == other.units
    pd.testing.assert_frame_equal(one.dropped, other.dropped)


@settings(deadline=None, max_examples=60)
@given(panels(), st.sampled_from(["text", "object", "float", "far", "Int64", "category", "mixed"]))
def test_the_labels_of_units_change_nothing(panel: pd.DataFrame, kind: str) -> None:
    as_text = panel["u"].map("E{:03d}".format)
    labels: pd.Series[Any] = {
        "text": as_text,
        "object": as_text.astype(object),
        "float": panel["u"] * 0.5,
        "far": panel["u"] * 10**15,
        "Int64": panel["u"].astype("Int64"),
        "category": as_text.astype(pd.CategoricalDtype(sorted(as_text.unique(), reverse=True))),
        "mixed": pd.Series([int(u) if u < 3 else f"E{u}" for u in panel["u"]], dtype=object),
    }[kind]
    one, other = Design(panel, **ROLES, **OPTIONS), Design(panel.assign(u=labels), **ROLES, **OPTIONS)
    assert_same(one, other)
    first = labels.groupby(panel["u"]).first()
    assert list(other.units) == [first[u] for u in one.units]


@settings(deadline=None, max_examples=30)
@given(panels())
def test_other_columns_and_the_index_change_nothing(panel: pd.DataFrame) -> None:
    more = panel.assign(z="text", when=pd.Timestamp("2020-01-01"), nothing=None)
    more = more[sorted(more.columns, reverse=True)].set_axis(["same"] * len(more))
    assert_same(Design(panel, **ROLES, **OPTIONS), Design(more, **ROLES, **OPTIONS))


@settings(deadline=None, max_examples=30)
@given(panels())
def test_the_kind_of_frame_changes_nothing(panel: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(panel, preserve_index=False)
    one, other = Design(panel, **ROLES, **OPTIONS), Design(table, **ROLES, **OPTIONS)
    assert_same(one, other)
    assert (one.units, one.unit_names) == (other.units, other.unit_names)


@settings(deadline=None, max_examples=60)
@given(panels())
def test_the_arrays_agree_with_a_sort_by_pandas(panel: pd.DataFrame) -> None:
    design = Design(panel.iloc[::-1], **ROLES, **OPTIONS)
    sample = panel.dropna(subset=["y", "x", "w"]).sort_values(["u", "t"])
    np.testing.assert_array_equal(design.y, sample["y"])
    np.testing.assert_array_equal(design.times, sample["t"])
    np.testing.assert_array_equal(design.event_time, sample["t"] - sample["c"])
    np.testing.assert_array_equal(design.unit_codes, pd.factorize(sample["u"], sort=True)[0])
    np.testing.assert_array_equal(design.time_codes, pd.factorize(sample["t"], sort=True)[0])
    np.testing.assert_array_equal(design.cluster_codes, pd.factorize(sample["g"], sort=True)[0])
    np.testing.assert_array_equal(np.diff(design.unit_rows), sample.groupby("u").size())
    full = sample["u"].nunique() * sample["t"].nunique() == len(sample)
    assert design.balanced == full


@settings(deadline=None, max_examples=60)
@given(panels(), st.data())
def test_fewer_rows_of_a_design_are_the_design_of_fewer_rows(
    panel: pd.DataFrame, data: st.DataObject
) -> None:
    design = Design(panel, **ROLES, **OPTIONS)
    keep = np.array(
        data.draw(st.lists(st.booleans(), min_size=design.n_obs, max_size=design.n_obs)), dtype=bool
    )
    keep |= design.unit_codes == 0
    less = design.restrict(keep, reason="drawn")
    assert_same(less, Design(design.data[keep], **ROLES, **OPTIONS))
    assert len(less.dropped) == len(design.dropped) + (~keep).sum()
