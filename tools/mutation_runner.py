"""Run tests against mutants: everything is imported and collected once, and each mutant is a forked process.

The forked process exchanges the code of one function and runs the tests that reach the changed statement,
until one fails. A first run of all tests, in a process of its own, tells which test reaches which line.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import coverage
import pytest
from hypothesis import Phase, settings
from mutation_mutants import Mutant

MEMORY = 8 * 2**30
"""Bytes that a mutant may take."""

SECONDS, TIMES = 10, 10
"""CPU time of a test with a mutant: this, and this many times what it takes without."""

EXAMPLES = 5
"""The most that hypothesis draws for a test."""

CASES = 3
"""The most sets of parameters of one test."""

SLOW = {"tests/test_panel.py": 10.0, "tests/test_treatment.py": 5.0, "tests/test_adopters.py": 5.0}
"""Files whose tests share what the first of them builds: one set of parameters, and longer for a test."""

SHARED = {"returns", "built"}
"""Functions of tests that remember what they built."""

BUILDERS = {"outcomes.py", "panel.py"}
"""Modules that build it, whose mutants must build it anew."""

AT_IMPORT = {"outcomes.py"}
"""Modules whose functions run while they are imported: what they made is made again."""

LATE = ("scipy.stats", "scipy.optimize", "scipy.sparse.linalg", "statsmodels.api", "linearmodels.panel")
"""Modules that the library imports when it needs them."""

OUTCOMES = {0: "survived", 1: "killed", 3: "not run"}


class Baseline:
    """What every test takes, and which lines it runs."""

    def __init__(self, seconds: dict[str, float], lines: dict[str, dict[str, list[str]]]) -> None:
        self.seconds = seconds
        self.lines = lines

    def tests(self, mutant: Mutant, lines: Iterable[int]) -> list[str]:
        """Tests that run any of the lines, those of its own file first.

        Of the others the quickest of every file comes first, then the next of every file.
        """
        ran = self.lines.get(mutant.module, {})
        found = {test for line in lines for test in ran.get(str(line), ()) if test in self.seconds}
        shared = {test.split("::")[0] for test in found} & SLOW.keys()
        found |= {test for test in self.seconds if test.split("::")[0] in shared}
        own = Path(mutant.module).stem.strip("_")
        files: dict[str, list[str]] = defaultdict(list)
        for test in sorted(found, key=lambda each: (self.seconds[each], each)):
            files[test.split("::")[0]].append(test)
        first = [test for name, tests in files.items() if own in name for test in tests]
        others = [tests for name, tests in files.items() if own not in name]
        others.sort(key=lambda each: self.seconds[each[0]])
        return first + [test for turn in zip_longest(*others) for test in turn if test]


class Runner:
    """A plugin of pytest that puts mutants in the place of the run of the tests."""

    def __init__(
        self, source: Path, modules: list[str], folder: Path, work: Callable[[Runner], None], **limits: float
    ) -> None:
        self.source, self.modules, self.folder, self.work = source, modules, folder, work
        self.longest, self.budget, self.measured = limits["longest"], limits["budget"], limits["measured"]
        self.failed = ""

    def pytest_collection(self) -> None:
        """Make hypothesis the same in every run, and quick."""
        quick = {"deadline": None, "derandomize": True, "database": None, "max_examples": EXAMPLES}
        settings.register_profile("mutation", phases=(Phase.explicit, Phase.generate), **quick)
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Do what is to be done instead of the tests."""
        self.files = _files(session.items)
        self.items = {item.nodeid: item for items in self.files.values() for item in items}
        self.functions = _functions(f"clsimpact.{each[:-3].replace('/', '.')}" for each in self.modules)
        for item in session.items:
            _fewer_examples(getattr(item, "obj", None))
        self.caches = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
        _warm()
        self.work(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed."""
        if report.failed:
            self.failed = report.nodeid

    # --- without a mutant ---------------------------------------------------------------------------

    def baseline(self, *, processes: int) -> Baseline:
        """Run every test once, in processes of their own; tests that fail or take long are left out."""
        parts = {name: self.folder / f"tests-{name.replace('/', '-')}.json" for name in self.files}
        ended = {name for name, part in parts.items() if part.exists() and _read(part)["ended"]}
        todo = [] if self.measured else [name for name in parts if name not in ended]
        waiting: dict[int, str] = {}
        while todo or waiting:
            if todo and len(waiting) < processes:
                name = todo.pop()
                pid = os.fork()
                if not pid:
                    _ended(self._measure, name, parts[name])
                waiting[pid] = name
                continue
            name = waiting.pop(os.wait()[0])
            if not parts[name].exists() or not _read(parts[name])["ended"]:
                todo.append(name)
            else:
                print(f"{len(todo) + len(waiting)} files of tests to go, {name}", file=sys.__stderr__)
        return self._joined(part for part in parts.values() if part.exists())

    def _joined(self, parts: Iterable[Path]) -> Baseline:
        seconds: dict[str, float] = {}
        lines: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for part in parts:
            found = _read(part)
            seconds |= {test: taken for test, taken in found["seconds"].items() if test in self.items}
            for module, ran in found["lines"].items():
                for line, tests in ran.items():
                    lines[module][line] += tests
        return Baseline(seconds, lines)

    def _measure(self, name: str, part: Path) -> None:
        """Run what is left of the tests of a file; one that takes too long ends the process."""
        paths = {each: str(self.source / each) for each in self.modules}
        meter = coverage.Coverage(include=[*paths.values()], data_file=None, config_file=False)
        meter.set_option("run:disable_warnings", ["no-data-collected", "module-not-measured"])
        found: dict[str, Any] = {
            "seconds": {},
            "lines": {each: {} for each in paths},
            "ran": 0,
            "ended": False,
        }
        if part.exists():
            found = _read(part)

        folder = self._own_folder()

        def end(*signalled: object) -> None:
            meter.stop()
            shutil.rmtree(folder, ignore_errors=True)
            for module, path in paths.items():
                for line, tests in meter.get_data().contexts_by_lineno(path).items():
                    found["lines"][module].setdefault(str(line), []).extend(tests)
            found["ended"] = not signalled
            part.write_text(json.dumps(found), encoding="utf-8")
            os._exit(0)

        signal.signal(signal.SIGPROF, end)
        meter.start()
        items = self.files[name][found["ran"] :]
        for item, following in zip_longest(items, items[1:]):
            meter.switch_context(item.nodeid)
            found["ran"] += 1
            self._forget(SHARED)
            start = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SLOW.get(name, self.longest))
            self._run(item, following)
            signal.setitimer(signal.ITIMER_PROF, 0)
            if not self.failed:
                found["seconds"][item.nodeid] = round(time.process_time() - start, 4)
        end()

    def _run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        self.failed = ""
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def _forget(self, kept: set[str]) -> None:
        """Empty what functions remember, so that a test runs what it needs itself."""
        for cache in self.caches:
            if cache.__name__ not in kept:
                cache.cache_clear()

    def _own_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="clsimpact-mutant-"))
        next(iter(self.items.values())).config._tmp_path_factory._basetemp = folder
        return folder

    # --- with one -----------------------------------------------------------------------------------

    def run(self, mutants: Iterable[tuple[Mutant, str]], *, processes: int) -> Iterator[dict[str, Any]]:
        """Yield what became of each mutant."""
        baseline, waiting = self.baseline(processes=processes), {}
        gc.freeze()
        for mutant, text in mutants:
            tests = baseline.tests(mutant, self._lines(mutant))
            if not tests:
                yield {"name": mutant.name, "outcome": "not covered", "by": "", "tests": 0, "seconds": 0.0}
                continue
            while len(waiting) >= processes:
                yield self._waited(waiting)
            kept = self.folder / f"{mutant.name}.json"
            pid = os.fork()
            if not pid:
                self._child(mutant, text, tests, baseline.seconds, kept)
            waiting[pid] = (mutant, kept, len(tests), time.monotonic())
        while waiting:
            yield self._waited(waiting)

    def _lines(self, mutant: Mutant) -> Iterable[int]:
        """Lines that tell whether a test meets the mutant: of the statement, or of the body for a default."""
        if not mutant.default:
            return range(mutant.lines[0], mutant.lines[1] + 1)
        code = self._function(mutant).__code__
        return {line for _, _, line in code.co_lines() if line and line > code.co_firstlineno}

    def _function(self, mutant: Mutant) -> FunctionType:
        named = self.functions[f"clsimpact.{mutant.module[:-3].replace('/', '.')}", mutant.function]
        return max((f for f in named if f.__code__.co_firstlineno <= mutant.line), key=_first)

    def _child(
        self, mutant: Mutant, text: str, tests: list[str], seconds: dict[str, float], kept: Path
    ) -> None:
        code, folder = 3, None
        try:
            _quiet()
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            folder = self._own_folder()
            self._forget({"returns"} if mutant.module in BUILDERS else SHARED)
            if mutant.module not in AT_IMPORT:
                exchange(self._function(mutant), text, default=mutant.default)
            elif not renew(f"clsimpact.{mutant.module[:-3]}", text):
                kept.write_text(json.dumps({"by": "import", "tests": 1}), encoding="utf-8")
                tests, code = [], 1
            code = self._tried(tests, seconds, kept) if tests else code
        except Exception as error:
            kept.write_text(json.dumps({"by": repr(error), "tests": 0}), encoding="utf-8")
        finally:
            shutil.rmtree(folder or "", ignore_errors=True)
            os._exit(code)

    def _tried(self, tests: list[str], seconds: dict[str, float], kept: Path) -> int:
        spent, ran = 0.0, 0
        items = [self.items[test] for test in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            if spent > self.budget:
                break
            kept.write_text(json.dumps({"by": item.nodeid, "tests": ran + 1}), encoding="utf-8")
            signal.setitimer(signal.ITIMER_PROF, SECONDS + TIMES * seconds[item.nodeid])
            self._run(item, following)
            if self.failed:
                return 1
            spent, ran = spent + seconds[item.nodeid], ran + 1
        return 0

    def _waited(self, waiting: dict[int, tuple[Mutant, Path, int, float]]) -> dict[str, Any]:
        pid, status = os.wait()
        mutant, kept, reached, start = waiting.pop(pid)
        ended = os.waitstatus_to_exitcode(status)
        outcome = OUTCOMES.get(ended, "timed out" if ended == -signal.SIGPROF else "killed")
        found = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {"by": "", "tests": 0}
        kept.unlink(missing_ok=True)
        if outcome == "survived":
            found["by"] = "" if found["tests"] == reached else f"{found['tests']} of {reached} tests"
        return {"name": mutant.name, "outcome": outcome, **found, "seconds": time.monotonic() - start}


def exchange(function: FunctionType, text: str, *, default: bool) -> None:
    """Give a living function the code, or the defaults, that it has in a changed text of its module."""
    code = compile(text, function.__code__.co_filename, "exec", dont_inherit=True)
    new = next(each for each in _codes(code) if _key(each) == _key(function.__code__))
    if default:
        module = ModuleType(function.__module__)
        module.__dict__.update({"__file__": function.__code__.co_filename, "__package__": None})
        exec(code, module.__dict__)
        found = next(f for f in gc.get_objects() if isinstance(f, FunctionType) and f.__code__ is new)
        function.__defaults__, function.__kwdefaults__ = found.__defaults__, found.__kwdefaults__
    function.__code__ = new


def renew(name: str, text: str) -> bool:
    """Run the changed text of a module, and give what it makes to every module that holds the old.

    What other modules made of the old, and the parameters of tests, stay. False where it does not run.
    """
    module = sys.modules[name]
    old = {key: value for key, value in vars(module).items() if not key.startswith("__")}
    try:
        exec(compile(text, str(module.__file__), "exec", dont_inherit=True), vars(module))
    except Exception:
        return False
    made = {id(value): vars(module)[key] for key, value in old.items() if not isinstance(value, str | int)}
    for other in list(sys.modules.values()):
        for key, value in list(vars(other).items()):
            if id(value) in made and key != "__builtins__":
                setattr(other, key, made[id(value)])
    return True


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _first(function: FunctionType) -> int:
    return function.__code__.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Functions and methods of a module; those within functions come with them."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from [each] if each.co_flags & 1 else _codes(each)


def _functions(modules: Iterable[str]) -> dict[tuple[str, str], list[FunctionType]]:
    files = {sys.modules[name].__file__: name for name in modules if name in sys.modules}
    found: dict[tuple[str, str], list[FunctionType]] = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename in files:
            found[files[each.__code__.co_filename], each.__code__.co_qualname].append(each)
    return found


def _files(items: Iterable[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """Return the tests by file, with a few of the parameters of each."""
    functions: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        functions[item.nodeid.split("[")[0]].append(item)
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for name, cases in functions.items():
        files[name.split("::")[0]] += cases[:: -(-len(cases) // CASES)]
    return files


def _fewer_examples(test: object) -> None:
    known = getattr(test, "_hypothesis_internal_use_settings", None)
    if known is not None:
        fewer = settings(known, max_examples=min(known.max_examples, EXAMPLES))
        getattr(test, "__func__", test)._hypothesis_internal_use_settings = fewer


def _warm() -> None:
    """Import and read beforehand what every process would import and read again."""
    coverage.collector.short_stack = _nothing
    from tests.panel_helpers import built

    built()
    for name in LATE:
        importlib.import_module(name)


def _nothing(**_: object) -> str:
    """Stand in for the words of coverage on where it was started, which take it a second to find."""
    return ""


def _ended(work: Callable[..., None], *arguments: object) -> None:
    """Do something as the last thing of a process, whatever happens."""
    try:
        _quiet()
        work(*arguments)
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        os.kill(os.getppid(), signal.SIGTERM)
    finally:
        os._exit(4)


def _read(part: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(part.read_text(encoding="utf-8"))
    return found


def _quiet() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
