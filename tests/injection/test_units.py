"""Whatever the values, a unit re-read by systemd's rules has the directives that codeb meant."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from codeb_mcp.domain.confinement import Confinement, Volume, parse_capabilities
from codeb_mcp.domain.host import ContainerSpec
from codeb_mcp.domain.job import Command, JobName, Schedule
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.domain.task import JobSpec, Task
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.job_units import job_timer, job_unit
from codeb_mcp.planning.quadlet import container_unit
from tests.injection.hostile import almost_name, hostile, many, mostly_line
from tests.injection.unit_syntax import directives, words

SPEC = ContainerSpec(
    key=EnvironmentKey(ProjectName("shop"), EnvironmentName("production")),
    slot=Slot.BLUE,
    release=7,
    image="localhost/codeb/shop/production:r7",
    image_id="a" * 64,
    host_port=3000,
    container_port=8080,
    env=(("A", "plain"),),
    env_file="/srv/plain.env",
    command=("serve", "plain"),
    log_path="/srv/r7.log",
    home="/srv/codeb",
    network="codeb-shop",
    confinement=Confinement(
        memory=64 * 1024**2,
        cpus=0.5,
        pids=50,
        capabilities=parse_capabilities(["CHOWN"]),
        read_only=True,
        volumes=(Volume.parse("data:/data"),),
    ),
)


def keys(unit: str) -> list[tuple[str, str]]:
    return [(each.section, each.key) for each in directives(unit)]


def values(unit: str, key: str) -> list[str]:
    return [each.value for each in directives(unit) if each.key == key]


@many
@given(
    mostly_line,
    mostly_line,
    mostly_line,
    mostly_line,
    st.one_of(st.just("plain.env"), almost_name, hostile),
)
@example("x\nExecStartPre=/bin/sh", "", "", "", "")
@example("ends with \\", "\\", "%h", "a b", '"')
def test_no_value_adds_a_directive_to_a_release_s_unit(
    value: str, word: str, home: str, log: str, env_file: str
) -> None:
    spec = replace(
        SPEC,
        env=(("A", value),),
        command=("serve", word),
        home=home,
        log_path=f"/srv/{log}",
        env_file=f"/srv/{env_file}",
    )
    try:
        unit = container_unit(spec)
    except InvalidRequest:
        return
    assert keys(unit) == keys(container_unit(SPEC))
    assert [words(each) for each in values(unit, "Environment")] == [[f"A={value}"]]
    assert words(values(unit, "Exec")[0]) == ["serve", word]
    assert [f"dev.codeb.home={home}"] in [words(each) for each in values(unit, "Label")]
    assert values(unit, "EnvironmentFile") == [f"/srv/{env_file}".replace("%", "%%")]
    assert words(values(unit, "PodmanArgs")[0])[0] in (
        f"--log-opt=path=/srv/{log}",
        f"--memory={64 * 1024**2}",
    )
    assert [f"--log-opt=path=/srv/{log}", "--log-opt=max-size=10mb"] in [
        words(each) for each in values(unit, "PodmanArgs")
    ]


def job(word: str, schedule: str, home: str = "/srv") -> JobSpec:
    task = Task(
        key=SPEC.key,
        image_id=SPEC.image_id,
        command=Command(("backup", word)),
        env=SPEC.env,
        confinement=SPEC.confinement,
        network=SPEC.network,
        home=home,
    )
    return JobSpec(task, JobName("nightly"), Schedule(schedule), "/srv/job-nightly.log")


@many
@given(mostly_line, st.one_of(st.just("*-*-* 03:00"), hostile), mostly_line)
def test_no_value_adds_a_directive_to_a_job_s_units(word: str, schedule: str, home: str) -> None:
    plain = job("plain", "*-*-* 03:00")
    try:
        spec = job(word, schedule, home)
        unit, timer = job_unit(spec), job_timer(spec)
    except InvalidRequest:
        return
    assert keys(unit) == keys(job_unit(plain))
    assert words(values(unit, "Exec")[0]) == ["backup", word]
    assert keys(timer) == keys(job_timer(plain))
    assert values(timer, "OnCalendar") == [schedule.strip()]


def test_a_value_that_is_not_quoted_would_be_noticed() -> None:
    unit = container_unit(SPEC).replace('"A=plain"', "A=x\nExecStartPre=/bin/sh")
    assert keys(unit) != keys(container_unit(SPEC))
