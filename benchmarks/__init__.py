"""Measurements: each prints its figures beside those of a baseline taken in the same run."""
