"""Package managers of JavaScript: npm, pnpm, Yarn in both its lives, Bun."""

import re

from codeb_mcp.diagnosis.rules import Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

DEPENDENCY, INFRA, CONFIG = (
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.INFRASTRUCTURE,
    IncidentType.CONFIG_ERROR,
)
SYNTAX, UNKNOWN = IncidentType.SYNTAX_ERROR, IncidentType.UNKNOWN

NETWORK = re.compile(
    r"CERT_HAS_EXPIRED|UNABLE_TO_(?:GET|VERIFY)|SELF_SIGNED_CERT|certificate has expired|ETIMEDOUT|ECONNRESET|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ESOCKETTIMEDOUT|ERR_SOCKET_TIMEOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|"
    r"socket hang up|network timeout|E50[0-9]|E429|\b50[234] |Too Many Requests|\b429\b|FETCH_ERROR|UND_ERR"
)
_DISK = re.compile(r"ENOSPC|EMFILE|ENOMEM|EIO\b")
_NPM = re.compile(r"npm (?:ERR!|error) ?(?P<text>.*)")
_LIFECYCLE = frozenset(("ELIFECYCLE", "1", "2", "127", "126", "130", "134", "137"))


def _npm(sighting: Sighting) -> Finding | None:
    """`npm ERR! code E404` and the lines that go with it."""
    code = sighting.group("code") or ""
    if code in _LIFECYCLE or code.isdigit():
        return _lifecycle(sighting)
    said: list[str] = []
    made = sighting.finding(code=code)
    for line in sighting.after(30):
        found = _NPM.match(line.text)
        if not found:
            break
        text = re.sub(
            rf"^(?:{re.escape(code)}|{code.lstrip('E')}|notsup|nerf|notarget)\b ?",
            "",
            found["text"],
        ).strip()
        if text.startswith(
            (
                "A complete log",
                "errno",
                "syscall",
                "path ",
                "dest ",
                "command ",
                "network This",
                "network If",
                "node -v",
                "npm -v",
                "System",
                "signal",
            )
        ):
            continue
        if text:
            said.append(text)
            made.last = line.number
        if len(said) >= 8:
            break
    made.message = f"{code}: {' '.join(said)}" if said else code
    if NETWORK.search(code) or _DISK.search(code):
        made.type = INFRA
    elif code in {"EJSONPARSE", "JSON.parse"}:
        made.type, made.file = CONFIG, "package.json"
    elif code in {
        "ENEEDAUTH",
        "E401",
        "E403",
        "EOTP",
        "ENOWORKSPACES",
        "EUSAGE",
        "EINVALIDTAGNAME",
    }:
        made.type = DEPENDENCY if code in {"EUSAGE", "E403"} else CONFIG
    elif code == "ENOENT" and "package.json" in made.message:
        made.type, made.file = CONFIG, None
    return made


def _lifecycle(sighting: Sighting) -> Finding:
    """A script of a dependency that failed while it was installed, else only a consequence."""
    block = [found["text"] for line in sighting.after(40) if (found := _NPM.match(line.text))]
    text = "\n".join(block)
    made = sighting.finding(weight=Weight.CONSEQUENCE, code=sighting.group("code"))
    made.type = UNKNOWN
    installs = re.search(
        r"(?:path|in) .*node_modules|gyp ERR!|node-pre-gyp|node-gyp|(?:post|pre)?install:", text
    )
    if installs and not re.search(r"^Lifecycle script `(?:test|build|lint)", text, re.M):
        made.type, made.weight = DEPENDENCY, Weight.SUMMARY
        said = [line.strip() for line in block if re.search(r"(?:rror|ERR!|not found|annot)", line)]
        path = next((line for line in block if line.startswith("path ")), "")
        made.message = f"{path} {said[0] if said else sighting.line.text}".strip()
    made.last = made.at + min(len(block), 20)
    return made


def _missing_script(sighting: Sighting) -> Finding:
    return sighting.finding(file="package.json")


def _pnpm(sighting: Sighting) -> Finding:
    code = sighting.group("code") or ""
    made = sighting.finding(message=f"{code}: {sighting.group('message') or ''}")
    said = [text for line in sighting.after(6) if (text := line.text.strip(" │├╰─▶×"))]
    if len(made.message) < len(code) + 30 and said:
        made.message = f"{made.message} {' '.join(said[:3])}"
    made.last, made.more = made.at, 4
    if re.search(r"FETCH_5|FETCH_429|META_FETCH_FAIL|TARBALL_INTEGRITY", code) or NETWORK.search(
        made.message
    ):
        made.type = INFRA
    elif re.search(
        r"NO_SCRIPT|UNSUPPORTED_ENGINE|NO_IMPORTER_MANIFEST|INVALID_|BAD_PM_VERSION|JSON_PARSE|FETCH_401|FETCH_403|BAD_PACKAGE_JSON|CONFIG",
        code,
    ):
        made.type = CONFIG
    elif re.search(r"RECURSIVE_(?:RUN|EXEC)|LIFECYCLE|EXEC_", code):
        made.weight, made.type = Weight.CONSEQUENCE, UNKNOWN
    return made


def _yarn(sighting: Sighting) -> Finding:
    made = sighting.finding()
    if NETWORK.search(made.message):
        made.type = INFRA
    return made


_BERRY = re.compile(r"➤ (?P<code>YN\d{4}): (?:[│┌└·] )*(?P<message>\S.*)")
# what Yarn says in passing, with a code as well
_BERRY_GOOD = frozenset(
    (
        *("YN0000", "YN0002", "YN0005", "YN0007", "YN0013", "YN0019", "YN0032", "YN0060"),
        *("YN0061", "YN0062", "YN0066", "YN0068", "YN0076", "YN0084", "YN0085", "YN0086"),
    )
)


def _berry_errors(sighting: Sighting) -> list[Finding] | None:
    """Yarn's colours tell errors from the rest; without them only the last line says there were."""
    made = []
    for line in sighting.before(120):
        found = _BERRY.match(line.text)
        if not found or found["code"] in _BERRY_GOOD:
            continue
        one = sighting.finding(code=found["code"], message=found["message"], at=line.number)
        one.first = one.last = line.number
        made.append(one)
    return made[::-1] or None


def _berry(sighting: Sighting) -> Finding | None:
    """Yarn 2 and later say everything with a code, good news too."""
    code, message = sighting.group("code") or "", sighting.group("message") or ""
    if code in {"YN0000", "YN0013", "YN0007", "YN0002", "YN0019"}:
        if not re.match(r"Failed with errors", message):
            return None
        return sighting.finding(weight=Weight.CONSEQUENCE, type=UNKNOWN)
    made = sighting.finding()
    if code == "YN0001" and NETWORK.search(message):
        made.type = INFRA
    return made


RULES: tuple[Rule, ...] = (
    rule(
        "yarn", DEPENDENCY, "Failed with errors", r"^➤ YN0000: .*Failed with errors", _berry_errors
    ),
    rule(
        "npm audit",
        IncidentType.INFRASTRUCTURE,
        "rror audit",
        r"^npm (?:ERR!|error) (?P<message>audit endpoint returned an error.*)",
    ),
    rule(
        "npm",
        CONFIG,
        ("ERR! Missing script", "rror Missing script", "ERR! missing script"),
        r"npm (?:ERR!|error) (?P<message>[Mm]issing script: .+)",
        _missing_script,
    ),
    rule(
        "npm",
        DEPENDENCY,
        ("ERR! code", "rror code"),
        r"npm (?:ERR!|error) code (?P<code>\S+)",
        _npm,
    ),
    rule(
        "npm",
        DEPENDENCY,
        "annot",
        r"npm (?:ERR!|error) (?P<message>(?:cannot|Cannot) (?:read properties|find|perform) .+)",
    ),
    rule(
        "npm",
        UNKNOWN,
        ("ERR!", "rror"),
        r"npm (?:ERR!|error) (?P<message>(?:Test failed|Lifecycle script `.+` failed|.*Exit status \d+|weird error).*)",
        weight=Weight.CONSEQUENCE,
    ),
    rule(
        "npm",
        DEPENDENCY,
        ("ERR! cipm", "ERR! Invalid", "rror Invalid: lock"),
        r"npm (?:ERR!|error) (?P<message>(?:cipm can only|Invalid: lock file|Invalid Version|Invalid tag name).+)",
    ),
    rule("pnpm", DEPENDENCY, "ERR_PNPM", r"(?P<code>ERR_PNPM_\w+)\W*(?P<message>.*)", _pnpm),
    rule(
        "pnpm",
        UNKNOWN,
        ("failed", "exit"),
        r"^\s*ELIFECYCLE\s+(?P<message>(?:Command|Test) failed.*)",
        weight=Weight.CONSEQUENCE,
    ),
    rule(
        "yarn",
        UNKNOWN,
        "rror Command failed",
        r"^error (?P<message>Command failed.*)",
        weight=Weight.CONSEQUENCE,
    ),
    rule("yarn", CONFIG, "rror Command", r"^error (?P<message>Command \"[^\"]+\" not found\.?)"),
    rule(
        "yarn",
        CONFIG,
        ("rror Couldn't find a package", "rror Couldn't find the"),
        r"^error (?P<message>Couldn't find a package\.json .+)",
    ),
    rule(
        "yarn",
        INFRA,
        "rror An unexpected",
        r"^error (?P<message>An unexpected error occurred: \".*(?:ESOCKETTIMEDOUT|ECONNRESET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|50\d|429|ENOSPC).*)",
    ),
    rule(
        "yarn",
        DEPENDENCY,
        "rror ",
        r"^error (?P<message>(?:\S+@\S+: The (?:engine|platform) .+|Couldn't find (?:any versions|package) .+|Found incompatible module.*|Your lockfile needs to be updated.*|An unexpected error occurred: .+|Integrity check failed.*|\S+: Command failed.*|Incorrect integrity .*))",
        _yarn,
    ),
    rule(
        "yarn",
        DEPENDENCY,
        ("would", "annot", "rror", "ERR", "failed", "ould not", "not found"),
        r"(?:➤|->) (?P<code>YN\d{4}): (?:[│┌└] )*(?P<message>(?=.*(?:would have been|annot|rror|isn't|not found|fail|forbidden|ouldn't|ould not|doesn't)).+)$",
        _berry,
    ),
    rule("yarn", CONFIG, "rror:", r"^Usage Error: (?P<message>.+)"),
    rule(
        "bun",
        DEPENDENCY,
        "rror: ",
        r"^error: (?P<message>(?:No version matching|lockfile had changes|GET https?://\S+ - \d+|Package \".+\" (?:not found|failed)|\S+@\S+ failed to resolve|\S+ failed to resolve).*)",
        _yarn,
    ),
    rule(
        "node-gyp",
        DEPENDENCY,
        "ERR!",
        r"gyp ERR! (?P<message>(?:stack Error|find Python|not ok|build error|configure error).*)",
        weight=Weight.SUMMARY,
    ),
    rule("lerna", UNKNOWN, "ERR!", r"^lerna ERR! (?P<message>.+)", weight=Weight.CONSEQUENCE),
    rule(
        "turbo",
        UNKNOWN,
        ("exit", "ERROR"),
        r"^\s*(?:ERROR:?\s+|\S+#\S+: )(?P<message>(?:command \(|command finished with error|run failed).*)",
        weight=Weight.CONSEQUENCE,
    ),
    rule(
        "nx",
        UNKNOWN,
        ("failed", "Failed"),
        r"^\s*(?:NX|>)\s+(?P<message>(?:Running target .+ failed|Ran target.*failed).*)",
        weight=Weight.CONSEQUENCE,
    ),
)
