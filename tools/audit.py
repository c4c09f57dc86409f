"""Hold every locked package against advisories on Python packages (make audit-offline).

They are the file `db.json` in a wheel of the package index: one entry for each advisory and range of affected
versions. The wheel is downloaded by its hash, opened as an archive and read as JSON; nothing of it is
installed or run.

What fails: an advisory that affects a locked version, unless requirements/accepted-advisories.toml says why
it may stand in that lock; an accepted one that affects nothing any more; and docs/dependency-audit.md, if it
says something else than what was found (write it with --page).
"""

from __future__ import annotations

import argparse
import html
import json
import operator
import re
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

ROOT: Final = Path(__file__).resolve().parents[1]
LOCKS: Final = ROOT / "requirements"
ACCEPTED: Final = LOCKS / "accepted-advisories.toml"
PAGE: Final = ROOT / "docs" / "dependency-audit.md"
DATA_ONLY: Final = "advisories.lock"
"""The lock of the wheel itself, which is not installed."""

LEAST: Final = 4000
"""Advisories that the wheel must have at least: fewer are not those of all Python packages."""

PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;,=\\]+)(\s*;[^\\]*)?\s*\\?")
BOUND: Final = re.compile(r"(<=|>=|==|!=|<|>)\s*([^\s<>=!~*]+)")
ORDER: Final[dict[str, Callable[[Version, Version], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}

TEXT: Final = """# Known vulnerabilities of the locked packages

Every version in `requirements/*.lock` that is installed for any purpose is held against the advisories on
Python packages in the [GitHub Advisory Database](https://github.com/advisories) (CC BY 4.0).
**{verdict}**

`make test` does this in every run without asking a server of advisories: it reads them from the wheel
{wheel}, pinned by its hash, as data; nothing of it is installed or run. The wheel has {advisories:,}
advisories on {packages:,} packages, converted by its author; its file is of **{date}**. Of 79 vulnerabilities
that an independent list (safety-db, July 2021) named in these packages on 2026-11-30 it has 75: the others
concern Python itself and what two packages had bundled.

What this does not say:

- What was found later: `make audit` asks the live databases with pip-audit, where a network reaches them.
- What only the [PyPA database](https://github.com/pypa/advisory-database) lists.
- Anything of the pip that makes the environments, of Python itself, of uv, R, Chromium, poppler and axe-core.
- Most packages that were made to do harm: such are listed elsewhere.
- Whether older versions of what these libraries need in their turn are affected, if somebody installs such:
  `oldest.lock` has the oldest versions of the libraries in `pyproject.toml`, with new ones of all others.

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
    "oldest": "the oldest allowed version of each library in `pyproject.toml`",
    "oracles": "other packages, to compare with",
    "oracles-moderndid": "moderndid, to compare with",
    "oracles-multiplegt": "did_multiplegt_dyn, to compare with",
    "run": "what users install",
}

Reasons = dict[tuple[str, str, str], str]
"""Why an advisory may stand, by lock, package with version, and identifier."""

Locks = dict[str, set[tuple[str, str]]]
"""Packages and versions by lock."""


@dataclass(frozen=True)
class Advisory:
    """One advisory on one range of versions of a package."""

    name: str
    identifier: str
    cve: str
    summary: str
    affected: str
    fixed: str

    def affects(self, version: str) -> bool:
        """Whether the range holds a version, in the order of versions; one that cannot be read holds all."""
        bounds = [BOUND.fullmatch(part.strip()) for part in self.affected.split(",")]
        found = Version(Version(version).public)
        try:
            return not all(bounds) or all(ORDER[it[1]](found, Version(it[2])) for it in bounds if it)
        except InvalidVersion:
            return True

    def __str__(self) -> str:
        return f"{self.identifier} ({self.cve}): {self.summary}"


@dataclass(frozen=True)
class Finding:
    """An advisory that affects the version in a lock."""

    lock: str
    version: str
    advisory: Advisory

    @property
    def key(self) -> tuple[str, str, str]:
        """What an accepted advisory is known by."""
        return self.lock, f"{self.advisory.name} {self.version}", self.advisory.identifier


Known = dict[str, list[Advisory]]
"""Advisories by package."""


def main() -> None:
    """Audit the locks and print what was found; exit 1 if anything must be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="the wheel that holds the advisories")
    parser.add_argument("--page", action="store_true", help="write docs/dependency-audit.md")
    options = parser.parse_args()
    copied, known = read_wheel(options.wheel)
    locks = read_locks(LOCKS)
    findings = list({it.key: it for it in affecting(locks, known)}.values())
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


def read_wheel(wheel: Path) -> tuple[date, Known]:
    """Return the date of the file of advisories, and these by package."""
    with zipfile.ZipFile(wheel) as archive:
        (member,) = [it for it in archive.infolist() if Path(it.filename).name == "db.json"]
        held = json.loads(archive.read(member))
    known: Known = {}
    for package, entries in held.items():
        name = canonicalize_name(package)
        known.setdefault(name, []).extend(
            Advisory(name, it["id"], it["cve"], it["advisory"], it["v"], it["fixed_in"]) for it in entries
        )
    if len(_identifiers(known)) < LEAST:
        raise SystemExit(f"{wheel.name} has {len(_identifiers(known))} advisories, fewer than {LEAST}")
    return date(*member.date_time[:3]), known


def _identifiers(known: Known) -> set[str]:
    return {advisory.identifier for entries in known.values() for advisory in entries}


def read_locks(folder: Path) -> Locks:
    """Return the packages of each lock with their versions; markers may give one package several."""
    paths = sorted(it for it in folder.glob("*.lock") if it.name != DATA_ONLY)
    return {it.stem: set(_pins(it)) for it in paths}


def _pins(lock: Path) -> Iterator[tuple[str, str]]:
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#") or line.lstrip().startswith("--hash="):
            continue
        pin = PIN.fullmatch(line)
        if not pin:
            raise SystemExit(f"{lock.name}: {line!r} is not a package with one version")
        yield canonicalize_name(pin["name"]), pin["version"]


def affecting(locks: Locks, known: Known) -> Iterator[Finding]:
    """Find the advisories whose range holds the version of a lock."""
    for lock, held in locks.items():
        for name, version in sorted(held):
            for advisory in known.get(name, []):
                if advisory.affects(version):
                    yield Finding(lock, version, advisory)


def read_accepted(path: Path) -> Reasons:
    """Return the reason of each advisory that may stand."""
    held = tomllib.loads(path.read_text(encoding="utf-8"))["accepted"]
    return {(it["lock"], it["package"], it["advisory"]): it["reason"] for it in held if it["reason"].strip()}


def problems(findings: Iterable[Finding], reasons: Reasons) -> Iterator[str]:
    """Say what must be done: findings that nobody accepted, and accepted ones that are found no more."""
    keys = set()
    for it in findings:
        keys.add(it.key)
        if it.key not in reasons:
            yield (
                f"{it.lock}.lock: {it.advisory.name} {it.version} is affected by {it.advisory}; "
                f"repaired in {it.advisory.fixed}. Take that version in pyproject.toml and run 'make lock', "
                f"or say in requirements/{ACCEPTED.name} why it may stand"
            )
    for lock, name, identifier in sorted(reasons.keys() - keys):
        yield f"{ACCEPTED.name}: there is no {identifier} on {name} in {lock}.lock: take it out"


def written(
    locks: Locks, known: Known, findings: list[Finding], reasons: Reasons, *, copied: date, wheel: Path
) -> str:
    """Return the page."""
    package, version, *_ = parse_wheel_filename(wheel.name)
    return (
        TEXT.format(
            verdict=_verdict(findings, reasons),
            date=copied.isoformat(),
            wheel=f"`{package} {version}`",
            advisories=len(_identifiers(known)),
            packages=len(known),
            rows="\n".join(_row(lock, held, known, findings) for lock, held in locks.items()),
            found=_found(findings, reasons),
        ).rstrip()
        + "\n"
    )


def _verdict(findings: list[Finding], reasons: Reasons) -> str:
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
    return f"| `{lock}.lock` | {PURPOSES.get(lock, '')} | {' | '.join(map(str, counts))} |"


def _found(findings: list[Finding], reasons: Reasons) -> str:
    if not findings:
        return ""
    lines = ["| package | lock | advisory | repaired in | why it may stand |", "|---|---|---|---|---|"]
    for it in findings:
        package = f"{it.advisory.name} {it.version}"
        advisory = html.escape(str(it.advisory)).replace("|", "&#124;")
        why = reasons.get(it.key, "**not accepted**")
        lines.append(f"| {package} | `{it.lock}.lock` | {advisory} | {it.advisory.fixed} | {why} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
