"""reidkit: learn unsupervised person re-identification, and diagnose its pseudo-labels."""

__version__ = "0.1.0"
