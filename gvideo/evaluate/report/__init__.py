"""The report: one HTML file that needs nothing else, and its figures as TSV and JSON beside it.

Evaluation -> plot.py (SVG), pictures.py (side by side), page.py (sections) -> report.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gvideo.lazy import attach

if TYPE_CHECKING:
    from gvideo.evaluate.report.page import write_report

__all__ = ["write_report"]

# plot.py is wanted without the extras, too
__getattr__, __dir__ = attach(__name__, {"write_report": "gvideo.evaluate.report.page"})
