"""Whatever a value holds, an env file re-read has that variable so, and no other is changed."""

from pathlib import Path

from hypothesis import example, given

from codeb_mcp.adapters.env_files import changed_text, imported, parse_env
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import VariableName
from codeb_mcp.errors import InvalidRequest
from tests.injection.hostile import hostile, many

NAME, OTHER = VariableName("NAME"), VariableName("OTHER")
BEFORE = "# the shop's\nOTHER=stays = as it is \nNAME=before\n"
PLACE = Path("/srv/shop.env")


def as_podman(text: str) -> dict[str, str]:
    """An env file by the rules of `podman run --env-file`, in which only a newline ends a line."""
    found = {}
    for line in text.split("\n"):
        line = line.removesuffix("\r")  # noqa: PLW2901 - as Go's scanner does
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        assert equals, f"{line!r} would be taken from the environment of Podman itself"
        found[name.lstrip()] = value
    return found


@many
@given(hostile)
@example("a\x0bPORT=1")
@example("a\x0b")
@example("a\r")
def test_no_value_adds_or_changes_another_variable(value: str) -> None:
    try:
        text = changed_text(BEFORE, {NAME: Secret(value)})
    except InvalidRequest:
        return
    wanted = {"OTHER": "stays = as it is ", "NAME": value}
    assert parse_env(text, PLACE) == wanted
    assert as_podman(text) == wanted
    text.encode()


@many
@given(hostile, hostile)
def test_no_imported_file_adds_a_variable_that_it_does_not_name(first: str, second: str) -> None:
    source = f"A={first}\nexport B='{second}'\n"
    try:
        variables = imported(source, PLACE)
        text = changed_text(BEFORE, variables)
    except InvalidRequest:
        return
    named = {line.partition("=")[0].strip() for line in source.splitlines()}
    allowed = {name.removeprefix("export ").strip() for name in named}
    assert as_podman(text).keys() <= allowed | {"OTHER", "NAME"}
    assert as_podman(text) == parse_env(text, PLACE)
    assert as_podman(text)["OTHER"] == "stays = as it is " or "OTHER" in variables
