"""Asks the runner: starts runs, kills them, and says how they ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIBFAKETIME = (
    Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"),
    Path("/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"),
)


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes
    ----------
    status
        Its exit status, or the negative number of the signal that killed it.
    said
        What it printed.
    seconds
        How long it took.
    """

    status: int
    said: str
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether it was killed before it ended by itself."""
        return self.status == -signal.SIGKILL

    @property
    def explained(self) -> bool:
        """Whether it ended well, or with status 1 and words that are no traceback."""
        plain = "Traceback" not in self.said and "Exception ignored" not in self.said
        return plain and (self.status == 0 or (self.status == 1 and bool(self.said.strip())))


class Runner:
    """A runner process; see :mod:`tests.faults.runner`.

    Parameters
    ----------
    scratch
        Folder for what runs print.
    environ
        Variables of the process, besides those of this one.
    apart
        Whether it shall have mounts of its own.
    """

    def __init__(self, scratch: Path, *, apart: bool = False, **environ: str) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self.log = scratch / "said.txt"
        words = [*(["unshare", "--mount"] if apart else []), sys.executable, "-m", "tests.faults.runner"]
        held = {name: text for name, text in os.environ.items() if not name.startswith("CLSIMPACT_RAW")}
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        quiet = {"PYTHONPATH": path, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "no_proxy": "127.0.0.1"}
        self.process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=held | quiet | environ,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.began = 0.0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def start(self, words: list[str], **request: Any) -> int:
        """Start a run; return the number of its process."""
        self._ask({"words": words, "log": str(self.log), **request})
        self.began = time.monotonic()
        return int(self._answer())

    def end(self) -> Ending:
        """Wait for the run that was started."""
        status = int(self._answer())
        seconds = time.monotonic() - self.began
        return Ending(status, self.log.read_text(encoding="utf-8", errors="replace"), seconds)

    def run(self, words: list[str], **request: Any) -> Ending:
        """Start a run and wait for it."""
        self.start(words, **request)
        return self.end()

    def kill(self, words: list[str], after: float, **request: Any) -> Ending:
        """Start a run and kill it after so many seconds, if it has not ended before."""
        process = self.start(words, **request)
        time.sleep(after)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        return self.end()

    def mount(self, *words: str) -> bool:
        """Call ``mount`` where the runner is; return whether it could."""
        self._ask({"mount": list(words)})
        self._answer()
        return self._answer() == "0"

    def inside(self, path: Path) -> Path:
        """Return how this process sees a path of the runner's own mounts."""
        return Path(f"/proc/{self.process.pid}/root{path}")

    def _ask(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def faketime() -> Path | None:
    """Return the library that sets the clock of a process, if the machine has it (Debian: libfaketime)."""
    named = [Path(os.environ["CLSIMPACT_FAKETIME"])] if "CLSIMPACT_FAKETIME" in os.environ else []
    return next((path for path in (*named, *LIBFAKETIME) if path.is_file()), None)


def may_mount(scratch: Path) -> bool:
    """Return whether this user may mount small disks."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        return False
    place = scratch / "try"
    place.mkdir(parents=True, exist_ok=True)
    words = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", str(place)]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0
