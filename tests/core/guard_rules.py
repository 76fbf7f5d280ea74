"""The guard with the rules of this repository, for its tests."""

from pathlib import Path

from codeb_mcp.guard.compose import diff_of
from codeb_mcp.guard.rules import load_rules
from codeb_mcp.guard.verdict import Verdict, judge

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "rules" / "bypass"
RULES = load_rules({path.name: path.read_text() for path in FOLDER.glob("*.toml")})


def verdict_on(path: str, old: str | None, new: str | None) -> Verdict:
    """The verdict on a change of one file."""
    return judge(diff_of(path, old, new), RULES)


def decision(path: str, old: str | None, new: str | None) -> str:
    """`allow`, `review` or `block`."""
    return verdict_on(path, old, new).decision.value
