"""The files around the library: locks, commands, metadata, and nothing that ties them to one machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import clsimpact

if TYPE_CHECKING:
    from pathlib import Path

LOCKS = (
    "run.lock",
    "build.lock",
    "dev.lock",
    "dev-pandas2.lock",
    "docs.lock",
    "browser.lock",
    "audit.lock",
    "mutation.lock",
    "fuzz.lock",
    "oldest.lock",
    "advisories.lock",
    "oracles.lock",
    "oracles-moderndid.lock",
    "oracles-multiplegt.lock",
)
PROMISED = ("help", "replicate", "test", "lint", "data", "bench", "docs", "clean", "lock")

# Patterns are put together from parts, so that this file does not hold what it looks for.
HOMES = "work|root|home"
MACHINE_PATH = re.compile(rf"(?:^|[^A-Za-z0-9_.])/(?:{HOMES})/", re.MULTILINE)
REGISTRY = re.compile(
    "|".join((r"https?://[^\s\"'<>]+/" + r"simple\b", "--(?:extra-)?" + "index-url", "--find" + "-links"))
)
ADDRESS = re.compile(r"\w+:" + r"//|(?:^|\s)/\w")
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;]+)(?P<marker>\s*;.*)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(text: str) -> list[str]:
    """Return the requirements of a lock, each on one line with its hashes."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def lock_faults(text: str) -> list[str]:
    """Say which lines of a lock are not a pinned version with its hashes, or hold an address."""
    faults = [line for line in text.splitlines() if ADDRESS.search(line)]
    for line in requirements(text):
        pin, *hashes = re.split(r"\s+(?=--)", line)
        if not PIN.fullmatch(pin) or not hashes or not all(map(HASH.fullmatch, hashes)):
            faults.append(line)
    return faults


def pins(text: str) -> set[tuple[str, str]]:
    """Return the versions that a lock allows, as (name, version)."""
    found = (PIN.match(line) for line in requirements(text))
    return {(match["name"], match["version"]) for match in found if match}


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, without what an outer make hands down."""
    environment = {
        key: value for key, value in os.environ.items() if key not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    }
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def lock(root: Path, request: pytest.FixtureRequest) -> str:
    return (root / "requirements" / request.param).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def texts(root: Path) -> dict[str, str]:
    """Return every text file of the repository, also those about to be added."""
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("git does not know this folder")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    found = {}
    for name in filter(None, sorted(set(listed.split("\0")))):
        if (root / name).is_file() and b"\0" not in (content := (root / name).read_bytes()):
            found[name] = content.decode("utf-8", errors="replace")
    assert "pyproject.toml" in found
    return found


class TestLocks:
    @pytest.mark.parametrize("lock", LOCKS, indirect=True)
    def test_every_requirement_is_pinned_and_hashed(self, lock: str) -> None:
        assert requirements(lock)
        assert lock_faults(lock) == []

    @pytest.mark.parametrize(
        "bad",
        [
            "numpy==2.0.0",
            "numpy>=2.0.0 --hash=sha256:" + "0" * 64,
            "numpy==2.0.0 --hash=sha256:" + "0" * 63,
            "numpy==2.0.0 --hash=md5:" + "0" * 32,
            "numpy @ file:" + "///wheels/numpy.whl --hash=sha256:" + "0" * 64,
            "# made from " + "/tmp/pyproject.toml",
            "--find" + "-links wheels",
        ],
    )
    def test_a_fault_is_seen(self, bad: str) -> None:
        assert lock_faults(f"{bad}\n")

    @pytest.mark.parametrize("lock", ["run.lock", "build.lock"], indirect=True)
    def test_tests_run_with_the_versions_that_users_get(self, lock: str, root: Path) -> None:
        assert pins(lock) <= pins((root / "requirements" / "dev.lock").read_text(encoding="utf-8"))

    def test_the_two_test_environments_differ_in_pandas(self, root: Path) -> None:
        newest, oldest = (
            {
                version
                for name, version in pins((root / "requirements" / lock).read_text())
                if name == "pandas"
            }
            for lock in ("dev.lock", "dev-pandas2.lock")
        )
        assert all(version.startswith("3.") for version in newest)
        assert all(version.startswith("2.") for version in oldest)
        assert any(version.startswith("2.2.") for version in oldest)

    def test_locks_are_not_older_than_what_the_project_asks_for(self, project: dict, root: Path) -> None:
        groups = project["dependency-groups"]
        report = project["project"]["optional-dependencies"]["report"]
        wanted = {
            "run.lock": [*project["project"]["dependencies"], *report],
            "build.lock": [*groups["build"], *project["build-system"]["requires"]],
            "dev.lock": [*(e for e in groups["dev"] + groups["test"] if isinstance(e, str)), *report],
            "dev-pandas2.lock": [*project["project"]["dependencies"], *groups["test"], *report],
        }
        missing = []
        for name, entries in wanted.items():
            locked = pins((root / "requirements" / name).read_text(encoding="utf-8"))
            for requirement in map(Requirement, entries):
                versions = {v for n, v in locked if n == canonicalize_name(requirement.name)}
                if not versions or not all(map(requirement.specifier.contains, versions)):
                    missing.append(f"{name}: {requirement}")
        assert missing == [], "run `make lock`"


class TestMakefile:
    def test_help_lists_every_promised_command(self, root: Path) -> None:
        shown = make(root)
        assert shown.returncode == 0
        assert set(PROMISED) <= set(re.findall(r"^ +make ([\w-]+) +\S", shown.stdout, re.MULTILINE))

    def test_every_command_of_the_help_exists(self, root: Path) -> None:
        makefile = (root / "Makefile").read_text(encoding="utf-8")
        phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", makefile, re.MULTILINE)[1].replace("\\", "").split()
        listed = set(re.findall(r"^ +make ([\w-]+) ", make(root, "help").stdout, re.MULTILINE))
        assert listed <= set(phony)

    def test_clean_keeps_data(self, root: Path, tmp_path: Path) -> None:
        shutil.copy(root / "Makefile", tmp_path)
        kept = [tmp_path / name for name in ("data/raw/a.xlsx", "data/__pycache__/b", "src/c.py")]
        gone = [tmp_path / name for name in ("outputs/d", ".venv/e", "src/__pycache__/f.pyc")]
        for file in kept + gone:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        assert make(tmp_path, "clean").returncode == 0
        assert all(file.exists() for file in kept)
        assert not any(file.parent.exists() for file in gone)

    def test_a_missing_python_is_named(self, root: Path) -> None:
        answer = make(root, "python-check", "PYTHON=no-such-python")
        assert answer.returncode != 0
        assert "no-such-python" in answer.stderr
        assert "Python 3.11 or newer" in answer.stderr

    def test_an_old_python_is_refused_in_words(self, root: Path, tmp_path: Path) -> None:
        old = tmp_path / "python3"
        old.write_text('#!/bin/sh\n[ "$1" = -V ] && { echo Python 3.9.1; exit 0; }\nexit 1\n')
        old.chmod(old.stat().st_mode | stat.S_IXUSR)
        answer = make(root, "python-check", f"PYTHON={old}")
        assert answer.returncode != 0
        assert "Python 3.9.1" in answer.stderr

    def test_this_python_is_accepted(self, root: Path) -> None:
        assert make(root, "python-check", f"PYTHON={sys.executable}").returncode == 0


class TestContinuousIntegration:
    @pytest.mark.parametrize("status", [0, 3])
    def test_ci_runs_make_test_and_hands_its_status_on(self, root: Path, tmp_path: Path, status: int) -> None:
        fake = tmp_path / "make"
        fake.write_text(f'#!/bin/sh\necho "make $* in $(pwd)"\nexit {status}\n')
        fake.chmod(0o755)
        environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        script = str(root / ".ci" / "run")
        ran = subprocess.run(
            ["bash", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == status
        targets = ["test", "test-browser"] if status == 0 else ["test"]
        assert ran.stdout == "".join(f"make {target} in {root}\n" for target in targets)

    def test_ci_is_executable(self, root: Path) -> None:
        assert os.access(root / ".ci" / "run", os.X_OK)


class TestMetadata:
    def test_citation_names_this_version(self, root: Path) -> None:
        text = (root / "CITATION.cff").read_text(encoding="utf-8")
        assert re.findall(r"^version: (\S+)$", text, re.MULTILINE) == [clsimpact.__version__]

    def test_changelog_opens_with_unreleased_and_this_version(self, root: Path) -> None:
        text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
        assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)[:2] == ["Unreleased", clsimpact.__version__]

    def test_annotations_are_shipped(self) -> None:
        assert (resources.files("clsimpact") / "py.typed").is_file()


class TestNoTraceOfOneMachine:
    @pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY], ids=["paths", "registries"])
    def test_no_file_holds_one(self, texts: dict[str, str], pattern: re.Pattern[str]) -> None:
        hits = {
            f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0].strip()}"
            for name, text in texts.items()
            for match in pattern.finditer(text)
        }
        assert hits == set()

    @pytest.mark.parametrize("bad", ["'/" + "work/main'", "see /" + "root/x", "/" + "home/me/data"])
    def test_a_path_is_seen(self, bad: str) -> None:
        assert MACHINE_PATH.search(bad)

    @pytest.mark.parametrize(
        "good", ["https://example.org/home/page", "src/work/file", "../work/", "homework/"]
    )
    def test_a_part_of_an_address_or_relative_path_is_not(self, good: str) -> None:
        assert not MACHINE_PATH.search(good)

    @pytest.mark.parametrize("bad", ["https:" + "//pypi.example/" + "simple", "--extra" + "-index-url x"])
    def test_a_registry_is_seen(self, bad: str) -> None:
        assert REGISTRY.search(bad)


CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def test_the_conda_recipe_asks_for_what_the_package_asks_for(root: Path) -> None:
    text = (root / "conda-recipe" / "meta.yaml").read_text(encoding="utf-8")
    run = text.partition("  run:\n")[2].partition("\n\n")[0]
    asked = {}
    for line in run.splitlines():
        name, _, specifier = line.strip().removeprefix("- ").partition(" ")
        asked[CONDA_NAMES.get(name, name)] = specifier
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    expected = {it.name: str(it.specifier) for it in map(Requirement, declared["dependencies"])}
    assert asked == expected | {"python": declared["requires-python"]}


def test_the_bill_of_materials_is_that_of_the_lock(root: Path) -> None:
    """Names and versions of what Linux installs with the Python that the bill was made with."""
    linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    python = {"python_version": "3.11", "python_full_version": "3.11.9", "platform_machine": "x86_64"}
    locked = {}
    for line in requirements((root / "requirements" / "run.lock").read_text(encoding="utf-8")):
        pin = PIN.fullmatch(re.split(r"\s+(?=--)", line)[0])
        assert pin, line
        marker = (pin["marker"] or "").strip(" ;")
        if not marker or Marker(marker).evaluate({**linux, **python}):
            locked[canonicalize_name(pin["name"])] = pin["version"]
    bill = json.loads((root / "docs" / "explanation" / "sbom.json").read_text(encoding="utf-8"))
    listed = {canonicalize_name(it["name"]): it["version"] for it in bill["components"]}
    assert len(locked) > 40
    assert listed == locked, "run 'make sbom'"
