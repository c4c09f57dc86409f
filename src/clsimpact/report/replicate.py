"""Rebuild every number: from the committed panel to figures, tables and the ledger."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact._check import kind_label, number
from clsimpact._version import __version__
from clsimpact.attribution import condense
from clsimpact.claims import CLAIMS, Claim, Judgement
from clsimpact.errors import DesignError
from clsimpact.gather import Gathered, gather_returns
from clsimpact.loaders.reconcile import check
from clsimpact.outcomes import OUTCOMES, Outcome
from clsimpact.panel import build_panel, load_panel
from clsimpact.plots.event_study import EventStudyFigure, event_study_figure
from clsimpact.plots.trends import trends_figure
from clsimpact.publications import name_missing
from clsimpact.report.credibility import spending_checks, write_checks
from clsimpact.report.effects import find_effect, fit_outcome
from clsimpact.report.ledger import Entry, Ledger, as_records
from clsimpact.report.secondary import held_years, not_estimable, secondary_table
from clsimpact.report.sensitivity import sensitivity_table
from clsimpact.results import Estimate
from clsimpact.store import processed_folder, write_bytes, write_csv
from clsimpact.treatment import adoption_table, load_adoption, tag_adoption
from clsimpact.years import spans, year_label

__all__ = ["replicate"]

Progress = Callable[[str, int, int], None]

MARGIN_SHARE: Final = 0.05
"""The margin of C4 and C5: a share of the outcome's mean among comparison councils. The study states none."""
_SPENDING: Final = "gce_per_adult"
_ONE_ADOPTER: Final = Judgement(
    "inconclusive", "there is one adopter, whose own variation cannot be told from an effect"
)
_INFERENCE: Final = (
    "chosen by the number of adopters from measured sizes (auto): with 3 to 50, studentised permutation of "
    "adoption among councils, 9,999 re-assignments, seed 0"
)


def replicate(
    out: str | os.PathLike[str] = "outputs",
    *,
    raw: str | os.PathLike[str] | None = None,
    margin_share: float = MARGIN_SHARE,
    progress: Progress | None = None,
) -> Ledger:
    """Estimate what the data allow for each claim and outcome, and write figures, tables and the ledger.

    Parameters
    ----------
    out
        Folder to write to: ``figures/*.svg`` and ``.png``, ``tables/*.csv``, ``ledger.md``, ``ledger.json``,
        ``how-this-could-be-wrong.md``, ``checks.json`` and ``checks/*.svg`` and ``.png``.
    raw
        Folder of further publications (``clsimpact fetch``). Those that can be read join the committed
        figures; the ledger names them, and those that cannot. Without it, or without any there, the committed
        panel is used.
    margin_share
        The margin below which a rise in spending counts as none, as a share of the mean among comparison
        councils.
    progress
        Called before each step with its name, its number and the number of steps.

    Returns
    -------
    Ledger
        One entry per claim and outcome. The same inputs give the same bytes.

    Raises
    ------
    DesignError
        If the spending panel cannot be estimated at all.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = replicate(folder)
    >>> [entry.claim for entry in ledger.entries if entry.verdict != "not estimable"]
    ['C4', 'C5']
    """
    Path(out).mkdir(parents=True, exist_ok=True)
    report = _Steps(progress)
    report("load the panel and tag adopters")
    gathered = None if raw is None else gather_returns(raw)
    panel = build_panel(gathered.returns) if gathered and gathered.read else load_panel()
    tagged = tag_adoption(panel, load_adoption())
    report("check that the figures agree with each other")
    checks = check(strict=True)
    fits = {_SPENDING: fit_outcome(tagged, _SPENDING)}
    entries: list[Entry] = []
    for claim in CLAIMS.values():
        report(f"{claim.id}: {claim.statement[0].lower()}{claim.statement[1:]}")
        entries += [_judge(claim, OUTCOMES[name], tagged, fits, margin_share) for name in claim.outcomes]
    report("vary the choices behind the spending estimate")
    sensitivity = sensitivity_table()
    secondary = secondary_table(tagged)
    report("draw the figures")
    figures = {
        "spending_event_study": _event_study(fits[_SPENDING]),
        "spending_trends": trends_figure(tagged, _SPENDING),
    }
    files = [*_write_figures(Path(out), figures)]
    report("check what the spending estimate rests on")
    found = spending_checks(fits[_SPENDING], panel, tagged, margin_share)
    files += [*write_checks(found, Path(out))]
    report("write the tables and the ledger")
    tables = {
        "claims": pd.DataFrame(as_records(entries)),
        "spending_event_study": fits[_SPENDING].tidy(),
        "spending_sensitivity": sensitivity,
        "secondary_outcomes": secondary,
        "adoption": adoption_table(tagged),
        "coverage": _coverage(tagged),
        "reconciliation": checks,
    }
    files += _write_tables(Path(out), tables)
    choices = _choices(tagged, margin_share) | _further_words(gathered)
    ledger = _ledger(entries, tagged, choices, files, sensitivity, secondary, figures)
    write_bytes(Path(out) / "ledger.md", ledger.to_markdown().encode())
    write_bytes(Path(out) / "ledger.json", ledger.to_json().encode())
    return ledger


def _ledger(
    entries: list[Entry],
    tagged: pd.DataFrame,
    choices: dict[str, str],
    files: list[str],
    sensitivity: pd.DataFrame,
    secondary: pd.DataFrame,
    figures: Mapping[str, EventStudyFigure],
) -> Ledger:
    return Ledger(
        entries=tuple(entries),
        made_by=f"clsimpact {__version__}",
        inputs=_inputs(),
        choices=choices,
        files=tuple(files),
        attribution=condense(tagged.attrs["attribution"]),
        sensitivity=_records(sensitivity),
        secondary=_records(secondary),
        figures={f"figures/{name}.svg": figure.alt_text for name, figure in figures.items()},
    )


def _further_words(gathered: Gathered | None) -> dict[str, str]:
    """Name the further publications behind the figures, and those that could not be read."""
    if gathered is None or not (gathered.read or gathered.problems):
        return {}
    checked = "read beside the committed figures; adapters checked against the documented layout only"
    words = {f"publication {source.id}": checked for source in gathered.read}
    return words | {f"not read ({number})": text for number, text in enumerate(gathered.problems, start=1)}


class _Steps:
    """Tell a listener which step begins."""

    def __init__(self, listener: Progress | None) -> None:
        self.listener, self.done, self.total = listener, 0, 6 + len(CLAIMS)

    def __call__(self, words: str) -> None:
        self.done += 1
        if self.listener is not None:
            self.listener(words, self.done, self.total)


def _judge(
    claim: Claim, outcome: Outcome, tagged: pd.DataFrame, fits: dict[str, Estimate], margin_share: float
) -> Entry:
    """Judge one claim by one outcome."""
    years = held_years(tagged, outcome.name)
    lacking = [int(year) for year in sorted(tagged["year"].unique()) if year not in years]
    common: dict[str, Any] = {
        "claim": claim.id,
        "statement": claim.statement,
        "outcome": outcome.name,
        "label": outcome.label,
        "unit": outcome.unit,
        "years_held": spans(years) or "none",
        "missing": name_missing(outcome.publication, lacking),
        "published_value": "-10 percentage points" if claim.id == "C3" else "",
    }
    reason = not_estimable(tagged, outcome.name)
    if reason:
        return Entry(**common, verdict="not estimable", rule=reason)
    try:
        if outcome.name not in fits:
            fits[outcome.name] = fit_outcome(tagged, outcome.name)
        fit = fits[outcome.name]
        finding, window = find_effect(fit, claim)
    except DesignError as error:
        return Entry(**common, verdict="not estimable", rule=error.summary)
    margin = margin_share * float(tagged.loc[tagged["adoption_year"].isna(), outcome.name].mean())
    judgement = claim.judge(finding, margin) if fit.design.n_treated > 1 else _ONE_ADOPTER
    return Entry(
        **common,
        verdict=judgement.verdict,
        rule=judgement.rule,
        estimate=finding.estimate,
        conf_low=finding.low,
        conf_high=finding.high,
        level=0.95,
        estimator=f"event study (two-way fixed effects), {window}",
        inference=fit.why,
        sample=f"{len(fit.design.units)} councils, {fit.design.n_treated} of them adopters, "
        f"{fit.design.n_obs} rows",
        caveat=_caveat(fit),
    )


def _caveat(fit: Estimate) -> str:
    sizes = ", ".join(f"{n} in {year_label(cohort)}" for cohort, n in fit.design.cohort_sizes.items())
    return (
        f"{fit.design.n_treated} adopters with usable dates ({sizes}); the list of adopters is incomplete, "
        "so some comparison councils may have adopted, which most likely pulls the estimate towards zero; "
        "2020-21 and 2021-22 are years of COVID-19, and 2021-22 is divided by mid-2020 populations as the "
        "publisher does; two-way fixed effects mixes cohorts if their effects differ"
    )


def _event_study(fit: Estimate) -> EventStudyFigure:
    periods = ", ".join(year_label(int(year)) for year in fit.design.periods)
    subtitle = (
        "Gross current expenditure, £ per resident aged 18 and over, 2021-22 prices: difference from the "
        "last year with figures before adoption, net of "
        f"{fit.design.n_never} comparison councils in England. Years with figures: {periods}. "
        f"Bars: 95% intervals ({kind_label(fit.method)})."
    )
    row = fit.average().iloc[0]
    title = _spending_title(*(float(row[key]) for key in ("estimate", "conf_low", "conf_high")))
    return event_study_figure(fit, title=title, subtitle=subtitle)


def _spending_title(estimate: float, low: float, high: float) -> str:
    """State the average effect after adoption: its size if the interval excludes zero, else the interval.

    Examples
    --------
    >>> _spending_title(17.8, -22.4, 58.1)
    'Spending per adult after adoption: average effect between £22 lower and £58 higher'
    >>> _spending_title(-30.2, -41.0, -19.4)
    'Spending per adult fell by £30 on average after adoption (95% interval £19 to £41)'
    """
    if low > 0 or high < 0:
        near, far = sorted((abs(low), abs(high)))
        return (
            f"Spending per adult {'rose' if low > 0 else 'fell'} by {_pounds(estimate)} on average "
            f"after adoption (95% interval {_pounds(near)} to {_pounds(far)})"
        )
    ends = f"between {_pounds(low)} lower and {_pounds(high)} higher"
    return f"Spending per adult after adoption: average effect {ends}"


def _pounds(value: float) -> str:
    size = abs(value)
    return f"£{size:,.0f}" if size >= 10 else f"£{number(float(f'{size:.2g}'))}"


def _write_figures(folder: Path, figures: Mapping[str, EventStudyFigure]) -> Iterator[str]:
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        for suffix in ("svg", "png"):
            figure.save(folder / "figures" / f"{name}.{suffix}")
            yield f"figures/{name}.{suffix}"
        write_bytes(folder / "figures" / f"{name}.txt", f"{figure.alt_text}\n".encode())
        write_csv(figure.data, folder / "figures" / f"{name}.csv")
        yield from (f"figures/{name}.txt", f"figures/{name}.csv")


def _write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    for name, table in tables.items():
        write_csv(table, folder / "tables" / f"{name}.csv")
        yield f"tables/{name}.csv"


def _records(table: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    """Return rows as plain records, with ``None`` where a number is missing."""
    columns = [str(name) for name in table.columns]
    rows = zip(*(table[name].tolist() for name in columns), strict=True)
    return tuple(
        {name: None if pd.isna(x) else x for name, x in zip(columns, row, strict=True)} for row in rows
    )


def _coverage(tagged: pd.DataFrame) -> pd.DataFrame:
    """Count the areas of each outcome, year and status."""
    tables = []
    for name in OUTCOMES:
        counts = tagged.groupby(["year", f"{name}_status"]).size().rename("areas").reset_index()
        tables.append(counts.set_axis(["year", "status", "areas"], axis=1).assign(outcome=name))
    return pd.concat(tables, ignore_index=True)[["outcome", "year", "status", "areas"]]


def _inputs() -> dict[str, str]:
    folder = processed_folder()
    names = ("panel.parquet", "adoption.parquet", "returns.parquet")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def _choices(tagged: pd.DataFrame, margin_share: float) -> dict[str, str]:
    record = tagged.attrs["adoption"]
    left = ", ".join(f"{name} ({why})" for name, why in record["left_out"].items())
    return {
        "adoption": ", ".join(f"{name} = {choice}" for name, choice in record["choices"].items()),
        "left out": left,
        "boundaries": str(tagged.attrs["boundaries"]),
        "margin": f"{margin_share:.0%} of the outcome's mean among comparison councils "
        "(ours; the study states none)",
        "inference": _INFERENCE,
        "caution": str(record["caution"]),
    }
