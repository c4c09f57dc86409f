"""Change the code of the core and see whether a test notices: docs/mutation.md (make mutation).

The changes are those of mutmut; `tools/mutation_runner.py` runs the tests.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(ROOT / "tools")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # noqa: E402
from mutation_mutants import Mutant, mutants_of, sample  # noqa: E402
from mutation_page import judged, write_page  # noqa: E402
from mutation_runner import Runner  # noqa: E402
from mutation_whole import run_whole  # noqa: E402

SOURCE = ROOT / "src" / "clsimpact"
PARTS = ("estimators", "inference", "outcomes.py", "treatment.py", "panel.py")
TESTS = (
    "tests/estimators",
    "tests/inference",
    "tests/test_twfe.py",
    "tests/test_event_study.py",
    "tests/test_sandwich.py",
    "tests/test_outcomes.py",
    "tests/test_treatment.py",
    "tests/test_adopters.py",
    "tests/test_design_frames.py",
    "tests/test_panel.py",
    "tests/test_design.py",
    "tests/test_results.py",
    "tests/test_compare.py",
    "tests/test_oracles.py",
    "tests/test_parts.py",
    "src/clsimpact/estimators",
    "src/clsimpact/inference",
    "src/clsimpact/outcomes.py",
    "src/clsimpact/treatment.py",
    "src/clsimpact/panel.py",
    "src/clsimpact/design.py",
    "src/clsimpact/results.py",
)
LEFT_OUT = (
    "tests/estimators/test_awkward.py",
    "tests/estimators/test_group_time_properties.py",
    "tests/estimators/test_imputation_properties.py",
    "tests/inference/test_dask.py",
    "tests/inference/test_size.py",
    "tests/inference/test_sizes.py",
)
"""Long ones."""


def main() -> int:
    """Draw mutants, run them and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.03, help="of the mutants of each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="modules whose name holds one of these: twfe,wild")
    parser.add_argument("--leave-out", default="", help="a module that is not run")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--budget", type=float, default=10.0, help="seconds of tests for a mutant")
    parser.add_argument("--longest", type=float, default=1.5, help="seconds of a test that is used")
    parser.add_argument("--folder", default=str(ROOT / "mutants"), help="what is kept while it runs")
    parser.add_argument("--again", default="", help="run these outcomes of the log again: survived,...")
    parser.add_argument(
        "--whole", action="store_true", help="run those unnoticed and unjudged, with whole files"
    )
    parser.add_argument("--measured", action="store_true", help="only tests that were measured before")
    parser.add_argument("--page", action="store_true", help="only write the page, from the log")
    parser.add_argument("--fresh", default="", help="mutation.csv of a sample no test was written for yet")
    parser.add_argument("--fresh-asked", default="", help="what drew it: --share 0.02 --seed 2")
    parser.add_argument("--docs", default=str(ROOT / "docs"))
    options = parser.parse_args()
    folder = Path(options.folder)
    folder.mkdir(exist_ok=True)
    mutants = every_mutant(folder, options.only)
    drawn = sample(mutants, options.share, options.seed)
    if options.leave_out:
        drawn = [each for each in drawn if options.leave_out not in each.module]
    if options.whole:
        again_whole(drawn, folder, options.processes)
    elif not options.page:
        run(drawn, folder, options)
    kept = [json.loads(part.read_text(encoding="utf-8")) for part in folder.glob("tests-*.json")]
    options.tests = sum(len(each["seconds"]) for each in kept)
    write_page(mutants, drawn, read_log(folder), Path(options.docs), options)
    return 0


def modules() -> list[str]:
    """Return the files to mutate."""
    found = [path for part in PARTS for path in sorted((SOURCE / part).rglob("*.py")) or [SOURCE / part]]
    return [str(path.relative_to(SOURCE)) for path in found]


def every_mutant(folder: Path, only: str) -> list[Mutant]:
    """Return the mutants of all modules; those of a file that has not changed are kept from the last run."""
    result = []
    for module in modules():
        path, kept = SOURCE / module, folder / (module.replace("/", "-") + ".json")
        if not any(each in module for each in only.split(",")):
            continue
        if not kept.exists() or kept.stat().st_mtime < path.stat().st_mtime:
            kept.write_text(json.dumps([asdict(each) for each in mutants_of(path, module)]), encoding="utf-8")
        result += [Mutant(**each) for each in json.loads(kept.read_text(encoding="utf-8"))]
    return result


def read_log(folder: Path) -> dict[str, dict[str, object]]:
    """Return what became of each mutant, the last time."""
    path = folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {line["name"]: line for line in map(json.loads, lines)}


def run(drawn: list[Mutant], folder: Path, options: argparse.Namespace) -> None:
    """Run the mutants that have not been run, and write a line of each."""
    log, again = read_log(folder), options.again.split(",")
    todo = [each for each in drawn if each.name not in log or log[each.name]["outcome"] in again]
    arguments = [*TESTS, *(f"--ignore={each}" for each in LEFT_OUT), "-q", "--tb=no", "--assert=plain"]

    def work(runner: Runner) -> None:
        start = time.monotonic()
        with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
            for number, line in enumerate(runner.run(texts(todo), processes=options.processes), 1):
                file.write(json.dumps(line) + "\n")
                file.flush()
                if line["outcome"] != "killed" or number % 50 == 0:
                    print(
                        f"{time.monotonic() - start:6.0f} s {number}/{len(todo)} {line}", file=sys.__stderr__
                    )

    if options.leave_out:
        arguments.remove(f"tests/test_{options.leave_out}")
    limits = {"longest": options.longest, "budget": options.budget, "measured": options.measured}
    runner = Runner(SOURCE, modules(), folder, work, **limits)
    os.chdir(ROOT)
    pytest.main([*arguments, "-p", "no:cacheprovider", "-p", "no:xdist", "--capture=no"], plugins=[runner])


def again_whole(drawn: list[Mutant], folder: Path, processes: int) -> None:
    """Run those that no test noticed, and that are not judged, with whole files of tests."""
    log, known, lines = read_log(folder), judged(), tests_by_line(folder)
    missed = [each for each in drawn if log.get(each.name, {}).get("outcome") in ("survived", "not covered")]
    todo = [
        (
            mutant,
            text,
            sorted({test for line in range(*_span(mutant)) for test in lines[mutant.module].get(line, ())}),
        )
        for mutant, text in texts(each for each in missed if not known(asdict(each)))
    ]
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        for line in run_whole(ROOT, todo, processes=processes):
            file.write(json.dumps(line) + "\n")
            file.flush()
            print(line, file=sys.__stderr__)


def _span(mutant: Mutant) -> tuple[int, int]:
    """Lines that tell whether a test meets the mutant: of the statement, or of the body for a default."""
    if not mutant.default:
        return mutant.lines[0], mutant.lines[1] + 1
    tree = ast.parse((SOURCE / mutant.module).read_text(encoding="utf-8"))
    found = [
        each
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef) and each.lineno <= mutant.line <= (each.end_lineno or 0)
    ]
    inner = max(found, key=lambda each: each.lineno)
    return inner.body[0].lineno, (inner.end_lineno or 0) + 1


def tests_by_line(folder: Path) -> dict[str, dict[int, list[str]]]:
    """Return the tests that run each line of each module, as they were measured."""
    found: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for part in folder.glob("tests-*.json"):
        for module, lines in json.loads(part.read_text(encoding="utf-8"))["lines"].items():
            for line, tests in lines.items():
                found[module][int(line)] += tests
    return found


def texts(mutants: Iterable[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Return each mutant with the text of its file."""
    for mutant in mutants:
        yield mutant, mutant.changed((SOURCE / mutant.module).read_text(encoding="utf-8"))


if __name__ == "__main__":
    raise SystemExit(main())
