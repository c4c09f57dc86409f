"""The whole study on made-up returns, whose truth is known: estimate against truth, claim by claim."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from clsimpact.claims import CLAIMS
from clsimpact.outcomes import OUTCOMES
from clsimpact.panel import build_panel
from clsimpact.plots.event_study import EventStudyFigure, event_study_figure
from clsimpact.plots.style import PALETTE, TEXT_SIZE
from clsimpact.rebuild import SIMULATED_YEARS, load_returns
from clsimpact.report.effects import find_effect, fit_outcome
from clsimpact.report.replicate import MARGIN_SHARE
from clsimpact.results import Estimate
from clsimpact.simulate.publish import MARK, simulate
from clsimpact.simulate.truth import Truth
from clsimpact.store import write_bytes, write_csv
from clsimpact.treatment import load_adoption, tag_adoption

__all__ = ["DEMO_OUTCOMES", "Demonstration", "compare_with_truth", "demonstrate"]

DEMO_OUTCOMES: Final[Mapping[str, str]] = {
    "signposted": "C1",
    "planned_share": "C2",
    "funded_mid": "C3",
    "gce_per_adult": "C4",
}
"""The four outcomes of the study, each with the claim that it speaks to."""


_DIGITS: Final = 12
"""A truth is a mean of decimal fractions: beyond this there is only rounding of binary numbers."""


@dataclass(frozen=True)
class Demonstration:
    """Estimates beside the truth that was put in.

    Attributes
    ----------
    path
        One row per outcome and event time: ``outcome, event_time, truth, estimate, std_error, conf_low,
        conf_high, n_units, identified, inside`` (whether the 95% interval holds the truth).
    claims
        One row per claim and outcome: the window's average, its interval, the truth of that average, the
        verdict and its rule.
    files
        What was written, below the folder.
    """

    path: pd.DataFrame
    claims: pd.DataFrame
    files: tuple[str, ...] = ()


def demonstrate(
    out: str | os.PathLike[str] = "outputs/demo",
    *,
    seed: int = 1,
    truth: Truth | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Demonstration:
    """Make publications up, read them with the ordinary loaders, and estimate what was put in.

    Parameters
    ----------
    out
        Folder to write to: ``publications/`` (the made-up files), tables, figures and ``SIMULATED demo.md``.
    seed, truth
        As in :func:`clsimpact.simulate.simulate`.
    progress
        Called before each step with its name, its number and the number of steps.

    Returns
    -------
    Demonstration
        Estimates beside the truth. The same seed and truth give the same bytes.

    Raises
    ------
    SourceError
        If the folder cannot be written, or holds other files.
    DesignError
        If the truth leaves too few adopters to estimate.

    Examples
    --------
    It takes about a minute; without files, use :func:`compare_with_truth`.

    >>> found = demonstrate("outputs/demo", seed=1)  # doctest: +SKIP
    >>> found.claims[["claim", "outcome", "truth", "estimate", "inside"]]  # doctest: +SKIP
    """
    folder = Path(out)
    tell = progress or (lambda *_: None)
    made = simulate(folder / "publications", seed=seed, truth=truth, rows="study", progress=progress)
    returns = load_returns(made.folder, progress=progress)
    tell("build the panel and estimate", 1, 1)
    panel = build_panel(returns, years=SIMULATED_YEARS)
    tagged = tag_adoption(panel, load_adoption(made.folder / f"{MARK} adoption.csv"))
    found, fits = compare_with_truth(tagged, made.world.effects())
    files = _write(folder, found, fits, seed)
    return Demonstration(found.path, found.claims, files)


def compare_with_truth(
    tagged: pd.DataFrame, effects: pd.DataFrame
) -> tuple[Demonstration, dict[str, Estimate]]:
    """Estimate the four outcomes on a tagged panel and put the truth beside them.

    Parameters
    ----------
    tagged
        A simulated panel from :func:`clsimpact.tag_adoption`.
    effects
        The truth: columns ``outcome, ons_code, event_time, year, effect, kind``.

    Returns
    -------
    Demonstration
        Without files.
    dict
        Outcome to its event study.

    Examples
    --------
    >>> import clsimpact as ci
    >>> from clsimpact.simulate.world import simulate_world
    >>> world = simulate_world(1)
    >>> tagged = ci.tag_adoption(ci.simulated_panel(1), world.adoption())
    >>> found, _ = compare_with_truth(tagged, world.effects())
    >>> found.claims.loc[found.claims["claim"] == "C3", "verdict"].tolist()
    ['consistent']
    """
    fits = {name: fit_outcome(tagged, name) for name in DEMO_OUTCOMES}
    paths = [_path(name, fit, effects) for name, fit in fits.items()]
    rows = [
        _judged(claim, name, fits[name], path, tagged)
        for name, path in zip(fits, paths, strict=True)
        for claim in (DEMO_OUTCOMES[name], "C5")
    ]
    return Demonstration(pd.concat(paths, ignore_index=True), pd.DataFrame(rows)), fits


def _path(outcome: str, fit: Estimate, effects: pd.DataFrame) -> pd.DataFrame:
    """Return the estimated path with the true one, both relative to the reference period."""
    tidy = fit.tidy()
    tidy = tidy[tidy["event_time"].notna()].reset_index(drop=True)
    true = _truth(outcome, fit, effects)
    reference = float(true.get(-1, 0.0))
    times = tidy["event_time"].astype("int64")
    truth = np.round([true.get(time, 0.0) - reference for time in times], _DIGITS)
    inside = tidy["conf_low"].le(truth) & tidy["conf_high"].ge(truth)
    columns = ["event_time", "estimate", "std_error", "conf_low", "conf_high", "n_units", "identified"]
    path = tidy[columns].assign(
        outcome=outcome, truth=truth, inside=inside.where(tidy["std_error"].gt(0)).astype("boolean")
    )
    return path[["outcome", "event_time", "truth", *columns[1:], "inside"]]


def _truth(outcome: str, fit: Estimate, effects: pd.DataFrame) -> dict[int, float]:
    """Return the mean true effect at each event time over the adopters of the sample."""
    rows = effects[effects["outcome"].eq(outcome) & effects["ons_code"].isin(fit.design.units)]
    rows = rows[rows["year"].isin(fit.design.periods) & rows["kind"].eq("adopter")]
    means = rows.groupby("event_time")["effect"].mean()
    return dict(zip(means.index.astype("int64").tolist(), means.tolist(), strict=True))


def _judged(
    claim_id: str, outcome: str, fit: Estimate, path: pd.DataFrame, tagged: pd.DataFrame
) -> dict[str, object]:
    claim = CLAIMS[claim_id]
    finding, _ = find_effect(fit, claim)
    first, last = claim.window
    low = -np.inf if first is None else first
    inside = path[path["event_time"].between(low, np.inf if last is None else last) & path["identified"]]
    margin = MARGIN_SHARE * float(tagged.loc[tagged["adoption_year"].isna(), outcome].mean())
    judgement = claim.judge(finding, margin)
    truth = float(inside["truth"].mean())
    return {
        "claim": claim_id,
        "outcome": outcome,
        "label": OUTCOMES[outcome].label,
        "unit": OUTCOMES[outcome].unit,
        "truth": truth,
        "estimate": finding.estimate,
        "conf_low": finding.low,
        "conf_high": finding.high,
        "inside": bool(finding.low <= truth <= finding.high),
        "verdict": judgement.verdict,
        "rule": judgement.rule,
    }


def _write(folder: Path, found: Demonstration, fits: Mapping[str, Estimate], seed: int) -> tuple[str, ...]:
    names = []
    for name, fit in fits.items():
        figure = _figure(fit, found.path[found.path["outcome"] == name])
        target = folder / f"{MARK} {name}.png"
        figure.save(target)
        names.append(target.name)
    for name, table in (("path", found.path), ("claims", found.claims)):
        write_csv(table, folder / f"{MARK} {name}.csv")
        names.append(f"{MARK} {name}.csv")
    write_bytes(folder / f"{MARK} demo.md", _page(found, fits, seed).encode())
    return (*names, f"{MARK} demo.md")


def _figure(fit: Estimate, path: pd.DataFrame) -> EventStudyFigure:
    """Draw the event study with the truth that was put in."""
    figure = event_study_figure(fit)
    orange = PALETTE[3]
    figure.axes.plot(
        path["event_time"].to_numpy("float64"),
        path["truth"].to_numpy("float64"),
        marker="_",
        markersize=22,
        markeredgewidth=3,
        linestyle="none",
        color=orange,
        zorder=3.5,
        label="truth put in",
    )
    figure.axes.legend(loc="lower left", frameon=False, fontsize=TEXT_SIZE)
    return figure


def _page(found: Demonstration, fits: Mapping[str, Estimate], seed: int) -> str:
    lines = [
        "# SIMULATED: the study on made-up returns",
        "",
        f"Every figure here was made up (seed {seed}). Nothing is about any real council's care. The",
        "publications in `publications/` were written in the official layouts, read by the ordinary loaders,",
        "and estimated like real ones.",
        "",
        "| claim | outcome | truth | estimate | 95% interval | holds the truth | verdict |",
        "|---|---|---:|---:|---|---|---|",
    ]
    for row in found.claims.to_dict("records"):
        words = f"| {row['claim']} | {row['label']} ({row['unit']}) {_cells(row)}"
        lines.append(f"{words} | {row['verdict']} |")
    lines += ["", "| outcome | event time | truth | estimate | 95% interval | holds the truth |"]
    lines.append("|---|---:|---:|---:|---|---|")
    for row in found.path[found.path["inside"].notna()].to_dict("records"):
        lines.append(f"| {row['outcome']} | {row['event_time']} {_cells(row)} |")
    lines += ["", *(f"![SIMULATED: {fits[name].design.outcome_label}](<{MARK} {name}.png>)" for name in fits)]
    return "\n".join(lines) + "\n"


def _cells(row: Mapping[Hashable, Any]) -> str:
    """Return truth, estimate, interval and whether it holds the truth, as cells of a Markdown table."""
    interval = f"{row['conf_low']:.4g} to {row['conf_high']:.4g}"
    return f"| {row['truth']:.4g} | {row['estimate']:.4g} | {interval} | {'yes' if row['inside'] else 'no'}"
