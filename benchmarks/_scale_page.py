"""Write docs/scale.md from the rows that `benchmarks/scale.py` measured (docs/scale.csv)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from _scale_growth import FLOOR_MB, GROWN, Growth, beyond, growth, quicker_from, reach, upper

MINUTE, MEMORY = 60.0, 8 * 1024.0
"""What a machine may spend: seconds and megabytes."""

COSTS = {"processor_seconds": (0.0, MINUTE), "megabytes": (FLOOR_MB, MEMORY)}
"""Smallest cost that is told from nothing, and the limit."""

NAMES = {
    "permutation": "permutation (`event_study`)",
    "wild": "wild bootstrap (`event_study`)",
    "multiplier": "multiplier bootstrap (`group_time`)",
    "refits": "permutation by refits (`group_time`)",
    "curve": "specification curve",
    "curve_test": "its permutation test, 999 re-assignments",
}

WAYS, CORES = ("here", "pool", "dask"), 2
"""Ways to compute, and the cores of the comparison: as many as workers."""

THREADED = ("permutation", "wild")
"""What the calling process computes in a thread per core."""

INTRO = """# Scale

How time and memory grow with the panel, the draws and the specifications; what one machine holds; where the
Dask executor takes over; and a study of a hundred times the size. Panels are made up and balanced, by default
150 units in 8 years with three cohorts, a sixth of the units adopting: about the study's size.

Written by `make scale` from a run of {date}: {cores} cores, {memory} GiB of memory, {versions},
one thread of linear algebra. {load} The numbers are in [scale.csv](scale.csv).

Every measurement is a process of its own. Seconds are **processor time** of the process, the least of up to
three warm calls, because other jobs disturb the clock more; where the clock is meant it says so. An estimate
goes from a table to `tidy()` and `overall` with the estimator's usual errors: what draws add is measured by
itself. Memory is the peak of resident memory above that of the process before the panel was made, so that the
table is in it.
"""

GROWTH = f"""## Growth

Cost grows as *size to the power of the exponent*: the slope of log cost on log size, with its standard error.
It is fitted to the upper sizes, which cost at least {GROWN:.0f} times the smallest (memory: at least
{GROWN * FLOOR_MB:.0f} MB); the column *from* gives the first of them. Below it the constant rules: the steps
of Python and pandas that every call takes. *Constant* means that no size costs that much, *few* that one or
two do, and then nothing is fitted. An error tells how straight the line of a few sizes is, and no more; where
the slope still rises with the size, the exponent is too small.
"""

WHY = """### Why it grows as it does

- Rows are summed up by unit and by cohort, once: time and memory go with the number of units.
- Years and cohorts make numbers to estimate: event times, or cells of a cohort and a year. Regressions
  (`event_study`, `sun_abraham`, `extended_twfe`) decompose a matrix with a row and a column for each, which
  costs the cube of their number; `group_time` has the covariance of every pair of cells, from a table of
  years by cells, which comes to the same. Their number grows with years and, but for event times, with
  cohorts.
- `twfe`, `imputation` and `two_stage` decompose a matrix of years by years alone.
- `synthetic_did` solves two problems of weights for each cohort, whose tables have years and controls.
- A block of a thousand draws is held at once, whatever their number, so that memory grows with units; with
  draws only their statistics grow. Re-assignments of many units look up a table that no longer fits the
  caches, and so take longer than their number says. A refit is an estimate of its own.
"""

HOLDS = """## What one machine holds

The largest panel whose estimate takes a minute of one core and 8 GiB: **carried on** from the largest size
measured with the fitted exponents, not run. The largest panels of the tables above, five million rows, were
run with all estimators.

An estimate whose largest table of numbers has more than 2 GiB is refused with the size that it needs,
whatever the machine holds (`clsimpact._room`), so that the numbers carried on may lie beyond what is let
through. Many cohorts in many years meet that limit before many units do.
"""

CHECK = """
A check: {checked:,.0f} units in 8 years ({rows:,.0f} rows, four times the largest fitted) were run, and the
carried-on line is compared with what they took.
"""

DASK = """## Where the Dask executor takes over

The same work in this process, by a pool of two processes, and by two local Dask workers of one thread;
workers are warm, and of two rounds the one with fewer processor seconds counts. Other jobs that want the
cores lengthen the seconds by the clock, and those of one process more than those of three. So the comparison
is of **what two free cores would take at best**, computed from processor seconds: those of the calling
process, and half of those of its two workers. In this process blocks of draws are computed in a thread per
core, and count half; refits and curves are computed in one thread. Seconds by the clock, as measured, stand
beside. Dask's housekeeping (heartbeats, its profiler) runs by the clock, so that the longer a busy machine
takes, the more of it is counted: that speaks against Dask here.

On two cores nothing can be quicker than two busy threads, or more than twice as quick as one. What Dask
brings is more machines: the same call, and the same bits, with `Client("address").get_executor()`.
"""

HUNDRED = """## A hundred times the study

15,000 units in 8 years, 2,500 of them adopters, and, for the last row, a hundred times 999 draws on a panel
of the study's size. Each step runs in this process and by two local Dask workers, in a process of its own
each. Memory is the peak of the whole process, libraries included, and of the larger worker so far. The curve
has 64 specifications (two outcomes, two samples, eight readings of the dates, `event_study` and
`imputation`); its test is of those by `event_study`, as re-assignment of the others takes refits in a panel
of this size.
"""


def number(value: float, digits: int = 2) -> str:
    """Write a number with so many figures that count, and thousands apart."""
    if not np.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{round(value, digits - 1 - int(np.floor(np.log10(abs(value))))):,.{places}f}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Lay a table out; all columns but the first are numbers."""
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def name_of(what: str) -> str:
    return NAMES.get(what, f"`{what}`")


def series(found: pd.DataFrame, what: str, dimension: str) -> pd.DataFrame:
    """Return the measurements of one series, by size."""
    rows = found[(found["part"] == "growth") & (found["what"] == what) & (found["dimension"] == dimension)]
    return rows.sort_values("size")


def fit(rows: pd.DataFrame, cost: str) -> Growth | None:
    return growth(rows["size"].tolist(), rows[cost].tolist(), COSTS[cost][0])


# --- growth -------------------------------------------------------------------------------------------


def grown(rows: pd.DataFrame, cost: str) -> tuple[str, str]:
    """Say how a cost grows, and from which size on."""
    found = fit(rows, cost)
    if found is None:
        return "few" if upper(rows[cost], COSTS[cost][0]).any() else "constant", "–"
    return f"{found.exponent:.2f} ± {found.error:.2f}", f"{found.start:,.0f}"


def growth_table(found: pd.DataFrame, dimension: str, whats: Iterable[str]) -> str:
    head = [dimension, "smallest", "s", "largest", "s", "MB", "time grows as", "from", "memory", "from"]
    lines = []
    for what in whats:
        rows = series(found, what, dimension)
        if len(rows):
            first, last = rows.iloc[0], rows.iloc[-1]
            cost = [number(last["processor_seconds"]), f"{last['megabytes']:,.0f}"]
            small = [f"{first['size']:,.0f}", number(first["processor_seconds"]), f"{last['size']:,.0f}"]
            both = [part for name in COSTS for part in grown(rows, name)]
            lines.append([name_of(what), *small, *cost, *both])
    return table(head, lines)


def growth_part(found: pd.DataFrame, estimators: list[str], others: list[str]) -> str:
    rows = found[found["part"] == "growth"]
    cohorts = rows[(rows["dimension"] == "cohorts")].iloc[0]
    setting = (
        f"{cohorts['units']:.0f} units, {cohorts['years']:.0f} years, {cohorts['adopters']:.0f} adopters"
    )
    return "\n".join(
        [
            GROWTH,
            "### Units (8 years, 3 cohorts)\n",
            growth_table(found, "units", estimators),
            "### Years (150 units, 3 cohorts)\n",
            growth_table(found, "years", estimators),
            f"### Cohorts ({setting})\n\nEight years do not hold many cohorts. A series ends after a call of "
            "more than 12 seconds.\n",
            growth_table(found, "cohorts", estimators),
            "### Draws (150 units, 8 years)\n",
            growth_table(found, "draws", others),
            "### Units under draws (999 of them; 20 refits)\n",
            growth_table(found, "units", others),
            "### Specifications (150 units, 8 years)\n",
            growth_table(found, "specifications", others),
            WHY,
        ]
    )


# --- what one machine holds ---------------------------------------------------------------------------


def reaches(rows: pd.DataFrame) -> list[float]:
    """Return the sizes at which time and memory meet their limits; infinite where they do not grow."""
    sizes, out = rows["size"].tolist(), []
    for cost, (_, limit) in COSTS.items():
        found = fit(rows, cost)
        out.append(np.inf if found is None else reach(sizes, rows[cost].tolist(), found, limit))
    return out


def held(found: pd.DataFrame, what: str, dimension: str) -> list[str]:
    """Say at which size a minute and 8 GiB are reached, and which comes first."""
    rows = series(found, what, dimension)
    if rows.empty:
        return ["–"] * 3
    at = reaches(rows)
    return [*map(number, at), f"**{number(min(at))}**" if np.isfinite(min(at)) else "–"]


def checks(found: pd.DataFrame, what: str) -> list[str]:
    """Compare the carried-on line with a run."""
    runs = found[(found["part"] == "check") & (found["what"] == what)]
    if runs.empty:
        return ["–"] * 4
    run = runs.iloc[0]
    rows, out = series(found, what, "units"), []
    for cost in COSTS:
        line = fit(rows, cost)
        values = rows[cost].tolist()
        said = np.nan if line is None else beyond(rows["size"].tolist(), values, line, run["size"])
        out += [number(said), number(run[cost])]
    return out


def holds_part(found: pd.DataFrame, estimators: list[str], others: list[str]) -> str:
    checked = found.loc[found["part"] == "check", "size"].max()
    head = ["units in 8 years", "in a minute", "in 8 GiB", "in both", "check: s carried on", "s run"]
    lines = [[name_of(e), *held(found, e, "units"), *checks(found, e)] for e in estimators]
    years = [[name_of(e), *held(found, e, "years")] for e in estimators]
    draws = [[name_of(o), *held(found, o, "draws")] for o in others if len(series(found, o, "draws"))]
    short = ["in a minute", "in 8 GiB", "in both"]
    return "\n".join(
        [
            HOLDS + ("" if np.isnan(checked) else CHECK.format(checked=checked, rows=checked * 8)),
            table([*head, "MB carried on", "MB run"], lines),
            "Years that 150 units may have, and draws of a panel of the study's size, carried on likewise:\n",
            table(["years of 150 units", *short], years),
            table(["draws", *short], draws),
        ]
    )


# --- executors ----------------------------------------------------------------------------------------


def at_best(rows: pd.DataFrame) -> pd.Series:
    """Return seconds that free cores would take: half of what workers, or threads of draws, compute."""
    here = rows["executor"].eq("here")
    own = rows["processor_seconds"] / np.where(here & rows["what"].isin(THREADED), CORES, 1)
    return own + np.where(here, 0.0, rows["workers_seconds"] / CORES)


def takes_over(wide: pd.DataFrame, start: pd.Series, what: str) -> str:
    """Say from which size on Dask is quicker, warm and with the start of its workers."""
    mine = wide.loc[what]
    sizes, dask = mine.index.tolist(), mine["dask"]
    unit = "specifications" if what == "curve" else "draws"

    def said(size: float | None) -> str:
        return f"not up to {sizes[-1]:,.0f} {unit}" if size is None else f"from {size:,.0f} {unit} on"

    here = said(quicker_from(sizes, dask, mine["here"]))
    cold = said(quicker_from(sizes, dask + start["dask"], mine["here"]))
    pool = said(quicker_from(sizes, dask, mine["pool"]))
    most = float((mine["here"] / dask).max())
    return (
        f"- {name_of(what)}: Dask is quicker than this process {here} (with the start of its workers "
        f"{cold}), than the pool {pool}; at best {most:.1f} times as quick as this process."
    )


def dask_part(found: pd.DataFrame) -> str:
    rows = found[found["part"] == "executor"].copy()
    rows["best"] = at_best(rows)
    index = ["what", "size"]
    wide = rows.pivot_table(index=index, columns="executor", values="best", sort=False)
    clock = rows.pivot_table(index=index, columns="executor", values="seconds", sort=False)
    first = found[found["part"] == "start"]
    start = at_best(first).set_axis(first["executor"])
    lines = []
    for what, size in wide.index:
        best, took = wide.loc[(what, size)], clock.loc[(what, size)]
        numbers = [number(best[way]) for way in WAYS] + [f"{best['here'] / best['dask']:.2f}"]
        lines.append([name_of(what), f"{size:,.0f}", *numbers, *(number(took[way]) for way in WAYS)])
    head = ["", "draws or specifications", "this process, s", "pool", "Dask", "process / Dask"]
    head += ["by the clock: this process", "pool", "Dask"]
    said = [takes_over(wide, start, what) for what in rows["what"].drop_duplicates()]
    return "\n".join(
        [
            DASK,
            f"To start workers and do their first job takes {start['pool']:.1f} s more than a later job\n"
            f"by the pool (forked, with the library in memory) and {start['dask']:.1f} s by Dask (new\n"
            "processes, which import it), likewise at best.\n",
            "\n".join(said) + "\n",
            table(head, lines),
        ]
    )


# --- a hundred times ----------------------------------------------------------------------------------


def hundred_part(found: pd.DataFrame) -> str:
    rows = found[found["part"] == "hundred"]
    here, dask = (rows[rows["executor"] == way].set_index("what") for way in ("here", "dask"))
    head = ["step", "this process: s by the clock", "processor s", "peak MB", "Dask: s by the clock"]
    head += ["processor s", "of workers", "peak MB", "of a worker", "same bits"]
    lines = []
    for what, one in here.iterrows():
        two = dask.loc[what]
        times = [number(one["seconds"]), number(one["processor_seconds"]), f"{one['megabytes']:,.0f}"]
        times += [number(two[key]) for key in ("seconds", "processor_seconds", "workers_seconds")]
        times += [f"{two['megabytes']:,.0f}", f"{two['workers_megabytes']:,.0f}"]
        lines.append([str(what), *times, "yes" if one["bits"] == two["bits"] else "**NO**"])
    same = (here["bits"] == dask.loc[here.index, "bits"]).all()
    said = (
        "The results of both ways are equal to the last bit."
        if same
        else "The results of the two ways differ where it says so."
    )
    return "\n".join([HUNDRED, table(head, lines), said + "\n"])


def load(found: pd.DataFrame) -> str:
    """Say how many processes wanted a processor at the time."""
    known = found["load"].dropna()
    if known.empty:
        return "How busy the machine was is not known."
    return f"Load of the machine, other jobs included: {known.min():.0f} to {known.max():.0f}."


def page(found: pd.DataFrame) -> str:
    """Put the page together."""
    rows = found[found["part"] == "growth"]
    whats = rows["what"].drop_duplicates().tolist()
    estimators, others = [w for w in whats if w not in NAMES], [w for w in whats if w in NAMES]
    one = found.iloc[-1]
    intro = INTRO.format(
        date=found["date"].max(),
        cores=one["cores"],
        memory=one["memory_gib"],
        versions=one["versions"],
        load=load(found),
    )
    parts = [intro, growth_part(found, estimators, others), holds_part(found, estimators, others)]
    measured = set(found["part"])
    parts += [dask_part(found)] if "executor" in measured else []
    parts += [hundred_part(found)] if "hundred" in measured else []
    return "\n".join(parts)
