"""How the documentation is built: `make site` writes docs/_build/html, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from latex2mathml.converter import convert

import clsimpact

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "clsimpact"
author = "The clsimpact developers"
copyright = author  # noqa: A001
release = version = clsimpact.__version__
language = "en-GB"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "inherited-members": False}
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"clsimpact {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_math_renderer = "mathml"


def inline_math(self: Any, node: nodes.math) -> None:
    """Write an equation within a line as MathML, which browsers draw by themselves."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block_math(self: Any, node: nodes.math_block) -> None:
    """Write an equation of its own as MathML; one that is wide can be scrolled by keyboard."""
    self.body.append('<div class="equation" tabindex="0">')
    self.body.append(convert(node.astext(), display="block"))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the writer of equations."""
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
