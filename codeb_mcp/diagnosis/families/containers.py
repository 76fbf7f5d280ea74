"""Container builds: Docker, BuildKit, Podman, Buildah, Kaniko, Compose; what a container says."""

import re

from codeb_mcp.diagnosis.families.javascript_packages import NETWORK
from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.rules import Finding, Rule, Sighting, Weight, rule
from codeb_mcp.diagnosis.telling import most_telling
from codeb_mcp.domain.incident import IncidentType

BUILD, INFRA, CONFIG = (
    IncidentType.CONTAINER_BUILD,
    IncidentType.INFRASTRUCTURE,
    IncidentType.CONFIG_ERROR,
)

_OUTSIDE = re.compile(
    r"toomanyrequests|rate limit|i/o timeout|TLS handshake timeout|connection re(?:set|fused)|no such host|Temporary failure|"
    r"unexpected status(?: code)?.*50\d|received unexpected HTTP status: 50\d|no space left|EOF$|context deadline exceeded|Service Unavailable|net/http: request canceled"
)
_PLACE = re.compile(
    r"^(?P<file>(?:\S+/)?[\w.-]*(?:Dockerfile|Containerfile|dockerfile)[\w.-]*):(?P<line>\d+)$"
)
_RUN = re.compile(
    r"process \"|did not complete successfully|returned a non-zero code|exit status \d|while running runtime|failed to execute command|executor failed running"
)


def _failed(sighting: Sighting) -> Finding:
    """The last word of a builder. A command that failed in it is the cause, if it is known."""
    made = sighting.finding()
    made.last = made.at
    for line in sighting.before(30):
        if found := _PLACE.match(line.text.strip()):
            made.file, made.line, made.first = (
                relative(found["file"]),
                int(found["line"][:8]),
                line.number,
            )
            break
    if found := re.search(
        r"(?:dockerfile parse error(?: on)?|Dockerfile parse error) line (?P<line>\d+)|(?:^|\s)line (?P<line2>\d+): ",
        made.message,
    ):
        made.line = made.line or int((found["line"] or found["line2"])[:8])
        made.file = made.file or "Dockerfile"
    if _OUTSIDE.search(made.message):
        made.type = INFRA
    elif _RUN.search(made.message):
        made.weight = Weight.CONSEQUENCE
        _say_why(sighting, made)
    return made


def _say_why(sighting: Sighting, made: Finding) -> None:
    """A builder's own words name the command only: add what the command said."""
    lines = []
    for line in sighting.window.before(made.first or made.at, 25):
        text = re.sub(r"^\s*(?:#\d+ )?(?:\d+\.\d+ )?", "", line.text)
        if re.match(r"(?:STEP|Step) \d+|-{4,}|\s*>>>|\s*\d+ \|", text) or not text.strip():
            continue
        if re.search(r"exited with status|exit status|ERROR: process", text):
            continue
        line.text = text
        lines.append(line)
    if lines:
        best = most_telling(lines[::-1])
        made.message = f"{made.message}: {best.text.strip()[:300]}"
        made.first = min(made.first or made.at, best.number)


def _daemon(sighting: Sighting) -> Finding:
    made = sighting.finding()
    if _OUTSIDE.search(made.message) or NETWORK.search(made.message):
        made.type = INFRA
    return made


RULES: tuple[Rule, ...] = (
    rule(
        "docker",
        INFRA,
        "annot connect to",
        r"(?P<message>Cannot connect to (?:the Docker daemon|Podman).*)",
    ),
    rule(
        "buildkit",
        BUILD,
        ("failed to solve", "failed to build"),
        r"(?:ERROR|error|Error|target \S+)?:? ?(?:failed to build: |target \S+: )?(?P<message>failed to solve(?: with frontend \S+)?: .+)$",
        _failed,
        within=True,
    ),
    rule(
        "docker",
        BUILD,
        ("ommand '", "returned a non-zero"),
        r"(?P<message>The command '.+' returned a non-zero code: \d+)",
        _failed,
    ),
    rule(
        "docker",
        BUILD,
        ("COPY failed", "ADD failed"),
        r"(?P<message>(?:COPY|ADD) failed: .+)$",
        _failed,
    ),
    rule(
        "docker",
        BUILD,
        ("rror parsing", "arse error", "Unknown instruction", "unknown instruction"),
        r"(?P<message>(?:[Dd]ockerfile parse error|Error response from daemon: [Dd]ockerfile parse error|unknown instruction).*)$",
        _failed,
    ),
    rule(
        "buildah",
        BUILD,
        ("rror: building at", "rror building at"),
        r"[Ee]rror:? (?P<message>building at STEP .+)$",
        _failed,
    ),
    rule(
        "buildah",
        BUILD,
        ("rror: ", "rror "),
        r"^Error: (?P<message>(?:creating build container|no (?:Container|Docker)file|initializing source|copying system image|determining starting point|no FROM statement|short-name|invalid reference format|resolving|unable to copy from source|build error|unrecognized command|the specified .*file).*)$",
        _failed,
    ),
    rule(
        "kaniko",
        BUILD,
        "rror building",
        r"^(?:\S+ )?(?P<message>error building (?:image|stage).+)$",
        _failed,
    ),
    rule(
        "docker",
        BUILD,
        "rror response from daemon",
        r"(?P<message>Error response from daemon: .+)$",
        _daemon,
        Weight.SUMMARY,
    ),
    rule(
        "docker",
        BUILD,
        ("denied",),
        r"(?P<message>.*(?:pull access denied for|requested access to the resource is denied).*)$",
        _daemon,
        Weight.SUMMARY,
    ),
    rule(
        "compose",
        CONFIG,
        ("rror", "undefined", "validating", "nvalid"),
        r"^(?P<message>(?:service \"\S+\" refers to undefined|validating \S+\.ya?ml:|\S*docker-compose\S*: yaml:|The Compose file '.+' is invalid).*)$",
    ),
    rule(
        "container",
        CONFIG,
        "rror",
        r"(?P<message>exec (?:user process caused|\S+): .*exec format error)",
    ),
)
