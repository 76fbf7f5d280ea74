"""pip, uv, Poetry, Pipenv, conda and what builds packages; tox and nox."""

import re

from codeb_mcp.diagnosis.families.javascript_packages import NETWORK
from codeb_mcp.diagnosis.rules import Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

DEPENDENCY, INFRA, CONFIG = (
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.INFRASTRUCTURE,
    IncidentType.CONFIG_ERROR,
)
UNKNOWN = IncidentType.UNKNOWN

_NO_NETWORK = re.compile(
    r"Read timed out|ReadTimeoutError|Max retries exceeded|ConnectionResetError|Connection (?:aborted|refused|reset|broken)|Temporary failure|"
    r"Name or service not known|NewConnectionError|IncompleteRead|No space left|SSLError|ProxyError|timed out|Request failed after|5\d\d Server Error|dns error|error sending request|tcp connect"
)


def _pip(sighting: Sighting) -> Finding:
    made = sighting.finding()
    if _NO_NETWORK.search(made.message) or NETWORK.search(made.message):
        made.type = INFRA
    elif found := re.search(
        r"\(from (?:line (?P<line>\d+) of |-r )(?P<file>[^\s)]+)(?: \(line (?P<line2>\d+)\))?",
        made.message,
    ):
        made.file = found["file"].rstrip(")")
        made.line = int((found["line"] or found["line2"] or "0")[:8]) or None
    made.last, made.more = made.at, 3
    return made


def _subprocess(sighting: Sighting) -> Finding:
    """pip's box around the failure of a package's own build."""
    made = sighting.finding()
    for line in sighting.after(120):
        text = line.text.strip(" │╰─>")
        if re.match(r"note: This error originates|\[end of output\]", text):
            break
        if (
            re.match(r"(?:\w*Error|error|fatal error|\S+: (?:fatal )?error)\b.*: ?\S", text)
            or "not found" in text
        ):
            made.message = text
            made.last = line.number
    made.first = max(made.first, made.last - 20)
    return made


def _tree(sighting: Sighting) -> Finding:
    """uv: `× No solution found …` and, below, `╰─▶ Because …`, on several lines."""
    said = [sighting.group("message") or ""]
    made = sighting.finding()
    for line in sighting.after(20):
        text = line.text.strip(" │├╰─▶")
        if not text or re.match(r"(?:hint|help):", text):
            break
        said.append(text)
        made.last = line.number
    made.message = " ".join(said)
    if _NO_NETWORK.search(made.message):
        made.type = INFRA
    return made


def _two(sighting: Sighting) -> Finding:
    said = [line.text.strip() for line in sighting.after(6) if line.text.strip()][:2]
    return sighting.finding(
        message=" ".join([sighting.group("message") or "", *said]),
        last=sighting.line.number,
        more=4,
    )


RULES: tuple[Rule, ...] = (
    rule(
        "pip",
        CONFIG,
        "ERROR: ",
        r"^\s*ERROR: (?P<message>(?:Could not open requirements file|Invalid requirement|Directory .+ is not installable|File \".+\" not found|Error parsing requirements|You must give at least).*)",
        _pip,
    ),
    rule(
        "pip",
        DEPENDENCY,
        "ERROR: ",
        r"^\s*ERROR: (?P<message>(?:Could not find a version|No matching distribution|Cannot install|ResolutionImpossible|Package '?.+'? requires a different Python|Ignored the following|THESE PACKAGES DO NOT|Could not install packages|Could not build wheels|Failed building wheel|Failed to build|Command errored out|Hashes are required|In --require-hashes|Invalid wheel|Could not detect requirement|HTTP error|.+ is not a supported wheel|Wheel .+ is invalid|Exception:).*)",
        _pip,
    ),
    rule(
        "pip",
        DEPENDENCY,
        "rror: subprocess-exited",
        r"error: (?P<message>subprocess-exited-with-error)",
        _subprocess,
    ),
    rule("pip", CONFIG, "rror: externally", r"^error: (?P<message>externally-managed-environment)"),
    rule(
        "pip",
        DEPENDENCY,
        "ERROR: ",
        r"^ERROR: (?P<message>pip's dependency resolver .+)",
        weight=Weight.HINT,
    ),
    rule(
        "pip",
        INFRA,
        ("rror", "exceeded"),
        r"(?P<message>(?:requests\.exceptions|urllib3\.exceptions|pip\._vendor\.\S+)\.\w*(?:ConnectionError|ReadTimeout\w*|ConnectTimeout\w*|ProtocolError|MaxRetryError|SSLError)\b.*)",
        weight=Weight.HINT,
    ),
    rule(
        "uv",
        DEPENDENCY,
        "×",
        r"^\s*× (?P<message>(?:No solution found|Failed to (?:build|download|resolve|fetch|extract|read)|Distribution not found|Dependency|Package `|Failed to).*)",
        _tree,
    ),
    rule(
        "uv",
        DEPENDENCY,
        "rror: ",
        r"^error: (?P<message>(?:Failed to (?:build|download|fetch|install|prepare|resolve|determine)|The lockfile at|Unable to find lockfile|Distribution|Package|Request failed|No solution|Because|Could not (?:find|connect)|Requirements|Group|Extra|Hash mismatch|Failed to parse).*)",
        _tree,
    ),
    rule("poetry", DEPENDENCY, "failed", r"(?P<message>.*version solving failed\.?)"),
    rule(
        "poetry",
        DEPENDENCY,
        ("rror",),
        r"^\s*(?P<message>(?:SolverProblemError|RuntimeError|PackageNotFoundError|HashMismatch\w*))$",
        _two,
        Weight.SUMMARY,
    ),
    rule(
        "poetry",
        DEPENDENCY,
        (" would", "annot", "rror", "limit"),
        r"^(?:Error: )?(?P<message>(?:pyproject\.toml changed significantly|poetry\.lock is not up to date).*)",
    ),
    rule(
        "pipenv",
        DEPENDENCY,
        ("ERROR", "failed", "rror"),
        r"(?P<message>(?:Your Pipfile\.lock \(.+\) is out of date|ERROR:: Aborting deploy|Locking Failed!|ResolutionFailure).*)",
    ),
    rule(
        "conda",
        DEPENDENCY,
        ("rror:", "not found", "NotFound", "rror"),
        r"(?P<message>(?:ResolvePackageNotFound|PackagesNotFoundError|LibMambaUnsatisfiableError|UnsatisfiableError|SpecsConfigurationConflictError|CondaHTTPError):?.*)",
        _two,
    ),
    rule(
        "setuptools",
        DEPENDENCY,
        "rror: ",
        r"^\s*error: (?P<message>(?:command '.+' failed|Microsoft Visual C\+\+ .+ is required|can't find Rust compiler|invalid command '.+').*)",
        weight=Weight.HINT,
    ),
    rule(
        "tox",
        UNKNOWN,
        ("FAIL", "ERROR: Invocation"),
        r"^\s*(?P<message>(?:ERROR: InvocationError for command|\S+: FAIL (?:✖|code \d+)).*)",
        weight=Weight.CONSEQUENCE,
    ),
    rule(
        "nox",
        UNKNOWN,
        "failed",
        r"^nox > (?P<message>(?:Command .+ failed|Session .+ failed).*)",
        weight=Weight.CONSEQUENCE,
    ),
)
