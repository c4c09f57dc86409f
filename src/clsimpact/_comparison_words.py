"""What estimators side by side have in common, and where they answer different questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clsimpact import _check
from clsimpact._comparison_entries import CONTROLS, Difference, Entry, differ, joined, times
from clsimpact._explain import effects
from clsimpact._saved_parts import SavedDesign
from clsimpact.errors import list_some

if TYPE_CHECKING:
    from clsimpact.design import Design

__all__ = ["Difference", "Entry", "differences", "joined", "times"]


def differences(entries: Sequence[Entry]) -> tuple[Difference, ...]:
    """Return where the estimates answer different questions, in the order of importance."""
    found = [*_samples(entries), *_questions(entries), *_horizons(entries), *_intervals(entries)]
    return tuple(difference for difference in found if difference is not None)


def _samples(entries: Sequence[Entry]) -> list[Difference | None]:
    designs = [entry.fit.design for entry in entries]
    if all(design is designs[0] for design in designs):
        return []
    saved = [entry.label for entry in entries if isinstance(entry.fit.design, SavedDesign)]
    word = _check.unit_word(designs[0])
    rows = [
        f"{design.n_obs} rows, {_check.plural(len(design.units), word)}, {_check.period_words(design)}"
        for design in designs
    ]
    then = "" if saved else _missing(entries)
    found = [differ(entries, rows, "sample", "samples", "The samples differ", then)]
    found += _unseen(entries, saved) if saved else _in_data(entries, same=found[0] is None)
    given = {"weights": "unweighted", "covariates": "none"}
    for key, nothing in given.items():
        said = [_listed(getattr(design, key)) or nothing for design in designs]
        found.append(
            differ(
                entries,
                said,
                key,
                key,
                f"The {key} of the rows differ".replace("covariates of the rows", "covariates"),
            )
        )
    ahead = [str(design.anticipation) for design in designs]
    found.append(differ(entries, ahead, "anticipation", "anticipation", "Periods of anticipation differ"))
    return found


def _unseen(entries: Sequence[Entry], saved: Sequence[str]) -> list[Difference | None]:
    """Compare what saved estimates say of their samples, and say what cannot be seen."""
    sizes = [entry.fit.design.cohort_sizes.items() for entry in entries]
    said = [", ".join(f"{cohort}: {n}" for cohort, n in each) for each in sizes]
    text = (
        f"Saved estimates hold no data ({', '.join(saved)}): whether units, dates and values are the same "
        "cannot be seen."
    )
    head = "The treated units by cohort differ"
    return [
        differ(entries, said, "cohorts", "treated units by cohort", head),
        Difference("data", "", text),
    ]


def _in_data(entries: Sequence[Entry], *, same: bool) -> list[Difference | None]:
    """Compare units, periods, values, first treated periods and weights, row by row."""
    keys = [_keys(entry.fit.design) for entry in entries]
    found: list[Difference | None] = [_values(entries, keys), _cohorts(entries), _masses(entries, keys)]
    if same and any(not key.index.equals(keys[0].index) for key in keys[1:]):
        text = f"The samples are of one size and differ. {_missing(entries)}"
        found.insert(0, Difference("sample", "samples", text.strip()))
    return found


def _listed(value: object) -> str:
    return ", ".join(str(v) for v in value) if isinstance(value, tuple) else str(value or "")


def _keys(design: Design) -> pd.Series[float]:
    units = np.array(design.units, dtype=object)[design.unit_codes]
    index = pd.MultiIndex.from_arrays([units, design.times])
    return pd.Series(design.y, index=index)


def _missing(entries: Sequence[Entry]) -> str:
    """Say which units and periods each sample lacks that another has."""
    units = {unit: entry.fit.design for entry in reversed(entries) for unit in entry.fit.design.units}
    periods = sorted({t for entry in entries for t in entry.fit.design.periods})
    out = []
    for entry in entries:
        own, mine = set(entry.fit.design.units), entry.fit.design.periods
        gone = [design.unit_names[design.units.index(u)] for u, design in units.items() if u not in own]
        late = [t for t in periods if t not in mine]
        word = _check.plural(len(gone), _check.unit_word(entry.fit.design))
        parts = [f"{word} ({list_some(sorted(gone), 6)})"] if gone else []
        parts += [f"{'period' if len(late) == 1 else 'periods'} {list_some(late)}"] if late else []
        out += [f"{entry.label} is without {' and '.join(parts)}."] if parts else []
    return " ".join(out)


def _values(entries: Sequence[Entry], keys: Sequence[pd.Series[float]]) -> Difference | None:
    first, out = keys[0], []
    for entry, other in zip(entries[1:], keys[1:], strict=True):
        both = pd.concat([first, other], axis=1, join="inner").to_numpy()
        changed = int((both[:, 0] != both[:, 1]).sum())
        out += [f"{_check.plural(changed, 'row')} of {entry.label}"] if changed else []
    if not out:
        return None
    text = f"The outcome is not the same number in {'; '.join(out)} and in {entries[0].label}."
    return Difference("outcome", "values of the outcome", text)


def _cohorts(entries: Sequence[Entry]) -> Difference | None:
    """Say where the same unit is first treated in another period."""
    first, out = _starts(entries[0].fit.design), []
    for entry in entries[1:]:
        other, design = _starts(entry.fit.design), entry.fit.design
        moved = [
            design.unit_names[i] for i, u in enumerate(design.units) if first.get(u, other[u]) != other[u]
        ]
        word = _check.plural(len(moved), _check.unit_word(design))
        out += [f"{word} of {entry.label} ({list_some(sorted(moved), 6)})"] if moved else []
    if not out:
        return None
    text = f"The first treated period is not the same in {'; '.join(out)} and in {entries[0].label}."
    return Difference("cohorts", "first treated periods", text)


def _starts(design: Design) -> dict[object, float]:
    """Return the first treated period of each unit; infinite without one in the panel."""
    return dict(zip(design.units, np.where(design.in_window, design.unit_cohorts, np.inf), strict=True))


def _masses(entries: Sequence[Entry], keys: Sequence[pd.Series[float]]) -> Difference | None:
    """Say where weights of one name are not the same numbers."""
    names = {entry.fit.design.weights for entry in entries}
    if len(names) > 1 or names == {None}:
        return None
    held = [pd.Series(e.fit.design.w, index=key.index) for e, key in zip(entries, keys, strict=True)]
    found = _values(entries, held)
    if found is None:
        return None
    return Difference("weights", "weights", found.text.replace("The outcome is", "The weight is", 1))


def _questions(entries: Sequence[Entry]) -> list[Difference | None]:
    controls = [CONTROLS.get(entry.control, "") for entry in entries]
    already = [entry.label for entry in entries if entry.control == "already"]
    staggered = len(entries[0].fit.design.cohort_sizes) > 1
    then = (
        f"Where effects differ, comparisons with units already treated bias {', '.join(already)}."
        if already and staggered
        else "They rest on different parallel trends."
    )
    same = "aggregate('simple') or aggregate('dynamic') of each puts them on one footing."
    weighing = [entry.weighing if entry.overall["identified"].iloc[0] else "" for entry in entries]
    return [
        differ(entries, controls, "control", "comparison groups", "The comparison groups differ", then),
        differ(
            entries,
            weighing,
            "overall",
            "weights of the overall effect",
            "The overall effects weigh differently",
            same,
        ),
    ]


def _horizons(entries: Sequence[Entry]) -> list[Difference | None]:
    held = [entry for entry in entries if entry.path is not None]
    if not held:
        return []
    after = [times([e for e in entry.identified if e >= 0]) for entry in held]
    before = [times([e for e in entry.identified if e < 0]) for entry in held]
    bases = [times(entry.references) if entry.references else "" for entry in held]
    found = [
        differ(held, after, "horizon", "event times after adoption", "The event times after adoption differ"),
        differ(
            held,
            before,
            "leads shown",
            "event times before adoption",
            "The event times before adoption differ",
        ),
        differ(held, bases, "reference", "reference periods", "The reference event times differ"),
        _pooled(held),
        differ(
            held,
            [entry.leads for entry in held],
            "leads",
            "the meaning of the estimates before adoption",
            "Estimates before adoption are not the same quantity",
            "Do not compare their size.",
        ),
    ]
    return [*found, _treated(held)]


def _pooled(held: Sequence[Entry]) -> Difference | None:
    """Say where several cohorts behind one event time do not weigh alike."""
    if all(len(entry.fit.design.cohort_sizes) < 2 for entry in held):
        return None
    how, head = [entry.pooling for entry in held], "Within an event time cohorts weigh differently"
    return differ(held, how, "pooling", "weights of cohorts within an event time", head)


def _treated(held: Sequence[Entry]) -> Difference | None:
    """Say where estimates of one event time stand on different numbers of treated units."""
    counts: dict[int, dict[str, list[str]]] = {}
    for entry in held:
        good = entry.rows[entry.rows["identified"] & entry.rows["n_units"].notna()]
        for e, n in zip(good["event_time"], good["n_units"], strict=True):
            counts.setdefault(int(e), {}).setdefault(str(int(n)), []).append(entry.label)
    apart = {e: groups for e, groups in sorted(counts.items()) if len(groups) > 1}
    if not apart:
        return None
    words = [
        f"event time {e}: {joined(groups, whole=sum(map(len, groups.values())) == len(held))}"
        for e, groups in apart.items()
    ]
    text = f"Different numbers of treated units stand behind {'. And '.join(words[:2])}."
    if len(words) > 2:
        text += f" Likewise at event time {times(list(apart)[2:])}."
    return Difference("treated units", "treated units behind an event time", text)


def _intervals(entries: Sequence[Entry]) -> list[Difference | None]:
    kinds = [entry.fit.method for entry in entries]
    levels = [f"{100 * entry.fit.level:.4g}%" for entry in entries]
    clusters = [entry.fit.design.cluster for entry in entries]
    single = [entry.label for entry in entries if len(effects(entry.fit)) == 1 and entry.path is None]
    found = [
        differ(entries, kinds, "covariance", "kinds of covariance", "The covariances differ"),
        differ(entries, levels, "level", "levels of confidence", "The levels of the intervals differ"),
        differ(entries, clusters, "clusters", "clusters", "The clusters differ"),
    ]
    if single and len(single) < len(entries):
        text = f"{', '.join(single)}: one effect only, no path by event time."
        found.append(Difference("path", "", text))
    return found
