"""Join what the packages answered into ``tests/reference``: one row for each distinct value.

Packages whose estimate and standard error agree share a row (``package`` and ``version`` then hold several,
parted by ``;``); the digits are those of the first. So a row with a semicolon is a value that two independent
packages agree on. ``differences.csv`` here lists, for every package that stands apart from the largest group,
how many of its terms do and by how much.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from tests.oracles.record import COLUMNS

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parent / "reference"
AGREE = 1e-8
"""Absolute up to one, relative above: what iterative solvers of two good packages still differ by."""

PREFERENCE = (
    "csdid",
    "pyfixest",
    "moderndid",
    "diff-diff",
    "differences",
    "etwfe",
    "py2sdid",
    "py_did_multiplegt_dyn",
    "synthdid-py",
    "pybacondecomp",
    "twowayfeweights",
    "did_imputation",
    "StatsPAI",
)
HEADLINES = ("simple", "att")
WITNESSES = 3
"""Packages named at most in one row; ``differences.csv`` counts them all."""

OTHER_PANELS = ("missing", "gaps", "no_never", "late")


def _file(family: str, panel: str, options: str) -> str:
    """Group-time effects fill several files: the plain ones, those with options, those of other panels."""
    if family != "group_time":
        return family
    if panel in OTHER_PANELS:
        return f"{family}_{panel if panel in ('missing', 'gaps') else 'panels'}"
    return f"{family}_options" if _special(options) else family


def _special(options: str) -> bool:
    return any(word in options for word in ("x=", "weights=", "anticipation=", "cluster="))


def _needed(term: str, options: str) -> bool:
    """Each cohort's and year's average is kept for the plain options; the cells say the rest."""
    part = term.startswith(("group:", "calendar:", "balanced:")) and not term.endswith(":overall")
    return not (part and _special(options))


def agree(a: float, b: float, *, tolerance: float = AGREE) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def _rank(package: str) -> tuple[int, str]:
    known = package in PREFERENCE
    return (PREFERENCE.index(package) if known else len(PREFERENCE), package)


def _together(rows: Iterable[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Group the answers to one question by what they say."""
    groups: list[list[dict[str, str]]] = []
    for row in sorted(rows, key=lambda r: _rank(r["package"])):
        for group in groups:
            if all(agree(_value(group[0][c]), _value(row[c])) for c in ("estimate", "std_error")):
                group.append(row)
                break
        else:
            groups.append([row])
    return groups


def _kept(groups: list[list[dict[str, str]]], term: str) -> list[list[dict[str, str]]]:
    """Where two packages agree, a package on its own is kept for headline terms only."""
    agreed = [group for group in groups if len(group) > 1]
    headline = term in HEADLINES or term.endswith(":overall")
    return groups if headline or not agreed else agreed


def _value(text: str) -> float:
    return float(text) if text else math.nan


def join(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the reference file, and who stands apart by how much."""
    rows, apart = [], []
    for (_, _, options, term), asked in raw.groupby(["panel", "estimator", "options", "term"], sort=False):
        groups = _together(asked.to_dict("records"))
        for group in _kept(groups, str(term)) if _needed(str(term), str(options)) else []:
            named = group[:WITNESSES]
            rows.append(
                group[0] | {name: ";".join(row[name] for row in named) for name in ("package", "version")}
            )
        main = max(groups, key=len)
        apart += [_compared(row, main[0], len(main)) for group in groups for row in group]
    joined = pd.DataFrame(rows, columns=list(COLUMNS))
    return joined, _differences(pd.DataFrame(apart))


def _compared(row: dict[str, str], main: dict[str, str], support: int) -> dict[str, object]:
    est, ref = _value(row["estimate"]), _value(main["estimate"])
    se, ref_se = _value(row["std_error"]), _value(main["std_error"])
    return {
        **{name: row[name] for name in ("panel", "estimator", "options", "package", "version")},
        "difference": abs(est - ref) if not math.isnan(est - ref) else math.nan,
        "unlike": not agree(est, ref),
        "se_unlike": not agree(se, ref_se),
        "ratio": abs(se / ref_se - 1) if ref_se and not math.isnan(se) else math.nan,
        "support": support,
    }


def _differences(each: pd.DataFrame) -> pd.DataFrame:
    keys = ["estimator", "panel", "options", "package", "version"]
    table = each.groupby(keys, sort=False).agg(
        terms=("unlike", "size"),
        agreed_by_two=("support", lambda s: int((s > 1).sum())),
        estimates_apart=("unlike", "sum"),
        largest_difference=("difference", "max"),
        std_errors_apart=("se_unlike", "sum"),
        largest_se_ratio_less_one=("ratio", "max"),
    )
    return table.reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw", type=Path)
    folder = parser.parse_args().raw
    stems = sorted({path.name.split(".")[0] for path in folder.glob("*.csv")})
    all_apart = []
    for family in stems:
        parts = [
            pd.read_csv(p, dtype=str, keep_default_na=False) for p in sorted(folder.glob(f"{family}.*.csv"))
        ]
        together = pd.concat(parts, ignore_index=True)
        joined, apart = join(together[together["estimate"] != ""])
        all_apart.append(apart.assign(family=family))
        files = [_file(family, p, o) for p, o in zip(joined["panel"], joined["options"], strict=True)]
        for name, part in joined.groupby(files):
            path = REFERENCE / f"{name}.csv"
            ordered = part.sort_values(["estimator", "panel", "options"], kind="stable")
            ordered.to_csv(path, index=False, lineterminator="\n")
            size = path.stat().st_size / 1000
            sys.stdout.write(f"{path.name}: {len(part)} rows, {size:.0f} kB\n")
    table = pd.concat(all_apart, ignore_index=True)
    unlike = table[(table["estimates_apart"] > 0) | (table["std_errors_apart"] > 0)].drop(columns="family")
    unlike.to_csv(HERE / "differences.csv", index=False, float_format="%.3g", lineterminator="\n")
    sys.stdout.write(f"differences.csv: {len(unlike)} rows\n")


if __name__ == "__main__":
    main()
