"""What a specification curve returns: estimates of every specification, and what they have in common."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clsimpact.diagnostics import _specification_words as words
from clsimpact.diagnostics._specification_fit import Piece
from clsimpact.diagnostics._specification_inputs import Request
from clsimpact.diagnostics._specification_permutation import Column, as_table, drawn
from clsimpact.diagnostics._specification_verdict import CurveTest
from clsimpact.errors import DesignError
from clsimpact.inference.blocks import checked_draws, checked_executor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SpecificationCurve"]


@dataclass(frozen=True, eq=False, repr=False)
class SpecificationCurve:
    """Estimates of every specification, with what they have in common.

    Attributes
    ----------
    table : pandas.DataFrame
        What `tidy` returns.
    unit : str
        Unit of the estimates, empty where it is not known.
    level : float
        Confidence level of the intervals.
    source : str
        Source line of the data.
    simulated : bool
        Whether the data are made up.
    standardised : bool
        Whether estimates were divided by a standard deviation.

    Examples
    --------
    >>> from clsimpact.datasets import load_mpdta
    >>> from clsimpact.diagnostics.specification_curve import specification_curve
    >>> curve = specification_curve(
    ...     load_mpdta(), outcomes=["lemp"], unit="county", time="year", cohort="first_treat",
    ...     samples={"all years": None, "before 2007": lambda rows: rows["year"] < 2007},
    ...     estimators=["twfe", "group_time"],
    ... )
    >>> curve
    Specification curve of 4 specifications: median -0.0383 log points, from -0.045 to -0.0226
    """

    table: pd.DataFrame
    unit: str
    level: float
    source: str
    simulated: bool
    standardised: bool
    _request: Request = field(repr=False)
    _pieces: tuple[Piece, ...] = field(repr=False)
    _at: tuple[tuple[int, str], ...] = field(repr=False)

    @property
    def outcome_labels(self) -> dict[str, str]:
        """What readers call each outcome."""
        return dict(self._request.labels)

    @property
    def options(self) -> dict[str, tuple[str, ...]]:
        """Options of every choice, in the order given.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.diagnostics.specification_curve import specification_curve
        >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
        ...     cohort="first_treat", estimators=["twfe", "group_time"])
        >>> curve.options["estimator"]
        ('twfe', 'group_time')
        """
        return self._request.options()

    def tidy(self) -> pd.DataFrame:
        """One row per specification, in the order of the choices (a fresh copy).

        Columns are the choices `CHOICES`, then ``estimate, std_error, conf_low, conf_high, p_value`` (in
        `unit`), ``n_treated, n_units, n_obs`` (treated units, units and rows of the sample), ``method`` (what
        the interval comes from), ``identified`` and ``reason`` (why there is no estimate, or no interval).

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.diagnostics.specification_curve import specification_curve
        >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
        ...     cohort="first_treat", estimators=["twfe", "group_time"])
        >>> curve.tidy()[["estimator", "estimate", "n_treated"]].round(4)
            estimator  estimate  n_treated
        0        twfe   -0.0365        191
        1  group_time   -0.0400        191
        """
        return self.table.copy()

    @property
    def estimated(self) -> pd.DataFrame:
        """Rows of `tidy` that have an estimate."""
        return self.table[self.table["identified"]].copy()

    @property
    def failures(self) -> pd.DataFrame:
        """Specifications without an estimate, by reason: ``reason, count, example``."""
        lost = self.table[~self.table["identified"]]
        rows = [
            (reason, len(part), ", ".join(str(part.iloc[0][name]) for name in self.varied))
            for reason, part in lost.groupby("reason", sort=False)
        ]
        return pd.DataFrame(rows, columns=["reason", "count", "example"])

    @property
    def varied(self) -> tuple[str, ...]:
        """Choices that have more than one option."""
        return tuple(name for name, options in self.options.items() if len(options) > 1)

    @property
    def main(self) -> pd.Series:
        """Row of the first option of every choice: the analysis that the others vary."""
        return self.table.iloc[0].copy()

    @property
    def median(self) -> float:
        """Median estimate; NaN without estimates."""
        return float(self.estimated["estimate"].median())

    @property
    def span(self) -> tuple[float, float]:
        """Smallest and largest estimate."""
        found = self.estimated["estimate"]
        return float(found.min()), float(found.max())

    def shares(self) -> pd.DataFrame:
        """Share of estimates of each sign, and of intervals that exclude zero on that side.

        Returns
        -------
        pandas.DataFrame
            Rows ``positive`` and ``negative``; ``estimates, share`` (of specifications with an estimate),
            ``significant, share_significant`` (of those with an interval).

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.diagnostics.specification_curve import specification_curve
        >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
        ...     cohort="first_treat", estimators=["twfe", "group_time"])
        >>> curve.shares().loc["negative", ["share", "share_significant"]].tolist()
        [1.0, 1.0]
        """
        rows = self.estimated
        bars = rows.dropna(subset=["conf_low", "conf_high"])
        signs = {"positive": rows["estimate"] > 0, "negative": rows["estimate"] < 0}
        sure = {"positive": bars["conf_low"] > 0, "negative": bars["conf_high"] < 0}
        table = pd.DataFrame(
            {
                "estimates": [int(found.sum()) for found in signs.values()],
                "significant": [int(found.sum()) for found in sure.values()],
            },
            index=pd.Index(list(signs), name="sign"),
        )
        table.insert(1, "share", table["estimates"] / max(len(rows), 1))
        return table.assign(share_significant=table["significant"] / max(len(bars), 1))

    def importance(self) -> pd.DataFrame:
        r"""Say how much of the variance of the estimates each choice explains by itself.

        .. math:: \eta^2_c = \frac{\sum_{o} n_o (\bar b_o - \bar b)^2}{\sum_s (b_s - \bar b)^2}

        over the options o of choice c: one-way, so that the shares of several choices need not sum to one.

        Returns
        -------
        pandas.DataFrame
            ``choice, eta_squared, options, lowest, lowest_mean, highest, highest_mean``, largest first;
            choices with one option that was estimated are left out.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.diagnostics.specification_curve import specification_curve
        >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
        ...     cohort="first_treat", estimators=["twfe", "group_time"])
        >>> curve.importance()[["choice", "eta_squared", "lowest"]].values.tolist()
        [['estimator', 1.0, 'group_time']]
        """
        rows = self.estimated
        b = rows["estimate"]
        whole = float(((b - b.mean()) ** 2).sum())
        out = []
        for choice in self.varied:
            parts = b.groupby(rows[choice], sort=False).agg(["mean", "size"])
            if len(parts) < 2:
                continue
            between = float((parts["size"] * (parts["mean"] - b.mean()) ** 2).sum())
            low, high = int(parts["mean"].argmin()), int(parts["mean"].argmax())
            means = parts["mean"].to_list()
            ends = (parts.index[low], means[low], parts.index[high], means[high])
            out.append((choice, between / whole if whole > 0 else np.nan, len(parts), *ends))
        names = ["choice", "eta_squared", "options", "lowest", "lowest_mean", "highest", "highest_mean"]
        table = pd.DataFrame(out, columns=names)
        return table.sort_values("eta_squared", ascending=False, kind="stable", ignore_index=True)

    def permutation_test(
        self, *, draws: int = 999, seed: int = 0, executor: Executor | None = None, progress: bool = False
    ) -> CurveTest:
        r"""Test that nobody has any effect, by all specifications together.

        Adoption paths are permuted among units, one re-assignment for the whole curve; outcomes stay as they
        are, which is the sharp null of no effect. A path is what all definitions of dates say of a unit, so
        that the dates of a re-assigned adopter stay together. Units exchange paths within strata of units
        that have the same rows in every specification.

        The statistic to quote is the median of t statistics, errors taken anew in each re-assignment
        (`clsimpact.inference.linear`). With few adopters that are noisier than others the median estimate
        alone, as in the paper, rejects a true null far too often, since adopters' noise counts as an effect
        (``docs/inference.md``). The p-value is two-sided, :math:`(1 + \#)/(1 + B)`; where all re-assignments
        were enumerated, :math:`\#/B`.

        Specifications whose numbers have no form by type (weights, covariates, synthetic controls), or that
        differ in their inference only, are left out, and the result says how many.

        Parameters
        ----------
        draws, seed
            Random re-assignments; all of them where there are no more than ``draws``.
        executor
            Any `concurrent.futures.Executor`; the numbers are the same for any number of workers.
        progress
            Show a bar.

        Returns
        -------
        CurveTest

        Raises
        ------
        DesignError
            No specification can be re-assigned, or fewer than two adopters can be moved.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.diagnostics.specification_curve import specification_curve
        >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
        ...     cohort="first_treat", estimators=["twfe", "group_time"])
        >>> curve.permutation_test(draws=199, seed=1)
        Permutation test of 2 specifications: p = 0.005 (median t -3.06; 199 re-assignments)
        """
        draws, seed = checked_draws(draws, seed)
        checked_executor(executor)
        columns, why = self._columns()
        if not columns:
            raise DesignError(
                "No specification can be re-assigned without refits.",
                [f"{count}: {reason}" for reason, count in why.items()],
                repair="Permute single results: fit.with_inference(Permutation(refit=True)).",
            )
        how = {"draws": draws, "seed": seed}
        found = drawn(self._request, columns, **how, executor=executor, progress=progress)
        if found.refused:
            why["which units the estimator keeps does not follow from dates and rows"] = len(found.refused)
        ways = found.assignments
        return CurveTest(
            table=as_table(found),
            draws=len(found.draws),
            count=ways.count,
            enumerated=found.enumerated,
            n_specifications=len(found.used),
            n_estimated=int(self.table["identified"].sum()),
            left_out=why,
            movable=ways.movable,
            n_paths=int((ways.paths > 0).sum()),
            level=self.level,
            simulated=self.simulated,
        )

    def _columns(self) -> tuple[list[Column], dict[str, int]]:
        """Return specifications that can be re-assigned, and how many cannot by reason."""
        columns, why, seen = [], dict[str, int](), set()
        for i, (piece, obstacle) in enumerate(self._at):
            row = self.table.iloc[i]
            if not row["identified"]:
                continue
            if piece < 0:
                why[obstacle] = why.get(obstacle, 0) + 1
            elif piece in seen:
                word = "the same as another but for the inference"
                why[word] = why.get(word, 0) + 1
            else:
                seen.add(piece)
                cell = (row["sample"], row["controls"], row["dates"], row["covariates"])
                scale = self._request.scales[row["outcome"]]
                columns.append(Column(row["outcome"], self._pieces[piece], scale, cell))
        return columns, why

    def summary(self) -> str:
        """Say in plain words what the curve shows, from the numbers and intervals.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.diagnostics.specification_curve import specification_curve
        >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
        ...     cohort="first_treat", estimators=["twfe", "group_time"])
        >>> print(curve.summary().splitlines()[0])
        2 specifications: all have an estimate. Median -0.0383 log points, from -0.04 to -0.0365.
        """
        return words.summary(self)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the curve and the panel of choices; see `clsimpact.plots.specification_curve`.

        With ``ax`` the curve alone is drawn there.

        Examples
        --------
        >>> from clsimpact.datasets import load_mpdta
        >>> from clsimpact.diagnostics.specification_curve import specification_curve
        >>> curve = specification_curve(load_mpdta(), outcomes=["lemp"], unit="county", time="year",
        ...     cohort="first_treat", estimators=["twfe", "group_time"])
        >>> len(curve.plot().figure.axes)
        2
        """
        from clsimpact.plots.specification_curve import plot_axes

        return plot_axes(self, ax=ax)

    def __repr__(self) -> str:
        return words.short(self)

    def _repr_html_(self) -> str:
        return words.html_table(self)
