"""The covariance against R (fixest 0.14.2, clubSandwich; R 4.2.2) and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clsimpact.design import Design
from clsimpact.errors import DesignError
from clsimpact.estimators import event_study, twfe
from clsimpact.inference import Counts, sandwich, satterthwaite
from clsimpact.inference.sandwich import adjust, factor_of
from tests.estimation_helpers import EXACT, ORACLE, SOLVER, castle, council_design, ehec, made_up, mpdta
from tests.oracles import panels

pytestmark = pytest.mark.usefixtures("usual_errors")

# R on mpdta: clubSandwich on plm with year dummies (CR0, CR2, CR3), fixest (cluster = ~unit, iid, hetero)
R_MPDTA = {
    "CR0": 0.0132386198102937,
    "CR1": 0.0132651554293386,
    "CR2": 0.0132704299803011,
    "CR3": 0.0133023429292841,
    "HC1": 0.0123601004854492,
    "iid": 0.012646473525659,
}


@pytest.mark.parametrize("kind", R_MPDTA)
def test_every_kind_equals_r(kind: str) -> None:
    row = twfe(mpdta(), inference=kind).tidy().iloc[0]
    assert row["estimate"] == pytest.approx(-0.0365489366740663, abs=ORACLE)
    assert row["std_error"] == pytest.approx(R_MPDTA[kind], abs=ORACLE)


def test_every_row_of_the_clubsandwich_file(frozen: Path) -> None:
    fit = twfe(mpdta())
    reg = fit.fitted()
    n, g, slopes_and_years = 2500, 500, 5
    rows = pd.read_csv(frozen / "mpdta_cr.csv").set_index("type")
    plain = np.sqrt(fit.with_covariance("CR0").vcov.matrix[0, 0])
    factors = {"CR0": 1.0, "CR1": g / (g - 1), "CR1S": g / (g - 1) * (n - 1) / (n - slopes_and_years)}
    ours = {kind: plain * np.sqrt(factor) for kind, factor in factors.items()}
    ours |= {k: np.sqrt(fit.with_covariance(k).vcov.matrix[0, 0]) for k in ("CR2", "CR3")}
    for kind, error in ours.items():
        assert error == pytest.approx(rows.loc[kind, "se"], abs=ORACLE)
        df = satterthwaite(reg.influence[:, 0], reg.basis, fit.design.cluster_codes, kind=kind[:3])
        assert df == pytest.approx(rows.loc[kind, "df_satt"], rel=ORACLE)
        p = 2 * stats.t.sf(abs(fit.estimates[0] / error), df)
        assert p == pytest.approx(rows.loc[kind, "p_satt"], abs=ORACLE)
        naive = 2 * stats.t.sf(abs(fit.estimates[0] / error), g - 1)
        assert naive == pytest.approx(rows.loc[kind, "p_naive_t"], abs=ORACLE)
    jackknife = rows[rows.index.str.contains("jackknife CV3 ")]["se"].iloc[0]
    assert ours["CR3"] * np.sqrt((g - 1) / g) == pytest.approx(jackknife, abs=ORACLE)


def test_cr2_row_uses_satterthwaite() -> None:
    fit = twfe(mpdta(), inference="CR2")
    assert fit.vcov.df[0] == pytest.approx(279.826220096543, rel=ORACLE)
    assert fit.tidy()["p_value"].iloc[0] == pytest.approx(0.00626973737504166, abs=ORACLE)


def test_factor_is_printed_with_its_numbers() -> None:
    assert twfe(mpdta()).vcov.factor_text == "CR1 = 500/499 · 2499/2494 = 1.0040"
    for kind in ("CR0", "CR1", "CR2", "CR3", "HC1", "iid"):
        assert twfe(mpdta(), inference=kind).vcov.kind == kind
    counts = twfe(mpdta()).vcov.counts
    assert (counts.k_nested, counts.k_all) == (6, 505)


@pytest.mark.parametrize("cluster", [None, "region"])
def test_cr3_is_leaving_out_one_cluster_at_a_time(cluster: str | None) -> None:
    """The jackknife by brute force: refit without each cluster, unbalanced panel."""
    design = council_design(made_up(share=0.8, n_units=48), cluster=cluster)
    fit = twfe(design, inference="CR3")
    left_out = []
    for code in range(design.n_clusters):
        keep = design.cluster_codes != code
        left_out.append(twfe(design.restrict(keep, reason="jackknife")).estimates[0])
    brute = np.sqrt(((np.array(left_out) - fit.estimates[0]) ** 2).sum())
    assert np.sqrt(fit.vcov.matrix[0, 0]) == pytest.approx(brute, rel=SOLVER)


def test_cr2_and_its_degrees_of_freedom_by_full_matrices() -> None:
    """Bell and McCaffrey with n x n matrices, dummies for units and years, generalised inverse roots."""
    design = council_design(made_up(share=0.85, n_units=24), weights="size")
    fit = twfe(design, inference="CR2")
    root = np.sqrt(design.w)[:, None]
    d = design.treated.astype(float)[:, None]
    units = np.eye(len(design.units))[design.unit_codes]
    years = np.eye(len(design.periods))[design.time_codes][:, 1:]
    inner = root * (np.hstack([d, years]) - _means(np.hstack([d, years]), design.unit_codes, design.w))
    full = root * np.hstack([d, units, years])
    bread = np.linalg.inv(inner.T @ inner)
    hat, maker = inner @ bread @ inner.T, np.eye(design.n_obs) - full @ np.linalg.pinv(full)
    e = maker @ (root[:, 0] * design.y)
    vectors, scores = [], []
    for code in range(design.n_clusters):
        rows = np.flatnonzero(design.cluster_codes == code)
        value, vector = np.linalg.eigh(np.eye(rows.size) - hat[np.ix_(rows, rows)])
        a = vector @ np.diag(value**-0.5) @ vector.T
        weight = a @ (inner @ bread)[rows, 0]
        scores.append(weight @ e[rows])
        vectors.append(maker[:, rows] @ weight)
    v = np.array(vectors)
    assert fit.vcov.matrix[0, 0] == pytest.approx(float(np.sum(np.square(scores))), rel=SOLVER)
    df = np.square(np.square(v).sum()) / np.square(v @ v.T).sum()
    assert fit.vcov.df[0] == pytest.approx(float(df), rel=SOLVER)


def _means(columns: np.ndarray, codes: np.ndarray, w: np.ndarray) -> np.ndarray:
    frame = pd.DataFrame(columns * w[:, None]).groupby(codes).transform("sum").to_numpy()
    return frame / pd.Series(w).groupby(codes).transform("sum").to_numpy()[:, None]


@pytest.mark.parametrize("kind", ["CR0", "CR1"])
def test_made_up_cluster_above_the_unit(kind: str) -> None:
    design = council_design(made_up(share=0.85, n_units=64), cluster="region", weights="size")
    fit = twfe(design, inference=kind)
    assert fit.vcov.counts.n_clusters == 8
    assert bool(fit.verify()["agrees"].all())


def test_cluster_above_the_unit(reference: Path) -> None:
    design = castle(reference)
    panel = design.data.assign(half=lambda f: f["state"].str[0])
    coarse = twfe(_again(panel, "half"))
    assert coarse.vcov.counts.n_clusters == panel["half"].nunique()
    assert coarse.estimates[0] == pytest.approx(twfe(design).estimates[0], rel=EXACT)
    assert bool(coarse.verify()["agrees"].all())


def _again(panel: pd.DataFrame, cluster: str):
    return Design(panel, outcome="l_homicide", unit="state", time="year", cohort="first", cluster=cluster)


def test_scaling_weights_changes_nothing(reference: Path) -> None:
    one = ehec(reference, weights="W")
    two = ehec(reference)
    panel = one.data.assign(W=one.data["W"] * 7.5)
    again = _ehec(panel)
    for kind in ("CR0", "CR1", "CR2", "CR3", "HC1", "iid"):
        a, b = twfe(one, inference=kind).tidy(), twfe(again, inference=kind).tidy()
        np.testing.assert_allclose(a["std_error"], b["std_error"], rtol=SOLVER)
    assert twfe(one).estimates[0] != pytest.approx(twfe(two).estimates[0], rel=1e-3)


@pytest.mark.parametrize("factor", [7.5, 1e-40, 1e40])
def test_scaling_uneven_weights_changes_nothing(factor: float) -> None:
    panel = made_up(share=0.85)
    one = council_design(panel, weights="size", covariates=["need"])
    two = council_design(panel.assign(size=panel["size"] * factor), weights="size", covariates=["need"])
    for kind in ("CR0", "CR1", "CR2", "CR3", "HC1", "iid"):
        a, b = twfe(one, inference=kind).tidy(), twfe(two, inference=kind).tidy()
        np.testing.assert_allclose(a["estimate"], b["estimate"], rtol=SOLVER)
        np.testing.assert_allclose(a["std_error"], b["std_error"], rtol=SOLVER)


def _ehec(panel: pd.DataFrame):
    return Design(panel, outcome="dins", unit="stfips", time="year", cohort="yexp2", weights="W")


def test_hand_computed_mean() -> None:
    """Two clusters {1, 3} and {2, 6} around the mean 3: scores (-2)/4 and 2/4, so CR0 = 0.5 and CR1 = 1."""
    y = np.array([1.0, 3.0, 2.0, 6.0])
    p, q, codes = np.full((4, 1), 0.25), np.full((4, 1), 0.5), np.array([0, 0, 1, 1])
    counts = Counts(n_obs=4, n_clusters=2, k_nested=1, k_all=1)
    values = {k: sandwich(p, y - 3, q, codes, kind=k, counts=counts).matrix.item() for k in R_MPDTA}
    assert values["CR0"] == pytest.approx(0.5, abs=EXACT)
    assert values["CR1"] == pytest.approx(1.0, abs=EXACT)
    assert values["CR2"] == pytest.approx(
        1.0, abs=EXACT
    )  # leverage 1/2 in each cluster: scores times sqrt(2)
    assert values["CR3"] == pytest.approx(2.0, abs=EXACT)
    assert values["iid"] == pytest.approx(14 / 3 / 4, abs=EXACT)


def test_full_leverage_is_left_out_and_not_infinite() -> None:
    out = adjust(np.array([[1.0], [0.0]]), np.array([[5.0], [2.0]]), "CR2")
    np.testing.assert_allclose(out.ravel(), [0.0, 2.0], atol=EXACT)


@pytest.mark.parametrize(
    ("kind", "clusters", "k", "words"),
    [
        ("CR9", 2, 1, "did you mean 'CR"),
        ("CR1", 1, 1, "two clusters"),
        ("CR1", 2, 4, "4 rows cannot carry 4"),
    ],
)
def test_bad_input(kind: str, clusters: int, k: int, words: str) -> None:
    counts = Counts(n_obs=4, n_clusters=clusters, k_nested=k, k_all=k)
    codes = np.array([0, 0, 1, 1])
    with pytest.raises(DesignError, match=words):
        sandwich(np.ones((4, 1)), np.ones(4), np.full((4, 1), 0.5), codes, kind=kind, counts=counts)


def _frozen_clusters() -> list[tuple[str, str, str]]:
    """Without CR1 (another factor there) and weighted CR2 (weights there are not inverse variances)."""
    path = Path(__file__).parent / "reference" / "clusters.csv"
    rows = pd.read_csv(path)[["panel", "estimator", "options"]].drop_duplicates()
    other = rows["options"].str.contains("vcov=CR1;|vcov=CR2;.*weights")
    return [tuple(row) for row in rows[~other].itertuples(index=False)]


@pytest.mark.parametrize(("panel", "estimator", "options"), _frozen_clusters())
def test_clubsandwich_with_clusters_of_units_and_of_regions(panel: str, estimator: str, options: str) -> None:
    """R clubSandwich and dense matrices in numpy, on the panels of tests/oracles."""
    rows = pd.read_csv(Path(__file__).parent / "reference" / "clusters.csv")
    rows = rows[(rows["panel"] == panel) & (rows["estimator"] == estimator) & (rows["options"] == options)]
    asked = dict(part.split("=") for part in options.split(";"))
    design = Design(
        panels.PANELS[panel](),
        outcome="y",
        unit="unit",
        time="time",
        cohort="cohort",
        weights=asked.get("weights"),
        cluster=asked["cluster"],
    )
    fit = {"twfe": twfe, "event_study": event_study}[estimator](design, inference=asked["vcov"])
    ours = fit.tidy().set_index("term")
    df = dict(zip(ours.index, fit.vcov.df, strict=True))
    for row in rows.itertuples():
        name = row.term.removeprefix("df:").replace("event:", "e=").replace("att", "treated")
        if row.term.startswith("df:"):
            if asked["vcov"] == "CR2":
                assert df[name] == pytest.approx(row.estimate, rel=1e-6)
        else:
            assert ours.loc[name, "estimate"] == pytest.approx(row.estimate, abs=ORACLE)
            assert ours.loc[name, "std_error"] == pytest.approx(row.std_error, rel=1e-7)


def test_factors_are_written_out() -> None:
    counts = Counts(n_obs=12, n_clusters=4, k_nested=2, k_all=4)
    assert factor_of("HC1", counts) == (1.5, "HC1 = 12/8 = 1.5000")
    assert factor_of("CR1", counts) == (4 / 3 * 11 / 10, "CR1 = 4/3 · 11/10 = 1.4667")
    assert factor_of("iid", counts) == (1.0, "iid: s² = e'e/8")
    assert factor_of("CR2", counts) == (1.0, "CR2 = 1")
