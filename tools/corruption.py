"""Change single official figures and see which rule notices: docs/corruption.md (make corruption)."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.corruption.figures import Change, draw  # noqa: E402
from tests.corruption.notice import batches, look, noticed  # noqa: E402
from tests.corruption.page import page  # noqa: E402

from clsimpact.store import read_parquet, write_csv  # noqa: E402


def main() -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--together", type=int, default=200, help="figures that are changed at once")
    parser.add_argument("--alone", type=int, default=6, help="figures that are changed once more, alone")
    parser.add_argument("--docs", default=str(ROOT / "docs"))
    options = parser.parse_args()
    start = time.monotonic()
    returns = read_parquet("returns").reset_index(drop=True)
    changes = draw(returns, figures=options.figures, seed=options.seed)
    before = look(returns)
    rules: dict[Change, tuple[str, ...]] = {}
    for members in batches(returns, changes, largest=options.together):
        rules |= dict(noticed(returns, before, members))
        print(f"{time.monotonic() - start:6.0f} s  {len(rules)} of {len(changes)}", flush=True)
    differ = 0
    for change in changes[:: max(1, len(changes) // max(options.alone, 1))][: options.alone]:
        ((_, alone),) = noticed(returns, before, [change])
        differ += alone != rules[change]
        print(f"{time.monotonic() - start:6.0f} s  alone {alone}, together {rules[change]}", flush=True)
    table = pd.DataFrame([_row(returns, change, rules[change]) for change in changes])
    docs = Path(options.docs)
    write_csv(table, docs / "corruption.csv")
    text = page(table, seed=options.seed, alone=options.alone, differ=differ)
    (docs / "corruption.md").write_text(text, encoding="utf-8")
    return 1 if differ else 0


def _row(returns: pd.DataFrame, change: Change, rules: tuple[str, ...]) -> dict[str, object]:
    names = ("source_id", "table", "cell", "year", "name", "level", "measure", "unit", "statistic")
    facts = {name: returns.loc[change.row, name] for name in names}
    said = {"kind": change.kind, "before": change.before, "after": change.after}
    return {**facts, **said, "noticed": bool(rules), "rules": "; ".join(rules)}


if __name__ == "__main__":
    raise SystemExit(main())
