"""Fairway: from a commit to production, built once and promoted by digest."""

__version__ = "0.1.0"
