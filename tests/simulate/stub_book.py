"""A book of pseudo-figures for any measure: what a writer can be tried with, without the simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clsimpact._status import Known
from clsimpact.geography import councils, regions
from clsimpact.loaders.labels import measures

_TYPES = {"A": "County", "D": "District", "E": "Metropolitan District", "H": "Unitary Authority"}
_TYPES |= {"J (IL)": "Inner London", "J (OL)": "Outer London"}


@dataclass(frozen=True)
class StubBook:
    """Figures drawn from a hash of what is asked: the same question has the same answer."""

    year: int
    seed: int = 1

    def areas(self, first_year: int | None = None, *, council_types: bool = False) -> pd.DataFrame:
        years = range(self.year if first_year is None else first_year, self.year + 1)
        every = pd.concat([councils(year) for year in years]).drop_duplicates("ons_code")
        every = every.sort_values(["region_code", "cassr_code"]).assign(level="council")
        head = [{"level": "england", "ons_code": "E92000001", "cassr_code": None, "name": "England"}]
        if council_types:
            head += [
                {"level": "council_type", "cassr_code": code, "name": name} for code, name in _TYPES.items()
            ]
        head += [{"level": "region", "ons_code": code, "name": name} for code, name in regions().items()]
        columns = ["level", "ons_code", "cassr_code", "name", "region_code", "region"]
        return pd.concat([pd.DataFrame(head), every], ignore_index=True).reindex(columns=columns)

    def figures(
        self, measure: str, says: Mapping[str, str], areas: pd.DataFrame, *, year: int | None = None
    ) -> Known:
        registry = measures()[measure]
        of_year = self.year if year is None else year
        words = "|".join(f"{key}={says[key]}" for key in sorted(says) if says[key] != "Total")
        values = np.array(
            [self._draw(f"{measure}|{words}|{of_year}|{a.ons_code}|{a.name}") for a in areas.itertuples()]
        )
        alive = set(councils(of_year)["ons_code"])
        absent = areas["level"].eq("council") & ~areas["ons_code"].isin(alive)
        status = np.where(absent, "not_submitted", "published").astype("object")
        if registry["return_"] == "SALT" and registry["unit"] in ("requests", "people", "episodes"):
            status[(values < 0.1) & ~absent.to_numpy()] = "suppressed"
            values = 5.0 * np.round(100 * values) + 5
        else:
            values = np.round(1e4 * values - 500, 5)
        return Known(np.where(status == "published", values, np.nan), status)

    def _draw(self, key: str) -> float:
        digest = hashlib.blake2b(f"{self.seed}|{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64
