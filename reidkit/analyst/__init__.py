"""The analyst's application: one notebook over one table of labels, opened in JupyterLab or served by Voila."""

from reidkit.analyst.application import Application, open_application
from reidkit.analyst.source import Source

__all__ = ["Application", "Source", "open_application"]
