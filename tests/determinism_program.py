"""What is run under one setting of the machine: prints the digest of everything that it makes, as JSON.

Arguments: a folder to work in, and a seed to shuffle the rows of what is read (0: as they are).
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from pathlib import Path

import pandas as pd

import clsimpact as ci
from clsimpact.errors import FewTreatedWarning
from clsimpact.plots import event_study_figure
from clsimpact.store import csv_bytes

STUDY = """
[study]
title = "A study"
question = "What did it do?"
programme = "it"
units = "counties"
[data]
panel = "panel.csv"
unit = "county"
time = "year"
cohort = "first_treat"
[estimation]
estimator = "group_time"
beside = ["imputation", "event_study"]
[[outcomes]]
name = "lemp"
label = "Teen employment"
unit = "log points"
[[claims]]
id = "W1"
statement = "It falls"
outcomes = ["lemp"]
[[claims.tests]]
rule = "decrease"
first = 0
[report]
figures = ["event_studies", "trends", "estimators"]
checks = ["precision", "pre_trends", "leave_one_out"]
"""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def shuffled(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    return table.sample(frac=1, random_state=seed) if seed else table


def main(folder: Path, seed: int) -> None:
    warnings.simplefilter("ignore", FewTreatedWarning)
    found = {}
    panel = ci.load_panel()
    found["panel"] = digest(csv_bytes(panel))
    returns = ci.load_returns()
    some = returns[returns["measure"].isin(["gross_current_expenditure", "population", "gdp_deflator"])]
    found["panel built"] = digest(csv_bytes(ci.build_panel(shuffled(some, seed), years=(2016, 2017))))
    tagged = shuffled(ci.tag_adoption(panel, ci.load_adoption()), seed)
    design = ci.Design(tagged, outcome="gce_per_adult", unit="ons_code", time="year", cohort="adoption_year")
    for estimate in (ci.event_study, ci.group_time, ci.imputation):
        fit = estimate(design)
        found[fit.estimator] = digest(csv_bytes(fit.tidy()))
        found[f"{fit.estimator} words"] = digest(fit.summary().encode())
        fit.save(folder / "fit.json")
        found[f"{fit.estimator} saved"] = digest((folder / "fit.json").read_bytes())
    figure = event_study_figure(ci.event_study(design))
    for kind in ("svg", "png"):
        found[kind] = digest(figure.save(folder / f"figure.{kind}").read_bytes())
    ci.load_mpdta().to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    report = ci.replicate(folder / "out", study=folder / "study.toml", pdf=True).folder
    for path in sorted(report.rglob("*")):
        inside = path.relative_to(report)
        if path.is_file() and inside.parts[0] not in (".steps", ".clsimpact-report", "run.json"):
            found[inside.as_posix()] = digest(path.read_bytes())
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
