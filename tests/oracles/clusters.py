"""CR0 to CR3 and Satterthwaite's degrees of freedom of the two-way fixed-effects model.

R's clubSandwich (``clusters.R``) and the formulas of Pustejovsky and Tipton (2018) with dense matrices in
numpy.
Terms ``df:...`` hold degrees of freedom in the column ``estimate``.
"""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from tests.oracles.panels import PANELS
from tests.oracles.record import Answer, Recorder, described, treated

HERE = Path(__file__).resolve().parent
RANK = 1e-9
"""Eigenvalues below this share of the largest are zero: a cluster's own dummies leave them at 1e-15."""

TYPES = ("CR0", "CR1", "CR2", "CR3")


def prepared(panel: str) -> pd.DataFrame:
    """With ``d`` and a dummy ``event_m2`` or ``event_3`` for every event time but -1."""
    data = treated(PANELS[panel]())
    event = (data["time"] - data["cohort"]).where(data["cohort"] > 0)
    for e in sorted(int(v) for v in event.dropna().unique()):
        if e != -1:
            data[f"event_{'m' if e < 0 else ''}{abs(e)}"] = (event == e).astype(int)
    return data


def term(name: str) -> str:
    return "att" if name == "d" else "event:" + name.removeprefix("event_").replace("m", "-")


@cache
def answers_of_r() -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        for panel in ("balanced", "missing"):
            prepared(panel).to_csv(Path(folder) / f"{panel}.csv", index=False)
        subprocess.run(["Rscript", str(HERE / "clusters.R"), folder], check=True, capture_output=True)
        return pd.read_csv(Path(folder) / "answers.csv", keep_default_na=False)


def by_club_sandwich(panel: str, estimator: str, weights: str, cluster: str, kind: str) -> Answer:
    table = answers_of_r()
    asked = {"panel": panel, "estimator": estimator, "weights": weights, "cluster": cluster, "type": kind}
    for column, value in asked.items():
        table = table[table[column] == value]
    rows = [(term(r["name"]), r["estimate"], r["se"]) for _, r in table.iterrows()]
    return rows + [(f"df:{term(r['name'])}", r["df"], float("nan")) for _, r in table.iterrows()]


def by_hand(panel: str, estimator: str, weights: str, cluster: str, kind: str) -> Answer:
    """Working model: independent errors of equal variance, weighted or not (as clubSandwich has it)."""
    data = prepared(panel)
    names = ["d"] if estimator == "twfe" else [c for c in data if str(c).startswith("event_")]
    x = np.column_stack(
        [
            data[names].to_numpy(float),
            pd.get_dummies(data["unit"]).to_numpy(float),
            pd.get_dummies(data["time"]).to_numpy(float)[:, 1:],
        ]
    )
    w = data[weights].to_numpy(float) if weights else np.ones(len(data))
    y, groups = data["y"].to_numpy(float), data.groupby(cluster).indices
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    beta = bread @ (x.T @ (w * y))
    residual = y - x @ beta
    hat = x @ bread @ (x.T * w)
    n, g = len(y), len(groups)
    scale = g / (g - 1) if kind == "CR1" else 1.0
    lead, parts = len(names), []
    left = np.eye(n) - hat
    for rows in groups.values():
        a = _adjustment(left[rows], rows, kind)
        parts.append((rows, (bread[:lead] @ (x[rows].T * w[rows])) @ a))
    scores = np.column_stack([e @ residual[rows] for rows, e in parts])
    se = np.sqrt(scale * (scores**2).sum(axis=1))
    out = [(term(name), beta[i], se[i]) for i, name in enumerate(names)]
    for i, name in enumerate(names):
        p = np.column_stack([left[rows].T @ e[i] for rows, e in parts])
        gram = p.T @ p
        out.append((f"df:{term(name)}", np.trace(gram) ** 2 / (gram**2).sum(), float("nan")))
    return out


def _adjustment(left: np.ndarray, rows: np.ndarray, kind: str) -> np.ndarray:
    """What residuals of a cluster are multiplied by; ``left`` holds its rows of I - H."""
    if kind == "CR3":
        return np.linalg.pinv(left[:, rows])
    if kind != "CR2":
        return np.eye(len(rows))
    value, vector = np.linalg.eigh(left @ left.T)
    large = value > RANK * value.max()
    inverse = np.where(large, 1 / np.sqrt(np.where(large, value, 1.0)), 0.0)
    return (vector * inverse) @ vector.T


def main() -> None:
    r = Recorder("clusters")
    for panel in ("balanced", "missing"):
        for estimator in ("twfe", "event_study"):
            for weights in ("", "w"):
                for cluster in ("unit", "region"):
                    for kind in TYPES:
                        asked = (panel, estimator, weights, cluster, kind)
                        options = described(vcov=kind, cluster=cluster, weights=weights or None)
                        if kind == "CR3" and weights:
                            continue
                        r.run("numpy", panel, estimator, options, lambda a=asked: by_hand(*a))
                        found = answers_of_r()["version"].iloc[0]
                        r.run(
                            "clubSandwich",
                            panel,
                            estimator,
                            options,
                            lambda a=asked: by_club_sandwich(*a),
                            found=found,
                        )
    r.save()


if __name__ == "__main__":
    main()
