"""Results as tables for other programs: the clipboard, Word, LaTeX, HTML and Markdown.

Every format shows the same cells, carries sample, inference, caveats and source, and says SIMULATED of what
is made up.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from clsimpact._check import kind_label, sample_words, unit_text
from clsimpact._spreadsheet import harmless_text
from clsimpact.errors import ClsimpactError

if TYPE_CHECKING:
    from clsimpact._explain import Shown
    from clsimpact.comparison import Comparison
    from clsimpact.report._table import Table
    from clsimpact.results import Estimate

__all__ = ["Exports", "comparison_table", "estimate_table"]


class Exports(ABC):
    """Ways out of the library, for results to inherit."""

    __slots__ = ()

    @abstractmethod
    def _table(self) -> Table:
        """Return the result as a publication table."""

    def to_clipboard(self) -> None:
        """Copy the table with its caption, notes and source, to paste into Word or Excel.

        Cells are separated by tabs. A cell that a spreadsheet would run as a formula is put in quotes.

        Raises
        ------
        ClsimpactError
            There is no clipboard, as on a server.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).to_clipboard()  # doctest: +SKIP
        """
        table = self._table()
        rows = [[table.caption], table.headings, *([cell.text for cell in row] for row in table.rows)]
        rows += [[line] for line in table.remarks] + ([[f"Source: {table.source}"]] if table.source else [])
        width = len(table.headings)
        cells = [[*map(harmless_text, row), *[""] * (width - len(row))] for row in rows]
        try:
            pd.DataFrame(cells).to_clipboard(excel=True, sep="\t", index=False, header=False)
        except RuntimeError as error:
            raise ClsimpactError(
                "There is no clipboard to copy to.",
                [str(error).strip().split("\n")[0]],
                repair="Write a file instead: to_docx(path), or tidy().to_csv(path); on Linux install xclip.",
            ) from None

    def to_docx(self, path: str | Path) -> Path:
        """Write the table as a Word document; needs ``pip install clsimpact[report]``.

        Parameters
        ----------
        path
            File to write; its folder is made if it does not exist.

        Returns
        -------
        pathlib.Path
            The file. The same result gives the same bytes.

        Raises
        ------
        ClsimpactError
            python-docx is not installed, the name of the file ends otherwise than in ``.docx``, or it is a
            folder.

        Examples
        --------
        >>> import tempfile
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).to_docx(Path(tempfile.mkdtemp()) / "table.docx").name
        'table.docx'
        """
        from clsimpact.report.tables import to_docx

        table = self._table()
        return to_docx([table], path, title=table.title)

    def to_html(self) -> str:
        """Return the table as HTML that a screen reader can read, everything escaped.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).to_html().splitlines()[0]
        '<div class="table" id="estimate-twfe-lemp">'
        """
        from clsimpact.report.tables import to_html

        return to_html(self._table())

    def to_latex(self) -> str:
        r"""Return the table as LaTeX; the document needs ``\usepackage{booktabs}``.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> print(twfe(example_design()).to_latex().splitlines()[0])
        \begin{table}
        """
        from clsimpact.report.tables import to_latex

        return to_latex(self._table())

    def to_markdown(self) -> str:
        """Return the table as Markdown; needs ``pip install clsimpact[report]``.

        Raises
        ------
        ClsimpactError
            tabulate is not installed.

        Examples
        --------
        >>> from clsimpact.datasets import example_design
        >>> from clsimpact.estimators import twfe
        >>> twfe(example_design()).to_markdown().startswith("**Effect of adoption on teen employment")
        True
        """
        from clsimpact.report.tables import to_markdown

        return to_markdown(self._table())


def estimate_table(fit: Estimate, said: Shown) -> Table:
    """Return an estimate as a publication table: a row per term."""
    from clsimpact._estimator_names import NAMES
    from clsimpact._explain import in_sentence
    from clsimpact.report._table import Table

    design, frame = fit.design, fit.tidy()
    unit = f" ({unit_text(design)})" if unit_text(design) else ""
    ends = f"{100 * fit.level:.4g}% interval, "
    columns = {
        "term": "Term", "estimate": f"Estimate{unit}", "std_error": "Standard error", "p_value": "p-value",
        "conf_low": f"{ends}low", "conf_high": f"{ends}high", "n_units": "Treated units",
    }  # fmt: skip
    name = NAMES.get(fit.estimator, fit.estimator)
    title = f"Effect of adoption on {in_sentence(design.outcome_label)}: {name}"
    notes = (f"Sample: {sample_words(design)}, {design.n_obs} rows.", _inference_note(fit), *said.below)
    return Table(
        _name("estimate", fit.estimator, design.outcome), title, frame, columns, notes,
        source=_source(design.source), simulated=design.simulated,
        decimals={"p_value": 3, **_same_places(frame)},
    )  # fmt: skip


def _same_places(frame: pd.DataFrame) -> dict[str, int | None]:
    """Give estimates, errors and ends of intervals the same places."""
    from clsimpact.report._table import _places

    names = ("estimate", "std_error", "conf_low", "conf_high")
    places = _places(pd.concat([frame[name] for name in ("estimate", "std_error")], ignore_index=True))
    return dict.fromkeys(names, places)


def _inference_note(fit: Estimate) -> str:
    """Say where errors and intervals come from: draws give no covariance, so errors have one of their own."""
    errors, drawn = kind_label(fit.vcov.kind), kind_label(fit.method)
    if errors == drawn:
        return f"Standard errors, p-values and intervals: {drawn}."
    return f"Standard errors: {errors}. p-values and intervals: {drawn}."


def _name(*parts: str) -> str:
    """Return the label of a table: that of another result in the same paper or page is another."""
    return re.sub("[^A-Za-z0-9]+", "-", "-".join(parts)).strip("-")


def _source(text: str) -> str:
    return text.removeprefix("Source:").strip()


def comparison_table(both: Comparison) -> Table:
    """Return a comparison as a publication table: a row per event time, a column per estimate."""
    from clsimpact._explain import in_sentence
    from clsimpact.report._table import Table

    design = both.entries[0].fit.design
    frame = both.table().reset_index(names="event time")
    heads = {name: str(name).capitalize() for name in frame.columns[:2]}
    heads |= {name: str(name) for name in frame.columns[2:]}
    unit = f" ({unit_text(design)})" if unit_text(design) else ""
    title = f"Effect of adoption on {in_sentence(design.outcome_label)}{unit}, by estimator"
    notes = tuple(text if text.endswith(".") else f"{text}." for text in (*both.warnings(), *both.notes))
    level = f"Estimates with {100 * both.entries[0].fit.level:.4g}% intervals."
    return Table(
        _name("comparison", design.outcome), title, frame, heads, (level, *notes),
        source=_source(design.source), simulated=design.simulated,
    )  # fmt: skip
