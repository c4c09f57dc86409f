"""Write what tools/size.py measured as a page, a figure and the table that the library reads (make size)."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from size_panels import ADOPTERS, EFFECTS, ERRORS, WORDS
from size_shapes import HIGH, LOW, TOGETHER, large, shapes, small_table, span

from clsimpact import __version__
from clsimpact.plots.style import PALETTE, TEXT_SIZE, clean_axes

ROOT = Path(__file__).resolve().parents[1]
DARK_BLUE, BLUE, _, ORANGE, DARK_GREY, _ = PALETTE
KEYS = ["estimator", "method", "treated", "periods", "errors", "effects", "quantity"]


def table(found: pd.DataFrame, quantity: str, method: str) -> list[str]:
    """Rates by estimator and number of adopters: mean over cells, and least to greatest."""
    rows = found[(found["quantity"] == quantity) & (found["method"] == method)]
    lines = ["| estimator | " + " | ".join(f"{n} adopters" for n in ADOPTERS) + " |"]
    lines += ["|---|" + "---:|" * len(ADOPTERS)]
    for name in rows["estimator"].drop_duplicates():
        mine = rows[rows["estimator"] == name]
        cells = []
        for n in ADOPTERS:
            values = mine.loc[mine["treated"] == n, "rejected"]
            cells.append(f"{values.mean():.1f} ({span(values)})" if len(values) else "–")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return [*lines, ""]


def by_error(found: pd.DataFrame) -> list[str]:
    """Rates of auto by kind of error, over estimators."""
    rows = automatic(found)
    lines = ["| errors | effects | " + " | ".join(f"{n} adopters" for n in ADOPTERS) + " |"]
    lines += ["|---|---|" + "---:|" * len(ADOPTERS)]
    for errors in ERRORS:
        for effects in EFFECTS:
            mine = rows[(rows["errors"] == errors) & (rows["effects"] == effects)]
            cells = []
            for n in ADOPTERS:
                values = mine.loc[mine["treated"] == n, "rejected"]
                cells.append(f"{values.mean():.1f} ({span(values)})" if len(values) else "–")
            lines.append(f"| {WORDS[errors]} | {effects} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def automatic(found: pd.DataFrame) -> pd.DataFrame:
    """Rows of the method that auto chooses: permutation, and path errors for `synthetic_did`."""
    kept = found["estimator"] == "synthetic_did"
    chosen = np.where(kept, found["method"] == "path", found["method"] == "permutation")
    return found[chosen & (found["quantity"] == "overall")]


def others(found: pd.DataFrame) -> list[str]:
    """Rates of the usual errors, where they were measured."""
    rows = found[(found["quantity"] == "overall") & ~found["method"].isin(["permutation", "path"])]
    lines = ["| estimator | method | " + " | ".join(f"{n} adopters" for n in ADOPTERS) + " |"]
    lines += ["|---|---|" + "---:|" * len(ADOPTERS)]
    for (name, method), mine in rows.groupby(["estimator", "method"], sort=False):
        cells = [span(mine.loc[mine["treated"] == n, "rejected"]) or "–" for n in ADOPTERS]
        lines.append(f"| `{name}` | {method} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def joint_others(found: pd.DataFrame) -> list[str]:
    """Rates of joint tests and bands by other methods."""
    rows = found[found["quantity"].isin(TOGETHER) & ~found["method"].isin(["permutation", "path"])]
    lines = ["| `event_study`, other methods | " + " | ".join(f"{n} adopters" for n in ADOPTERS) + " |"]
    lines += ["|---|" + "---:|" * len(ADOPTERS)]
    names = {"CR1": "Wald, CR1, F", "CR2": "Wald, CR2, F", "wild": "Wald, wild bootstrap (WCR)"}
    names |= {"wild_unrestricted": "wild bootstrap, null not imposed (WCU)"}
    what = {"before": "terms before adoption", "after": "terms after adoption", "band": "bands"}
    for (method, quantity), mine in rows.groupby(["method", "quantity"], sort=False):
        cells = [span(mine.loc[mine["treated"] == n, "rejected"]) or "–" for n in ADOPTERS]
        lines.append(f"| {what[quantity]}: {names.get(method, method)} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def power(found: pd.DataFrame) -> list[str]:
    """Power of auto and of CR2 where both were measured."""
    lines = ["| estimator | effect | " + " | ".join(f"{n} adopters" for n in ADOPTERS) + " |"]
    lines += ["|---|---:|" + "---:|" * len(ADOPTERS)]
    plain = found[(found["errors"] == "ar_0.5") & (found["effects"] == "none") & (found["periods"] == 8)]
    kept = plain["estimator"] == "synthetic_did"
    plain = plain[np.where(kept, plain["method"] == "path", plain["method"] == "permutation")]
    for name in plain["estimator"].drop_duplicates():
        for shift in ("0.5", "1.0"):
            rows = plain[(plain["estimator"] == name) & (plain["quantity"] == f"power_{shift}")]
            cells = [f"{rows.loc[rows['treated'] == n, 'rejected'].mean():.0f}" for n in ADOPTERS]
            lines.append(f"| `{name}` | {shift} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def peers(path: Path) -> list[str]:
    """Rates of the defaults of other packages."""
    if not path.is_file():
        return ["Not measured in this run.", ""]
    rows = pd.read_csv(path)
    rows = rows[rows["panels"] > 0]
    lines = ["| program | what | " + " | ".join(f"{n} adopters" for n in ADOPTERS) + " |"]
    lines += ["|---|---|" + "---:|" * len(ADOPTERS)]
    for (program, name, quantity), mine in rows.groupby(["program", "estimator", "quantity"], sort=False):
        cells = [span(mine.loc[mine["treated"] == n, "rejected"]) or "–" for n in ADOPTERS]
        what = name if quantity == "overall" else f"{name}: joint test before adoption"
        version = mine["version"].iloc[0]
        lines.append(f"| {program} {version} | {what} | " + " | ".join(cells) + " |")
    least, most = rows["panels"].min(), rows["panels"].max()
    count = f"{least}" if least == most else f"{least} to {most}"
    return [*lines, "", f"{count} panels per cell; measured on {rows['date'].iloc[0]}.", ""]


def page(found: pd.DataFrame, folder: Path) -> str:
    """Write the page."""
    auto = automatic(found)
    held = auto[auto["treated"] >= 5]
    inside = held["rejected"].between(LOW, HIGH)
    joint = found[(found["method"] == "permutation") & found["quantity"].isin(TOGETHER)]
    joint = joint[joint["treated"] >= 5]
    fine = joint["rejected"].between(LOW, HIGH)
    hours = found.groupby(KEYS[2:6])["seconds"].first().sum() / 3600
    lines = [
        "# Measured size and power",
        "",
        "How often nominal 5% tests reject a true null, in per cent: one minus the coverage of 95% intervals. Panels of",
        "150 units and 7 or 8 years from 2016, adopters in cohorts 2018 to 2021 (three adopters: 2018 to 2020), no effect on",
        "average. Kinds of error: " + "; ".join(WORDS[name] for name in ERRORS) + ". Effects: ",
        "; ".join(WORDS[name] for name in EFFECTS) + ".",
        "",
        f"{len(found.groupby(KEYS[2:6]))} kinds of panel (a number of adopters, years, errors and effects), about "
        f"{hours:.1f} hours of a processor. Panels per cell, and the Monte Carlo error of a rate of 5 in points:",
        "",
        *panels_used(found),
        "",
        "Permutations have 399 draws here (9,999 by default). Seeds: `tools/size_panels.py`. Made by `make size` "
        f"(clsimpact {__version__}, Python {platform.python_version()}, numpy {np.__version__}); every cell is in",
        "[measured.csv](size/measured.csv). The file was put together by `tools/size_join.py` from several runs of `tools/size.py`,",
        "with the panels above." + not_measured(found),
        "",
        f'**Under `inference="auto"`, with 5, 10 and 25 adopters, {int(inside.sum())} of {len(held)} cells lie within 3.5 to 6.5**',
        f"(coverage 93.5% to 96.5%); the mean is {held['rejected'].mean():.2f}, the range {held['rejected'].min():.1f} to "
        f"{held['rejected'].max():.1f}. Of the {len(joint)} cells of joint tests and bands",
        f"(terms before adoption; terms after; all) {int(fine.sum())} do (mean {joint['rejected'].mean():.2f}, range {joint['rejected'].min():.1f} to "
        f"{joint['rejected'].max():.1f}). A cell whose true rate is 5.5 is above 6.5 in",
        f"{100 * tail(5.5, 2000):.1f}% of runs of 2,000 panels, and in {100 * tail(5.5, 1000):.1f}% of runs of 1,000.",
        "",
        "Cells farther outside than two Monte Carlo errors: "
        + outside(pd.concat([held[~inside], joint[~fine]]))
        + ". Means over kinds of error, years and effects,",
        f"by estimator and number of adopters: {means(held)} (overall), {means(joint)} (joint tests and bands).",
        "",
        "![Rejection of a true null by method and number of adopters](images/size.png)",
        "",
        "Mean over cells, in brackets least to greatest; bold where a cell lies outside 3.5 to 6.5.",
        "",
        "## Overall effect, studentised permutation (auto)",
        "",
        *table(found, "overall", "permutation"),
        "## Overall effect, path errors (auto for `synthetic_did` only)",
        "",
        *table(found, "overall", "path"),
        "## By kind of error (auto)",
        "",
        *by_error(found),
        "## Joint tests of the terms before adoption (balanced, by permutation)",
        "",
        *table(found, "before", "permutation"),
        *joint_others(found),
        "## Joint tests of the terms after adoption (balanced, by permutation)",
        "",
        *table(found, "after", "permutation"),
        "## Effects by cohort and period tested together (`group_time` as it is returned, by permutation)",
        "",
        "Balanced over 12 to 20 effects, 399 draws cannot tell the tails of so many apart, and the test is conservative.",
        "",
        *table(found, "cells", "permutation"),
        "## Single terms on two adopters (permutation)",
        "",
        "Such terms have an interval and enter no joint test.",
        "",
        *table(found, "pairs", "permutation"),
        "## Simultaneous bands over all terms (balanced): share of panels in which the true path leaves the band",
        "",
        *table(found, "band", "permutation"),
        "Terms that rest on fewer than three adopters are not in joint tests and bands. With three or four adopters `auto`",
        "tests the terms before adoption and refuses bands and other joint tests.",
        "",
        "## Usual errors and the wild bootstrap (8 years, no effects, AR(1) 0.5, adopters alike and twice as noisy)",
        "",
        *others(found),
        "## Power: rejection with an effect of half and of one standard deviation (AR(1) 0.5, 8 years)",
        "",
        *power(found),
        "## Panels of other shapes: few units, few to compare with, many adopters",
        "",
        *shapes(folder / "shapes.csv"),
        "## Large panels: the usual errors",
        "",
        *large(folder / "large.csv"),
        "## Defaults of other packages, on the same panels",
        "",
        *peers(folder / "peers.csv"),
    ]
    return "\n".join(lines).rstrip() + "\n"


def not_measured(found: pd.DataFrame) -> str:
    """Name the cells in which path errors of `synthetic_did` and joint tests after adoption are missing."""
    every = set(found[["periods", "errors", "effects"]].drop_duplicates().itertuples(index=False, name=None))
    what = {
        "`synthetic_did`": (found["estimator"] == "synthetic_did") & (found["method"] == "path"),
        "joint tests after adoption": found["quantity"].eq("after") & (found["method"] == "permutation"),
    }
    lost = []
    for name, mask in what.items():
        seen = found.loc[mask, ["periods", "errors", "effects"]].drop_duplicates()
        gone = sorted(every - set(seen.itertuples(index=False, name=None)))
        lost += [f"{name} with {p} years, {WORDS[e].split(',')[0]}, {WORDS[f]}" for p, e, f in gone]
    if len(lost) > 6:
        lost = [f"{name} in {sum(text.startswith(name) for text in lost)} of {len(every)} kinds" for name in what
                if any(text.startswith(name) for text in lost)]  # fmt: skip
    return f" Not measured: {'; '.join(lost)}." if lost else ""


def panels_used(found: pd.DataFrame) -> list[str]:
    """Panels per cell by method and years."""
    lines = ["| what | 7 years | 8 years |", "|---|---:|---:|"]
    synthetic = found["estimator"] == "synthetic_did"
    draws = found["method"].isin(["permutation", "path"]) & ~synthetic
    old = found["quantity"].isin(["overall", "before", "band"])
    few = found["treated"] == 3
    what = {
        "permutation, path errors: overall, before, bands; 5, 10, 25 adopters": draws & old & ~few,
        "the same; 3 adopters": draws & old & few,
        "permutation: after, cells, pairs": draws & found["quantity"].isin(["after", "cells", "pairs"]),
        "`synthetic_did`, path errors": synthetic & (found["method"] == "path"),
        "covariances, wild bootstrap, permutation of the coefficient": ~draws & ~synthetic,
    }
    for name, mask in what.items():
        cells = []
        for periods in (7, 8):
            sizes = found.loc[mask & (found["periods"] == periods), "panels"]
            text = "–" if sizes.empty else f"{sizes.min():,} to {sizes.max():,}"
            if len(sizes) and sizes.min() == sizes.max():
                text = f"{sizes.min():,}"
            error = "" if sizes.empty else f" ({100 * np.sqrt(0.05 * 0.95 / sizes.min()):.1f})"
            cells.append(text + error)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def outside(rows: pd.DataFrame) -> str:
    """Name the cells outside the limits by more than the simulation explains."""
    error = 100 * np.sqrt(0.05 * 0.95 / rows["panels"])
    far = rows[(rows["rejected"] > HIGH + 2 * error) | (rows["rejected"] < LOW - 2 * error)]
    words = [
        f"`{r.estimator}` {r.quantity} {r.rejected:.1f} ({r.treated} adopters, {r.periods} years, {r.errors}, {r.effects})"
        for r in far.itertuples()
    ]
    return "; ".join(words) or "none"


def means(rows: pd.DataFrame) -> str:
    """Range of the means by estimator, quantity and number of adopters, weighted by panels."""
    weighted = rows.assign(total=rows["rejected"] * rows["panels"])
    sums = weighted.groupby(["estimator", "quantity", "treated"])[["total", "panels"]].sum()
    rate = sums["total"] / sums["panels"]
    return f"{rate.min():.1f} to {rate.max():.1f}"


def tail(rate: float, panels: int) -> float:
    """Share of runs in which a cell of this true rate is seen above the upper limit."""
    from scipy.stats import binom

    return float(binom.sf(np.floor(HIGH / 100 * panels), panels, rate / 100))


def figure(found: pd.DataFrame, path: Path) -> None:
    """Draw rates by method and number of adopters."""
    made, axes = plt.subplots(1, 2, figsize=(11.5, 6.6), width_ratios=(1.15, 1))
    overall = found[found["quantity"] == "overall"]
    series = [
        (
            "Usual errors (CR1, influence functions)",
            overall[overall["method"].isin(["CR1", "CR0", "cohort"])],
            ORANGE,
            "s",
        ),
        ("CR2 of the estimator", overall[overall["method"] == "CR2"], BLUE, "^"),
        ("Path errors", overall[overall["method"] == "path"], DARK_GREY, "D"),
        ("Permutation", overall[overall["method"] == "permutation"], DARK_BLUE, "o"),
    ]
    before = found[found["quantity"] == "before"]
    joint = [
        ("Wald, CR1", before[before["method"] == "CR1"], ORANGE, "s"),
        ("Wald, CR2", before[before["method"] == "CR2"], BLUE, "^"),
        ("Permutation", before[before["method"] == "permutation"], DARK_BLUE, "o"),
    ]
    for ax, group, title in (
        (axes[0], series, "Overall effect, all estimators"),
        (axes[1], joint, "Joint test before adoption"),
    ):
        clean_axes(ax)
        ax.axhspan(LOW, HIGH, color="#e6e6e6", zorder=0)
        ax.axhline(5, color=DARK_GREY, linewidth=1, zorder=1)
        for j, (label, rows, color, marker) in enumerate(group):
            for i, n in enumerate(ADOPTERS):
                values = rows.loc[rows["treated"] == n, "rejected"].to_numpy()
                x = i + (j - (len(group) - 1) / 2) * 0.18
                ax.plot(
                    np.full(values.size, x),
                    np.maximum(values, 0.5),
                    marker,
                    color=color,
                    alpha=0.35,
                    markersize=5,
                )
                if values.size:
                    ax.plot([x - 0.07, x + 0.07], [values.mean()] * 2, color=color, linewidth=3)
            ax.plot([], [], marker, color=color, label=label)
        ax.set_yscale("log")
        ticks = [1, 2, 3.5, 5, 6.5, 10, 20, 50, 100]
        ax.set_yticks(ticks, [f"{t:g}%" for t in ticks])
        ax.minorticks_off()
        ax.set_ylim(0.8, 110)
        ax.set_xticks(range(len(ADOPTERS)), [str(n) for n in ADOPTERS])
        ax.set_xlabel("Adopters among 150 units", fontsize=TEXT_SIZE)
        ax.set_title(title, fontsize=TEXT_SIZE, fontweight="bold", loc="left")
        ax.legend(
            fontsize=TEXT_SIZE - 1, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncol=2
        )
    made.suptitle(
        "Permutation of adoption holds its 5%; usual errors do not with few adopters",
        x=0.02, ha="left", fontsize=TEXT_SIZE + 4, fontweight="bold",
    )  # fmt: skip
    made.text(
        0.02, 0.01,
        "SIMULATED panels. Each point: rejection of a true null (nominal 5%) by one estimator in one kind of panel; bar: mean.\n"
        "Grey: 3.5% to 6.5%. Log scale. Source: make size.",
        fontsize=TEXT_SIZE - 2, color=DARK_GREY,
    )  # fmt: skip
    made.tight_layout(rect=(0, 0.07, 1, 0.95))
    path.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Write all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measured", type=Path, default=ROOT / "docs" / "size" / "measured.csv")
    given = parser.parse_args()
    found = pd.read_csv(given.measured)
    small = found[found["quantity"].isin(["overall", *TOGETHER])]
    rows = small.groupby(["estimator", "method", "treated", "quantity"], sort=True).agg(
        least=("rejected", "min"),
        most=("rejected", "max"),
        mean=("rejected", "mean"),
        cells=("rejected", "size"),
        panels=("panels", "sum"),
    )
    target = ROOT / "src" / "clsimpact" / "inference" / "sizes.csv"
    rows.reset_index().to_csv(target, index=False, lineterminator="\n", float_format="%.2f")
    small_table(given.measured.parent / "shapes.csv").to_csv(
        target.with_name("sizes_small.csv"), index=False, lineterminator="\n", float_format="%.2f"
    )
    (ROOT / "docs" / "size.md").write_text(page(found, given.measured.parent), encoding="utf-8")
    figure(found, ROOT / "docs" / "images" / "size.png")


if __name__ == "__main__":
    main()
