"""The rules of the guard, from the wheel or from a checkout."""

from importlib.resources import files
from pathlib import Path


def bypass_rules() -> dict[str, str]:
    """The texts of `rules/bypass/*.toml`, by name."""
    installed = files("codeb_mcp").joinpath("_data", "rules", "bypass")
    if installed.is_dir():
        found = {each.name: each.read_text(encoding="utf-8") for each in installed.iterdir()}
        return {name: text for name, text in found.items() if name.endswith(".toml")}
    # An editable install runs from the checkout, where the rules lie beside the package.
    folder = Path(__file__).parents[2] / "rules" / "bypass"
    return {each.name: each.read_text(encoding="utf-8") for each in folder.glob("*.toml")}
