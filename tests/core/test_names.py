"""Names that end up in files, units, command lines and DNS are refused unless they are plain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.domain.names import (
    DomainName,
    EnvironmentKind,
    EnvironmentName,
    HealthPath,
    ImageReference,
    ProjectName,
    VersionTag,
)
from codeb_mcp.errors import InvalidRequest

HOSTILE = [
    "",
    "../etc",
    "shop/../x",
    "shop\n",
    "shop\nExecStartPre=/bin/sh",
    "-rf",
    "--privileged",
    "a" * 300,
    "\u0455hop",
    "shop\u200b",
    "\uff53hop",
    "shop;id",
    "shop$(id)",
    "shop%n",
    "shop\x00",
    "Shop",
    "shop ",
    "shop-",
    "1shop",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_project_name_is_refused_with_a_bounded_printable_message(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ProjectName(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    assert caught.value.hint


@pytest.mark.parametrize("text", ["a", "shop", "my-next-app", "a1", "a" * 40])
def test_plain_project_name_is_taken_as_it_is(text: str) -> None:
    assert ProjectName(text) == text


@given(st.text())
def test_every_project_name_is_a_dns_label_or_refused(text: str) -> None:
    try:
        name = ProjectName(text)
    except InvalidRequest:
        return
    assert DomainName(f"{name}.localhost") == f"{name}.localhost"


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("production", "production", EnvironmentKind.PRODUCTION),
        ("prod", "production", EnvironmentKind.PRODUCTION),
        ("staging", "staging", EnvironmentKind.STAGING),
        ("pr-7", "pr-7", EnvironmentKind.PREVIEW),
    ],
)
def test_environment_is_read(text: str, name: str, kind: EnvironmentKind) -> None:
    environment = EnvironmentName(text)
    assert (environment, environment.kind) == (name, kind)


@pytest.mark.parametrize("text", [*HOSTILE, "pr-", "pr-0", "pr-07", "pr-x", "dev", "pr-1\n"])
def test_unknown_environment_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        EnvironmentName(text)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("ghcr.io/org/app:v1.2.3", "v1.2.3"),
        ("localhost/app", "latest"),
        ("127.0.0.1:5000/app", "latest"),
        ("127.0.0.1:5000/app:7", "7"),
        (f"ghcr.io/org/app@sha256:{'a' * 64}", ""),
    ],
)
def test_image_reference_knows_its_tag(text: str, tag: str) -> None:
    assert ImageReference(text).tag == tag


@pytest.mark.parametrize(
    "text", [*HOSTILE[:7], "App:1", "app:", "app@sha256:12", "a//b", "docker://app", "app:1\n"]
)
def test_bad_image_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        ImageReference(text)


@pytest.mark.parametrize("text", ["health", "", "/a b", "/a\nb", "//" + "a" * 300, "http://x/"])
def test_bad_health_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        HealthPath(text)


@pytest.mark.parametrize("text", ["-v", "", "a b", "v1\n", "v" * 129])
def test_bad_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        VersionTag(text)


def test_domain_is_lowered_and_loses_its_final_dot() -> None:
    assert DomainName("Shop.Example.COM.") == "shop.example.com"
    assert DomainName("a.example.com").is_within(DomainName("example.com"))
    assert not DomainName("badexample.com").is_within(DomainName("example.com"))


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a.b", "a_b.c", "bücher.example", "a" * 64, "a b"]
)
def test_bad_domain_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        DomainName(text)
