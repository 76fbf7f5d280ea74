"""Whatever the values, a command line has the options that codeb meant, and no others."""

import re

from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.domain.confinement import Capability, Confinement, MountPath, Volume, VolumeName
from codeb_mcp.domain.job import Command, JobName, Schedule
from codeb_mcp.domain.names import (
    DomainName,
    EnvironmentName,
    HealthPath,
    ImageReference,
    ProjectName,
    VariableName,
    VersionTag,
)
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.task import Task
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.confined import run_arguments
from tests.injection.hostile import almost_name, hostile, many, mostly_line

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("pr-7"))
PLAIN = Task(KEY, "a" * 64, Command(("true",)), (("PORT", "8080"),), "/srv/x", home="/srv")
# names that stand alone as a word of some command
NAMES = (
    ProjectName,
    EnvironmentName,
    DomainName,
    ImageReference,
    VersionTag,
    VariableName,
    VolumeName,
    MountPath,
    Capability,
    JobName,
    HealthPath,
)


def options(task: Task) -> list[str]:
    """The words before the image, without their values."""
    words = run_arguments(task, "codeb-shop-pr-7-run-1", terminal=False)
    return [word.partition("=")[0] for word in words[: words.index("--")]]


@many
@given(st.lists(mostly_line, min_size=1, max_size=4), hostile, hostile, hostile)
def test_no_value_adds_an_option_to_a_one_off_command(
    command: list[str], value: str, env_file: str, home: str
) -> None:
    try:
        words = Command(tuple(command))
    except InvalidRequest:
        return
    task = Task(KEY, "a" * 64, words, (("PORT", value),), f"/srv/{env_file}", home=home)
    assert options(task) == options(PLAIN)
    argv = run_arguments(task, "codeb-shop-pr-7-run-1", terminal=False)
    assert list(argv[argv.index("--") :]) == ["--", "a" * 64, *command]
    assert f"--env=PORT={value}" in argv


@many
@given(st.sampled_from(NAMES), st.one_of(hostile, almost_name))
def test_no_name_can_be_taken_for_an_option_or_for_two_words(kind: type[str], text: str) -> None:
    try:
        name = kind(text)
    except InvalidRequest:
        return
    assert re.fullmatch(r"[A-Za-z0-9_/][!-~]*", name)
    assert ".." not in name.split("/") or kind is HealthPath


@many
@given(hostile, hostile)
def test_no_volume_has_a_third_part(name: str, path: str) -> None:
    try:
        volume = Volume.parse(f"{name}:{path}")
    except InvalidRequest:
        return
    argv = run_arguments(
        Task(KEY, "a" * 64, Command(("true",)), confinement=Confinement(volumes=(volume,))),
        "x",
        terminal=False,
    )
    (mounted,) = [word for word in argv if word.startswith("--volume=")]
    assert re.fullmatch(r"--volume=codeb-shop-pr-7-[a-z0-9_]+:(/[A-Za-z0-9._-]+)+", mounted)


@many
@given(st.one_of(hostile, st.from_regex(r"[A-Za-z0-9*:., /~-]{0,20}", fullmatch=True)))
def test_no_schedule_is_more_than_one_line_of_a_timer(text: str) -> None:
    try:
        schedule = Schedule(text)
    except InvalidRequest:
        return
    assert re.fullmatch(r"[A-Za-z0-9*:.,/~_+ -]+", schedule)
