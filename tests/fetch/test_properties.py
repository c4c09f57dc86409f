"""What holds for any address and any record."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from clsimpact.fetch import Entry, read_lock
from clsimpact.fetch._policy import Policy, RefusedError, check_address
from clsimpact.loaders._fetched import record

HOST = "files.digital.nhs.uk"
PIECES = st.sampled_from(
    [
        "https:",
        "http:",
        "//",
        "/",
        "\\",
        "@",
        ":",
        "#",
        "?",
        HOST,
        "example.org",
        ".",
        "443",
        "%40",
        "%2f",
        "\t",
    ]
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
FINGERPRINTS = st.text("0123456789abcdef", min_size=64, max_size=64)
ENTRIES = st.builds(Entry, NAMES, FINGERPRINTS, st.integers(0, 10**12), NAMES, NAMES, NAMES, st.booleans())


@given(st.lists(PIECES, max_size=8).map("".join), st.booleans())
@settings(max_examples=300, deadline=None)
def test_an_address_that_passes_is_the_hosts_own_for_the_library_that_opens_it(
    tail: str, begun: bool
) -> None:
    address = f"https://{HOST}{tail}" if begun else tail
    try:
        check_address(address, Policy(hosts=frozenset({HOST})))
    except RefusedError:
        return
    opened = parse_url(address)
    assert (opened.scheme, opened.host, opened.auth) == ("https", HOST, None)
    assert opened.port in (None, 443)


@given(st.dictionaries(NAMES, ENTRIES, max_size=3))
@settings(max_examples=60, deadline=None)
def test_the_lock_gives_back_what_was_recorded(entries: dict[str, Entry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, entry in entries.items():
            record(Path(folder), name, entry)
        assert read_lock(Path(folder)) == entries
