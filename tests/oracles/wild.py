"""Wild cluster bootstrap of the two-way fixed-effects model, clusters: units.

wildboottest, pyfixest (which calls it) and numpy, where every draw is refitted with the signs or weights that
wildboottest takes from the seed: p-values can be compared exactly.
Terms: ``p:att`` the package's p-value; ``t:att`` t with the package's factor; ``t0:att`` without it (CR0).
With every vector of signs (``reps=all``): ``above:att`` = number of vectors with ``|t*| > |t|``, ``tied:att``
= with ``|t*| = |t|`` but for rounding, ``critical:att`` = the 95% quantile of ``|t*|`` without factor (the
smallest value that 95% of vectors do not exceed).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, treated

REPS = 9_999
BLOCK = 1_000
SAME = 1e-9
"""Relative: statistics of the same vector of signs, computed in two ways."""

LEVEL = 0.95
ESTIMATORS = ("twfe", "event_study")
NONE = float("nan")


def prepared(panel: str, estimator: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """The panel, and the column of every term: ``d``, or a dummy for every event time but -1."""
    data = treated(PANELS[panel]())
    if estimator == "twfe":
        return data, {"att": "d"}
    event = (data["time"] - data["cohort"]).where(data["cohort"] > 0)
    terms = {}
    for e in sorted(int(v) for v in event.dropna().unique()):
        if e != -1:
            terms[f"event:{e}"] = f"event_{'m' if e < 0 else ''}{abs(e)}"
            data[terms[f"event:{e}"]] = (event == e).astype(int)
    return data, terms


def columns(data: pd.DataFrame, names: list[str], *, within: bool) -> tuple[pd.Series, pd.DataFrame]:
    """Outcome and regressors with year dummies; ``within`` takes unit means out, otherwise units get dummies.

    Units are the clusters and all rows of a unit get the same sign, so unit means can be taken out before a
    draw as well as after it: both give the same t statistics, but for the count of parameters in a factor.
    """
    years = pd.get_dummies(data["time"], prefix="time", dtype=float).iloc[:, 1:]
    x = pd.concat([data[names].astype(float), years], axis=1)
    if not within:
        return data["y"], pd.concat([x, pd.get_dummies(data["unit"], prefix="unit", dtype=float)], axis=1)
    both = pd.concat([data["y"], x], axis=1)
    both -= both.groupby(data["unit"]).transform("mean")
    return both["y"], both.drop(columns="y")


def counted(term: str, t: float, draws: np.ndarray) -> Iterator[tuple[str, float, float]]:
    """What is said of every vector of signs; statistics without factor."""
    sizes = np.sort(np.abs(draws))
    tied = np.isclose(sizes, abs(t), rtol=SAME, atol=0)
    yield f"above:{term}", int(((sizes > abs(t)) & ~tied).sum()), NONE
    yield f"tied:{term}", int(tied.sum()), NONE
    yield f"critical:{term}", sizes[int(np.ceil(LEVEL * len(sizes))) - 1], NONE


def by_wildboottest(panel: str, estimator: str, weights: str, null: bool, seed: int | None) -> Answer:
    """On columns without unit means where units are many: with dummies a call takes minutes."""
    import statsmodels.api as sm
    from wildboottest.wildboottest import wildboottest

    data, terms = prepared(panel, estimator)
    y, x = columns(data, list(terms.values()), within=seed is not None)
    asked = {"B": REPS, "weights_type": weights, "impose_null": null, "seed": seed, "show": False}
    for term, name in terms.items():
        model, clusters = sm.OLS(y, x), data["unit"].to_numpy()
        plain = {"adj": False, "cluster_adj": False} if seed else {}
        found = wildboottest(model, cluster=clusters, param=name, **asked, **plain).iloc[0]
        yield f"p:{term}", found["p-value"], NONE
        yield f"{'t0' if seed else 't'}:{term}", found["statistic"], NONE


def by_pyfixest(panel: str, estimator: str, weights: str, null: bool, seed: int | None) -> Answer:
    """With unit dummies, as pyfixest makes them; event times of many units on columns without unit means."""
    import pyfixest as pf

    data, terms = prepared(panel, estimator)
    right = " + ".join(terms.values())
    within = seed is not None and estimator == "event_study"
    if within:
        y, x = columns(data, list(terms.values()), within=True)
        data = pd.concat([data["unit"], y, x], axis=1)
        right = " + ".join([*x, "0"])
    fit = pf.feols(f"y ~ {right}{'' if within else ' | unit + time'}", data, vcov={"CRV1": "unit"})
    asked = {"reps": REPS, "weights_type": weights, "impose_null": null, "seed": seed}
    for term, name in terms.items():
        found, draws = fit.wildboottest(param=name, return_bootstrapped_t_stats=True, **asked)
        factor = float(np.sqrt(found["ssc"]))
        yield f"p:{term}", found["Pr(>|t|)"], NONE
        yield f"t0:{term}", found["t value"] * factor, NONE
        if not within:
            yield f"t:{term}", found["t value"], NONE
        if seed is None:
            yield from counted(term, found["t value"] * factor, draws * factor)


def by_hand(panel: str, estimator: str, weights: str, null: bool, seed: int | None) -> Answer:
    """Every draw is an outcome of its own: fitted values and residuals times weights, and a whole refit."""
    data, terms = prepared(panel, estimator)
    y, x = (table.to_numpy() for table in columns(data, list(terms.values()), within=seed is not None))
    code, n_clusters = data["unit"].factorize()[0], data["unit"].nunique()
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    v = drawn(weights, n_clusters, seed)
    solve = np.linalg.inv(x.T @ x) @ x.T
    for j, term in enumerate(terms):

        def statistic(outcome: np.ndarray, centre: float, j: int = j) -> np.ndarray:
            b = solve @ outcome
            score = np.add.reduceat(solve[j][:, None] * (outcome - x @ b), starts, axis=0)
            return (b[j] - centre) / np.sqrt((score**2).sum(axis=0))

        kept = np.arange(x.shape[1]) != j if null else np.ones(x.shape[1], dtype=bool)
        fitted = x[:, kept] @ np.linalg.lstsq(x[:, kept], y, rcond=None)[0]
        centre = 0.0 if null else float(solve[j] @ y)
        left = (y - fitted)[:, None]
        parts = [
            statistic(fitted[:, None] + left * v[code, i : i + BLOCK], centre)
            for i in range(0, v.shape[1], BLOCK)
        ]
        t, draws = float(statistic(y[:, None], 0.0)[0]), np.concatenate(parts)
        yield f"t0:{term}", t, NONE
        if seed is None:
            n, k = x.shape
            yield f"t:{term}", t / np.sqrt((n - 1) / (n - k) * n_clusters / (n_clusters - 1)), NONE
            yield from counted(term, t, draws)
        else:
            yield f"p:{term}", np.mean(np.abs(draws) > abs(t)), NONE


def drawn(weights: str, n_clusters: int, seed: int | None) -> np.ndarray:
    """Clusters by draws, in the order in which wildboottest draws them."""
    if seed is None:
        return np.array(list(product([-1.0, 1.0], repeat=n_clusters))).T
    rng, golden = np.random.default_rng(seed), np.sqrt(5)
    values, share = {
        "rademacher": (np.array([-1.0, 1.0]), None),
        "webb": (np.sqrt([1.5, 1, 0.5, 0.5, 1, 1.5]) * [-1, -1, -1, 1, 1, 1], None),
        "mammen": (np.array([1 - golden, 1 + golden]) / 2, np.array([golden + 1, golden - 1]) / (2 * golden)),
    }[weights]
    return rng.choice(values, size=n_clusters * REPS, p=share).reshape(n_clusters, REPS)


ASK = {"wildboottest": by_wildboottest, "pyfixest": by_pyfixest, "numpy": by_hand}


def main() -> None:
    r = Recorder("wild")

    def ask(packages: tuple[str, ...], panel: str, estimator: str, weights: str, seed: int | None) -> None:
        for null in (True, False):
            options = described(
                null="imposed" if null else "free", weights=weights, reps=REPS if seed else "all", seed=seed
            )
            for package in packages:
                asked = (panel, estimator, weights, null, seed)
                r.run(package, panel, estimator, options, lambda p=package, a=asked: ASK[p](*a))

    everybody = ("pyfixest", "wildboottest", "numpy")
    for estimator in ESTIMATORS:
        for panel in ("small", "alone"):
            ask(everybody, panel, estimator, "rademacher", None)
        ask(everybody, "mpdta", estimator, "rademacher", 1)
        for weights, seed in (("rademacher", 2), ("webb", 1), ("mammen", 1)):
            ask(everybody[1:], "mpdta", estimator, weights, seed)
    r.save()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
