"""How an outcome is declared: a family, cut by age band and route of access into columns of the panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from clsimpact._derive import Cut, Parts
from clsimpact._status import Known

__all__ = ["Family", "Kind", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """One outcome column of the panel.

    Attributes
    ----------
    name, label, unit, definition, source
        What the data dictionary says of it.
    publication
        Kind of figure it is made of, by which :mod:`clsimpact.publications` names what holds a missing year.
    derive
        The function that computes it from the parts; ``None`` when it is a part itself.
    claim
        Which claim of the study it speaks to; empty for secondary outcomes.
    """

    name: str
    label: str
    unit: str
    definition: str
    source: str
    publication: str
    derive: Callable[[Parts], Known] | None = None
    claim: str = ""


class _Age(NamedTuple):
    suffix: str
    words: str
    bands: tuple[str, ...]


class _Route(NamedTuple):
    suffix: str
    words: str
    routes: tuple[str, ...]


_AGES: Final = (
    _Age("", "", ("18_64", "65_plus")),
    _Age("_18_64", ", aged 18 to 64", ("18_64",)),
    _Age("_65_plus", ", aged 65 and over", ("65_plus",)),
)
_ROUTES: Final = (
    _Route("", "", ("",)),
    _Route("_hospital", ", from hospital", ("discharge", "diversion")),
    _Route("_community", ", from the community", ("community",)),
)
_ROUTE_WORDS: Final = {
    "": "",
    "_hospital": "; only requests after discharge from hospital or diverted from hospital services",
    "_community": "; only requests by the community or another route",
}


def _cut(age: _Age, route: _Route) -> Cut:
    return Cut(f"{age.suffix}{route.suffix}", f"{age.words}{route.words}", age.bands, route.routes)


class Kind(NamedTuple):
    """Where the figures of a family are published, in all, by age and by route: kind and source."""

    whole: tuple[str, str]
    by_age: tuple[str, str]
    by_route: tuple[str, str] | None = None


class Family(NamedTuple):
    """An outcome before it is cut by age band and route."""

    name: str
    label: str
    unit: str
    definition: str
    kind: Kind
    derive: Callable[[Parts, Cut], Known]
    claim: str = ""
    more_sources: str = ""
    crossed: bool = True

    def cuts(self) -> Iterator[Outcome]:
        """Yield the outcome for everyone, then by age band and route as far as these are published."""
        for route in _ROUTES if self.kind.by_route else _ROUTES[:1]:
            for age in _AGES if self.crossed or not route.suffix else _AGES[:1]:
                yield self._of(age, route)

    def _of(self, age: _Age, route: _Route) -> Outcome:
        cut = _cut(age, route)
        by_age = self.kind.by_age if age.suffix else self.kind.whole
        publication, source = self.kind.by_route if route.suffix and self.kind.by_route else by_age
        return Outcome(
            f"{self.name}{cut.suffix}",
            f"{self.label}{cut.words}",
            self.unit,
            f"{self.definition}{age.words}{_ROUTE_WORDS[route.suffix]}",
            f"{source}{self.more_sources}",
            publication,
            lambda parts: self.derive(parts, cut),
            self.claim,
        )
