"""What a study works on: the panel, who adopted, and the returns behind them.

They are read once, and can be kept in a folder for other processes and for a run that is taken up again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from clsimpact._input import is_made_up
from clsimpact._shared import shared
from clsimpact.design import Design
from clsimpact.dictionary import column_facts
from clsimpact.errors import PanelError
from clsimpact.panel import load_panel
from clsimpact.rebuild import load_returns
from clsimpact.report._own_panel import read_own_panel, require_columns
from clsimpact.report.study import NAMED, Study, StudyOutcome
from clsimpact.simulate.truth import Truth
from clsimpact.store import processed_folder, read_table, write_bytes, write_parquet
from clsimpact.treatment import load_adoption, tag_adoption

__all__ = ["StudyData", "digest", "keep", "load_study_data", "made_up_data"]

_COMMITTED: Final = ("panel.parquet", "adoption.parquet", "returns.parquet")
_KEPT: Final = ("panel.parquet", "attributes.json", "adoption.csv", "effects.csv", "returns.parquet")


@dataclass(frozen=True, eq=False)
class StudyData:
    """What a study works on.

    Attributes
    ----------
    study
        What is asked.
    panel
        All units, those included that are left out of the comparison.
    tagged
        The panel with the cohort of each unit (missing: never), as it is estimated.
    adoption
        The list of adopters; ``None`` where the panel brings its cohorts.
    kept
        Folder with ``panel.parquet``, ``adoption.csv``, ``returns.parquet`` and ``effects.csv`` where the
        data are not those that come with the library.
    inputs
        What was read to its SHA-256.
    truth
        The effects that were put in, of made-up data that were never written.
    """

    study: Study
    panel: pd.DataFrame
    tagged: pd.DataFrame
    adoption: pd.DataFrame | None
    kept: Path | None
    inputs: Mapping[str, str]
    truth: pd.DataFrame | None = None

    @property
    def simulated(self) -> bool:
        """Whether the data are made up."""
        return bool(is_made_up(self.panel))

    @functools.cached_property
    def returns(self) -> pd.DataFrame | None:
        """The returns behind the panel; ``None`` for a panel of the user's own."""
        if self.kept is not None and (self.kept / "returns.parquet").is_file():
            return read_table(self.kept / "returns.parquet", categories=True)
        return load_returns() if self.study.data["panel"] == "official" else None

    @functools.cached_property
    def effects(self) -> pd.DataFrame | None:
        """The truth that was put in, of made-up data."""
        if self.truth is not None:
            return self.truth
        where = None if self.kept is None else self.kept / "effects.csv"
        return pd.read_csv(where) if where is not None and where.is_file() else None

    def design(self, outcome: str) -> Design:
        """Return the design of an outcome.

        Raises
        ------
        DesignError
            If the panel cannot carry it.
        """
        roles, known = self.study.data, self.outcome(outcome)
        names = roles.get("names")
        return Design(
            self.tagged,
            outcome=outcome,
            unit=roles["unit"],
            time=roles["time"],
            cohort=roles["cohort"],
            names=names if names in self.tagged else None,
            always_treated="keep" if self.study.always_treated == "keep" else "drop",
            outcome_label=known.label or None,
            outcome_unit=known.unit or None,
            source=roles.get("source"),
        )

    def outcome(self, name: str) -> StudyOutcome:
        """Return an outcome of the study, or one that only a claim speaks of."""
        for known in self.study.outcomes:
            if known.name == name:
                return known
        facts = column_facts().get(name)
        label, unit = (name, "") if facts is None else (facts.label, facts.unit)
        share = "the share of " if unit.startswith("proportion") else ""
        return StudyOutcome(name, f"{share}{label[0].lower()}{label[1:]}", label, unit)

    def outcomes(self) -> tuple[StudyOutcome, ...]:
        """Return the outcomes of the study, then those that only claims speak of."""
        claimed = [name for claim in self.study.claims.values() for name in claim.outcomes]
        names = dict.fromkeys([*(it.name for it in self.study.outcomes), *claimed])
        return tuple(self.outcome(name) for name in names)

    def unit_of(self, name: str) -> str:
        """Return the unit of an outcome: of the study, of the panel, or none."""
        known = self.outcome(name).unit
        return known or str(dict(self.panel.attrs.get("columns", {})).get(name, {}).get("unit", ""))

    def label_of(self, name: str) -> str:
        """Return the label of an outcome, for figures and tables."""
        known = self.outcome(name)
        return known.label or str(
            dict(self.panel.attrs.get("columns", {})).get(name, {}).get("label", known.words)
        )


def load_study_data(study: Study, kept: Path | None = None) -> StudyData:
    """Read what a study works on.

    Parameters
    ----------
    study
        What is asked.
    kept
        Folder that :func:`keep` wrote to; without it the data that the study names.

    Returns
    -------
    StudyData

    Raises
    ------
    PanelError, AdoptionError
        If the panel or the list of adopters cannot be used; the message says what is lacking.
    """
    truth = None
    if kept is not None:
        panel, adoption, inputs = _kept(kept)
    elif study.data["panel"] == "simulated" and study.data.get("adoption") == "simulated":
        panel, adoption, truth = _made_up(study, 1, None)
        inputs = {}
    else:
        panel, adoption, inputs = _named(study)
    return _tagged(study, panel, adoption, kept, inputs, truth)


def _tagged(
    study: Study,
    panel: pd.DataFrame,
    adoption: pd.DataFrame | None,
    kept: Path | None,
    inputs: Mapping[str, str],
    truth: pd.DataFrame | None,
) -> StudyData:
    """Check a panel, tag its adopters, and keep the periods of the study: later adopters stay in it."""
    require_columns(panel, study, tagged=adoption is None)
    if adoption is not None:
        how: Any = dict(study.adoption)
        tagged = tag_adoption(panel, adoption, **how)
    else:
        cohort = study.data["cohort"]
        never = panel[cohort].isna() | panel[cohort].isin([0, math.inf])
        tagged = panel.assign(**{cohort: panel[cohort].mask(never)})
        tagged.attrs = panel.attrs
    panel, tagged = (_in_window(table, study) for table in (panel, tagged))
    return StudyData(study, panel, tagged, adoption, kept, inputs, truth)


def made_up_data(study: Study, seed: int, truth: Truth | None = None) -> StudyData:
    """Make a panel up and tag its adopters, in memory, for a study of councils.

    Parameters
    ----------
    study
        Its panel and its list of adopters are replaced by the made-up ones.
    seed, truth
        As in :func:`clsimpact.simulate.simulate`.

    Returns
    -------
    StudyData
        With the effects that were put in.

    Raises
    ------
    PanelError
        If the study is of columns that the panel does not have.

    Examples
    --------
    >>> from clsimpact.report.study import default_study
    >>> made_up_data(default_study(), 1).simulated
    True
    """
    study = replace(study, data={**study.data, "panel": "simulated", "adoption": "simulated"})
    panel, adoption, effects = _made_up(study, seed, truth)
    return _tagged(study, panel, adoption, None, {}, effects)


def _made_up(study: Study, seed: int, truth: Truth | None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return a made-up panel, its adopters and the effects that were put in."""
    from clsimpact.simulate.memory import simulated_panel
    from clsimpact.simulate.world import simulate_world

    world = simulate_world(seed, truth=truth)
    boundaries = study.data.get("boundaries", "constant")
    return simulated_panel(seed, truth=truth, boundaries=boundaries), world.adoption(), world.effects()


def keep(
    folder: Path,
    panel: pd.DataFrame,
    adoption: pd.DataFrame | None,
    returns: pd.DataFrame | None,
    effects: pd.DataFrame | None = None,
) -> Path:
    """Write what a study works on to a folder, for other processes and for a run that is taken up again.

    Parameters
    ----------
    folder
        It is made if need be; what it held of an earlier run is replaced.
    panel, adoption
        As in :class:`StudyData`; the attributes of the panel are kept too, as far as JSON can say them.
    returns
        The returns behind the panel, if there are any.
    effects
        The truth that was put in, of made-up data.

    Returns
    -------
    pathlib.Path
        The folder.

    Examples
    --------
    >>> import tempfile
    >>> from clsimpact.datasets import load_mpdta
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     sorted(path.name for path in keep(Path(scratch), load_mpdta(), None, None).iterdir())
    ['attributes.json', 'panel.parquet']
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _KEPT:
        (folder / name).unlink(missing_ok=True)
    bare = panel.copy(deep=False)
    bare.attrs = {}
    write_parquet(bare, folder / "panel.parquet")
    words = json.dumps(dict(panel.attrs), ensure_ascii=False, sort_keys=True, default=str)
    write_bytes(folder / "attributes.json", words.encode())
    for name, table in (("adoption", adoption), ("effects", effects)):
        if table is not None:
            write_bytes(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n").encode())
    if returns is not None:
        held = returns.copy(deep=False)
        held.attrs = {}
        write_parquet(held, folder / "returns.parquet")
    return folder


def _kept(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame | None, dict[str, str]]:
    if not (folder / "panel.parquet").is_file():
        raise PanelError(f"There is no panel in {folder}.", repair="Write one with keep(), or run again.")
    panel = read_table(folder / "panel.parquet")
    words = json.loads((folder / "attributes.json").read_text(encoding="utf-8"))
    panel.attrs = words | {name: shared(words[name]) for name in ("sources", "columns") if name in words}
    adoption = load_adoption(folder / "adoption.csv") if (folder / "adoption.csv").is_file() else None
    return panel, adoption, {name: digest(folder / name) for name in _KEPT if (folder / name).is_file()}


def _named(study: Study) -> tuple[pd.DataFrame, pd.DataFrame | None, dict[str, str]]:
    """Read the panel and the adopters that the study names."""
    where, of = str(study.data["panel"]), study.data.get("adoption")
    inputs: dict[str, str] = {}
    if where in NAMED:
        panel = load_panel(where, boundaries=study.data.get("boundaries", "constant"))
        if where == "official":
            inputs = {name: digest(processed_folder() / name) for name in _COMMITTED}
    else:
        panel = read_own_panel(study.folder / where, study)
        inputs[Path(where).name] = digest(study.folder / where)
    if of is None:
        return panel, None, inputs
    if of == "official":
        inputs.setdefault("adoption.parquet", digest(processed_folder() / "adoption.parquet"))
        return panel, load_adoption(), inputs
    if of == "simulated":
        raise PanelError(
            "The made-up list of adopters goes with the made-up panel.",
            repair="Set panel = 'simulated' in [data] too, or use 'clsimpact demo'.",
        )
    adoption = load_adoption(study.folder / of)
    name = Path(of).name
    inputs[str(of) if name in inputs else name] = digest(study.folder / of)
    return panel, adoption, inputs


def _in_window(panel: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Keep the periods of the study, if it names any."""
    years = study.data.get("years")
    if years is None:
        return panel
    kept: pd.DataFrame = panel.loc[panel[study.data["time"]].between(years[0], years[1])]
    if kept.empty:
        raise PanelError(
            f"The panel has no rows from {years[0]} to {years[1]}.", repair="Correct years in [data]."
        )
    kept.attrs = panel.attrs
    return kept


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
