"""Diagnosis: a raw failure log in, incidents out. Pure.

To teach it one more tool, add a `Rule` to the file of its family in `families/` (or a file to
`families/` and its name to `families/__init__.py`), and a log that the tool really wrote to
`tests/cases/logs/` with what it should be read as.
"""

from codeb_mcp.diagnosis.engine import diagnose

__all__ = ["diagnose"]
