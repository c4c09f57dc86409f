"""Put rows of one run of tools/size.py in place of the same rows of another, or beside them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from size_panels import ERRORS

KEYS = ["estimator", "method", "treated", "periods", "errors", "effects", "quantity"]


def joined(base: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``new`` and those of ``base`` that it does not have, by panel."""
    fresh = set(new[KEYS].itertuples(index=False, name=None))
    kept = [key not in fresh for key in base[KEYS].itertuples(index=False, name=None)]
    every = pd.concat([base[kept], new[base.columns]])
    order = pd.Categorical(every["errors"], ERRORS, ordered=True)
    every = every.assign(order=order).sort_values(
        ["periods", "order", "effects", "treated"], ascending=[False, True, True, True], kind="stable"
    )
    return every.drop(columns="order")


def main() -> None:
    """Join two files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--quantities", nargs="*", default=[], help="only these (power_0.5 ... too)")
    parser.add_argument("--methods", nargs="*", default=[], help="and all of these methods")
    parser.add_argument("--estimators", nargs="*", default=[], help="and path errors of these estimators")
    given = parser.parse_args()
    base, new = pd.read_csv(given.base), pd.read_csv(given.new)
    wanted = new["quantity"].isin(given.quantities) | new["method"].isin(given.methods)
    wanted |= new["estimator"].isin(given.estimators) & new["method"].eq("path")
    rows = new[wanted] if given.quantities or given.methods or given.estimators else new
    joined(base, rows).to_csv(given.base, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
