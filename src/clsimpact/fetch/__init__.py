"""Publishers' files from the manifest's addresses into the raw folder, whole and checked or not at all.

The steps, one module each: which sources and which folder (``_choose``), one file over the network
(``_transfer``, within the limits of ``_policy``), is it what its name says (``_content``), its fingerprint
(``loaders/_fetched``), and what came of it (``_report``).
"""

from clsimpact.fetch._choose import covered_years, default_folder, raw_destination
from clsimpact.fetch._report import STATUSES, FetchReport, Outcome
from clsimpact.fetch._run import connection_answers, fetch
from clsimpact.loaders._fetched import LOCK, Entry, read_lock

__all__ = [
    "LOCK",
    "STATUSES",
    "Entry",
    "FetchReport",
    "Outcome",
    "connection_answers",
    "covered_years",
    "default_folder",
    "fetch",
    "raw_destination",
    "read_lock",
]
