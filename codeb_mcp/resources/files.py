"""The Markdown files of `prompts/` and `rules/`, from the wheel or from a checkout."""

from importlib.resources import files
from pathlib import Path


def read_text(folder: str, name: str) -> str:
    """The text of one file."""
    installed = files("codeb_mcp").joinpath("_data", folder, name)
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    # An editable install runs from the checkout, where the folders lie beside the package.
    return (Path(__file__).parents[2] / folder / name).read_text(encoding="utf-8")
