"""Fuzz the CSV reader, printed values and financial years, led by coverage (make fuzz-coverage).

One target a process, since the fuzzer never returns. New inputs that reach new code are kept in
tests/fuzz/corpus, which `tests/test_fuzz.py` reads again.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
LARGEST = 200
"""Bytes of an input that is kept: the corpus stays small."""


def main() -> int:
    """Fuzz every target, or one if it is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", help="fuzz this one, in this process")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.target:
        return fuzz(options.target, options.seconds, options.seed)
    codes = []
    for target in ("values", "years", "csv"):
        command = [sys.executable, __file__, target, f"--seconds={options.seconds}", f"--seed={options.seed}"]
        codes.append(subprocess.run(command, check=False).returncode)
    return max(codes)


def fuzz(target: str, seconds: int, seed: int) -> int:
    """Fuzz one target: grow the corpus, then keep the smallest files that reach all of it."""
    import atheris

    with atheris.instrument_imports(include=["clsimpact.loaders", "clsimpact.years", "tests.fuzz.targets"]):
        from tests.fuzz.targets import TARGETS, WORDS
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for word in WORDS[target]:
        content = word.encode("latin-1" if target == "csv" and word[0] == "\x01" else "utf-8")
        (folder / hashlib.sha1(content, usedforsecurity=False).hexdigest()).write_bytes(content)
    artifacts = Path(tempfile.mkdtemp(prefix="clsimpact-fuzz-"))
    arguments = [sys.argv[0], str(folder), f"-max_total_time={seconds}", f"-max_len={LARGEST}"]
    arguments += [
        f"-seed={seed}",
        "-reduce_inputs=1",
        "-print_final_stats=1",
        f"-artifact_prefix={artifacts}/",
    ]
    atheris.Setup(arguments, TARGETS[target])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
