"""Write made-up publications for several seeds, read them, compare every figure: docs/round-trip.md."""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path

import pandas as pd

from clsimpact._version import __version__
from clsimpact.simulate.round_trip import round_trip


def main() -> int:
    """Run the round trips and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", choices=("all", "study"), default="study")
    parser.add_argument("--out", default="docs/round-trip.md")
    options = parser.parse_args()
    rows, problems = [], []
    for seed in range(1, options.seeds + 1):
        with tempfile.TemporaryDirectory() as scratch:
            for result in round_trip(Path(scratch), seed=seed, rows=options.rows):
                wrong = result.pop("differences")
                rows.append({**result, "seed": seed, "different": len(wrong)})
                problems += [f"seed {seed}, {result['file']}: {text}" for text in wrong]
                count = f"{result['figures']:,} figures, {len(wrong)} differences"
                print(f"seed {seed}: {result['file']}: {count}")
    table = pd.DataFrame(rows).groupby(["source_id", "file"], sort=False)
    summary = table.agg(figures=("figures", "sum"), different=("different", "sum"), seeds=("seed", "nunique"))
    lines = [
        "# Round trip of made-up publications",
        "",
        "Every file of a made-up set is written in the layout of its year, read by the ordinary loader, and",
        "compared figure by figure: area, measure, every dimension, value, unit, status and table. Made by",
        f"`make round-trip` (clsimpact {__version__}, Python {platform.python_version()}, "
        f"finance files: {options.rows} rows).",
        "",
        "| file | seeds | figures in all | different |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {row.file} | {row.seeds} | {row.figures:,} | {row.different:,} |"
        for row in summary.reset_index().itertuples()
    ]
    lines.append(f"| **all** | | {int(summary['figures'].sum()):,} | {int(summary['different'].sum()):,} |")
    Path(options.out).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for text in problems[:20]:
        print(text)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
