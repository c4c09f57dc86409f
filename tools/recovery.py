"""Over many made-up worlds: how often do 95% intervals hold the truth that was put in? docs/recovery.md."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import pandas as pd

from clsimpact._version import __version__
from clsimpact.outcomes import OUTCOMES
from clsimpact.report.pieces.truth import compare_with_truth
from clsimpact.report.study import default_study
from clsimpact.report.study_data import made_up_data


def main() -> None:
    """Run the study on every world and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", default="docs/recovery.md")
    options = parser.parse_args()
    paths, claims = [], []
    for seed in range(1, options.seeds + 1):
        path, judged = compare_with_truth(made_up_data(default_study(), seed))
        paths.append(path.assign(seed=seed))
        claims.append(judged.assign(seed=seed))
        inside = path["inside"].dropna()
        print(f"seed {seed}: {int(inside.sum())} of {len(inside)} points inside")
    page = _page(pd.concat(paths), pd.concat(claims), options.seeds)
    Path(options.out).write_text(page, encoding="utf-8")


def _page(paths: pd.DataFrame, claims: pd.DataFrame, seeds: int) -> str:
    lines = [
        "# Recovery of a known truth",
        "",
        f"{seeds} made-up worlds (seeds 1 to {seeds}), each with the default truth: the claims of the study.",
        "The study is run on each as on official returns: event study, inference chosen by the number of",
        "adopters (studentised permutation). *Inside* is the share of 95% intervals that hold the truth;",
        "a fair procedure has 95%. Points of one world are correlated, so the shares below are less certain",
        "than their counts suggest. Made by `make recovery` "
        f"(clsimpact {__version__}, Python {platform.python_version()}, "
        f"pandas {pd.__version__}).",
        "",
        "## Points of the paths",
        "",
        "| outcome | unit | points | inside | mean error of the estimate | mean standard error |",
        "|---|---|---:|---:|---:|---:|",
    ]
    held = paths[paths["inside"].notna()]
    for name in held["outcome"].unique():
        rows = held[held["outcome"] == name]
        error = (rows["estimate"] - rows["truth"]).mean()
        lines.append(
            f"| {OUTCOMES[name].label} | {OUTCOMES[name].unit} | {len(rows)} | {rows['inside'].mean():.1%} "
            f"| {error:+.3g} | {rows['std_error'].mean():.3g} |"
        )
    lines.append(f"| **all** | | {len(held)} | {held['inside'].mean():.1%} | | |")
    lines += ["", "## Averages that claims are judged by", ""]
    lines += ["| claim | outcome | truth (mean) | estimate (mean) | inside | verdicts |"]
    lines += ["|---|---|---:|---:|---:|---|"]
    for (claim, name), rows in claims.groupby(["claim", "outcome"], sort=True):
        verdicts = ", ".join(f"{word} {n}" for word, n in rows["verdict"].value_counts().sort_index().items())
        means = f"{rows['truth'].mean():.4g} | {rows['estimate'].mean():.4g} | {rows['inside'].mean():.0%}"
        lines.append(f"| {claim} | {OUTCOMES[name].label} | {means} | {verdicts} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
