"""What `codeb init` writes into a project's folder, as text. Placeholders stand between `@`."""

from importlib.resources import files


def template(name: str) -> str:
    """The text of the template of that name."""
    return files("codeb_mcp.templates").joinpath(name).read_text(encoding="utf-8")
