"""What the page on interruptions says beside its table."""

from __future__ import annotations

from typing import Final

__all__ = ["FOUND", "HEAD", "HOW"]

HEAD: Final = """\
# Interruptions

What becomes of a run that is killed, or that meets a full disk, a folder that it may not write to, a
second run in the same folder, another clock, time zone or locale, or a path near the limit of the
system? Two things must hold. Nothing half written is there under a name that a reader opens. And the
same command, given once more, ends with exactly the bytes of an undisturbed run. A run that cannot go
on says so in words and ends with status 1.

Written by `tools/interruptions.py` (`make interruptions`); a short form of it is in `tests/faults`.
"""

HOW: Final = """
## How

`fetch` gets four files from a server on the loopback address that sends them slowly. `build` writes the
tables of four publications and a year of the panel. `replicate` runs a study of forty towns. *Functions*
are `fit.save`, `fit.to_docx`, `figure.save` (SVG, PNG, PDF), `to_docx`, `to_workbook` and a compressed
CSV. An undisturbed run of each is timed first and its bytes are kept. A process that has imported the
library forks for every run, so that the moments lie in the run's own work. After every fault the
visible files are compared with the undisturbed ones, the command is given again, and then every file is
compared, hidden ones too (except for `run.json`, which holds times, and the dates in `fetched.toml`).

*Struck* counts the runs that the fault ended; the others had ended before, or had got round it.
"""

FOUND: Final = """
## What was found and mended

- **Figures** were drawn straight into their file, and workbooks too: a killed `figure.save` left half a
  picture under its name. Both are now written whole or not at all, as everything else was.
- **A build** that was killed between two tables left new returns beside an old panel. All tables are
  now written aside and moved together; if even that is cut short, `load_panel()` and its like refuse
  the folder and the next `clsimpact build` finishes the move.
- **Two runs in one folder** wrote to the same partial file of `fetch`, lost records of `fetched.toml`,
  could both fail, and removed each other's report. The second run is now refused in words. The lock is the
  system's own, on the folder: it ends with the run, however that ends, and leaves no file.
- **Killed runs left hidden partial files** for ever, and one killed in its first moment made
  `replicate` refuse the folder as one of other files. The next run removes them.
- **The processes of a killed `replicate --workers 2`** went on, and could write between the files of
  the next run. They end with it. A worker that is killed (too little memory, mostly) ended the run with
  a traceback; it is now said in words.
- **A full disk** was told without the file and without what to do; a name of more than some 230 bytes
  could not be written although 255 are allowed; a read-only disk was told with the words of the
  operating system.
- **A terminal without the letter** (`PYTHONIOENCODING=ascii`) ended a run with a traceback; the letter's
  code is printed now.
- **A clock before 1980 or after 2107** ended the writing of a Word document with a traceback: its dates
  reach no further. It is said in words.

## What remains

- `replicate` writes often and takes long: it was killed at six of its writes, and met a full disk at six.
- A loss of power is not tried: files are put on the disk (`fsync`) by `fetch` only.
- Windows and some network disks cannot lock a folder: there two runs at once are not kept apart.
- A function that writes one file (`fit.save`) and is killed leaves a hidden `.clsimpact-*.partial`,
  which nothing reads and only a run of a command in the same folder removes.
- A server that announces a CSV shorter than it is, for a file whose fingerprint nobody knows, cannot be
  told from one that has a shorter file. Archives and workbooks are found out by their own check sums.
- `replicate` removes an old report before it writes the new one: if the disk is full then, there is
  neither. `report.html` is the last file, so a folder that has it is whole.
"""
