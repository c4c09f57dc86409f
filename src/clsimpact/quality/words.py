"""The rules in words, as Markdown: what the documentation says of them."""

from __future__ import annotations

from clsimpact.quality.rules import RULES

__all__ = ["rules_markdown"]


def rules_markdown() -> str:
    """Return every rule with its reason, in the order of the report.

    Returns
    -------
    str
        One section a rule; ``docs/quality.md`` holds this text.

    Examples
    --------
    >>> print(rules_markdown().splitlines()[0])
    ## Not submitted (`submitted`)
    """
    sections = []
    for rule in RULES:
        facts = {
            "Looks at": rule.looks_at,
            "Speaks": rule.threshold,
            "False alarms": rule.false_alarms,
            "Cannot see": rule.cannot_see,
            "Source": rule.source,
        }
        lines = [f"- **{name}.** {words}" for name, words in facts.items() if words]
        sections.append("\n".join([f"## {rule.title} (`{rule.name}`)", "", *lines, ""]))
    return "\n".join(sections)
