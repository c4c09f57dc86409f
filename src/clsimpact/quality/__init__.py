"""What is known to be odd about the returns, by council, year and return. Nothing here changes a figure."""

from clsimpact.quality.coverage import coverage
from clsimpact.quality.report import QualityReport, quality
from clsimpact.quality.rules import RULES

__all__ = ["RULES", "QualityReport", "coverage", "quality"]
