"""The report: one HTML file that needs nothing else, and its figures as TSV and JSON beside it.

Evaluation -> plot.py (SVG), pictures.py (side by side), page.py (sections) -> report.html
"""

from gvideo.evaluate.report.page import write_report

__all__ = ["write_report"]
