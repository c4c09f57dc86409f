"""What a download may do: which addresses it may open, how long it waits, how much it takes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from clsimpact.errors import SourceError
from clsimpact.loaders.manifest import Source, all_sources

__all__ = ["MEBIBYTE", "Policy", "RefusedError", "UnsteadyError", "check_address", "own_hosts"]

MEBIBYTE: Final = 1024 * 1024
_ODD: Final = re.compile(r"[\s\\\x00-\x1f\x7f]")


class RefusedError(SourceError):
    """A download that another attempt would not mend."""


class UnsteadyError(SourceError):
    """A download that may succeed when it is tried again.

    Parameters
    ----------
    summary
        What happened.
    wait
        Seconds that the server asks for before the next attempt.
    reached
        Whether the server answered at all.
    """

    def __init__(self, summary: str, *, wait: float | None = None, reached: bool = True) -> None:
        super().__init__(summary)
        self.wait = wait
        self.reached = reached


@dataclass(frozen=True)
class Policy:
    """The limits of a download.

    Attributes
    ----------
    hosts, schemes
        Where a file may come from; every hop of a redirect is held to them.
    connect_timeout, read_timeout
        Seconds without a connection, or without a byte, until an attempt is given up.
    longest
        Seconds until an attempt is given up although bytes still come.
    waits
        Seconds before the second attempt, the third, and so on; one attempt more than there are waits.
    longest_wait
        The longest wait that a server may ask for with ``Retry-After``.
    hops
        How many redirects are followed.
    largest
        The largest file that is taken, in bytes.
    sleep
        How to wait.
    """

    hosts: frozenset[str]
    schemes: frozenset[str] = frozenset({"https"})
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    longest: float = 3600.0
    waits: tuple[float, ...] = (1.0, 2.0, 4.0)
    longest_wait: float = 60.0
    hops: int = 5
    largest: int = 512 * MEBIBYTE
    sleep: Callable[[float], None] = time.sleep


def own_hosts(sources: Iterable[Source] | None = None) -> frozenset[str]:
    """Return the hosts that the manifest names: no other is ever opened.

    Parameters
    ----------
    sources
        Records of the manifest; all of them if omitted.

    Returns
    -------
    frozenset of str
        Host names, in small letters.

    Examples
    --------
    >>> own_hosts()
    frozenset({'files.digital.nhs.uk'})
    """
    known = all_sources().values() if sources is None else sources
    return frozenset(urlsplit(source.address).netloc.lower() for source in known if source.address)


def check_address(address: str, policy: Policy) -> None:
    """Refuse an address that is not on one of the hosts allowed.

    The part between the slashes must be the name of a host and nothing else, so that neither a user name, nor
    a port, nor a backslash can make two readers of the address see two hosts.

    Parameters
    ----------
    address
        What would be opened.
    policy
        Which hosts and schemes are allowed.

    Raises
    ------
    RefusedError
        If it must not be opened.

    Examples
    --------
    >>> check_address("https://files.digital.nhs.uk/a.xlsx", Policy(hosts=own_hosts()))
    >>> check_address("https://example.org/a.xlsx", Policy(hosts=own_hosts()))
    Traceback (most recent call last):
    clsimpact.fetch._policy.RefusedError: https://example.org/a.xlsx is not on a host of the manifest
    (files.digital.nhs.uk): it was not opened.
    """
    if _ODD.search(address):
        raise RefusedError(f"{address!r} is no address: it was not opened.")
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise RefusedError(f"{address!r} is no address: it was not opened.") from error
    if parts.scheme not in policy.schemes:
        raise RefusedError(
            f"{address} does not begin with {' or '.join(sorted(policy.schemes))}://: it was not opened."
        )
    host = parts.netloc.lower()
    host = host.removesuffix(":443") if parts.scheme == "https" else host
    if host not in policy.hosts:
        allowed = ", ".join(sorted(policy.hosts))
        raise RefusedError(f"{address} is not on a host of the manifest ({allowed}): it was not opened.")
