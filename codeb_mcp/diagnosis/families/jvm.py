"""The JVM: javac, Kotlin, Scala, Maven, Gradle, sbt, JUnit and the linters that run in them."""

import re
from collections.abc import Iterable

from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.rules import Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

TYPE, IMPORT, SYNTAX = IncidentType.TYPE_ERROR, IncidentType.IMPORT_ERROR, IncidentType.SYNTAX_ERROR
DEPENDENCY, TEST, LINT = (
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.TEST_FAILURE,
    IncidentType.LINT_ERROR,
)
CONFIG, UNKNOWN, INFRA = (
    IncidentType.CONFIG_ERROR,
    IncidentType.UNKNOWN,
    IncidentType.INFRASTRUCTURE,
)

_FRAME = re.compile(
    r"^\s*(?:\[\w+\]\s+)?(?:at )?(?:[\w.-]+//?|app//)?(?P<method>[\w.$<>]+)\((?P<file>[\w$-]+\.(?:java|kt|kts|scala|groovy|clj)):(?P<line>\d+)\)"
)
_LIBRARY = re.compile(
    r"^(?:java|javax|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|org\.(?:junit|hamcrest|opentest4j|assertj|mockito|gradle|apache\.maven|"
    r"scalatest|testng|springframework|codehaus|hibernate|apache\.(?:tomcat|catalina|surefire)|spockframework)|io\.(?:kotest|mockk|micronaut|quarkus|netty|reactor)|"
    r"junit|reactor|com\.google\.(?:common|truth|inject)|worker\.org\.gradle|net\.bytebuddy|sbt|munit|zio|cats)\."
)
_SHORT = re.compile(
    r"^\s+(?P<message>(?:[\w$]+\.)*[\w$]+(?:Error|Exception|Failure|Throwable|Failed|Violation)\w*(?:: .*)?) at (?P<file>[\w$]+\.\w+):(?P<line>\d+)"
)
_MISSING = re.compile(
    r"package .+ does not exist|cannot access|not a member of package|object \S+ is not a member|module not found|error: cannot find symbol.*import"
)
_SYNTAX = re.compile(
    r"^(?:'.+'|<.+>|class, .+) expected$|illegal start of|reached end of file|unclosed |not a statement|class, interface|<identifier> expected|[Ee]xpecting |illegal character|orphaned|'else' without"
)


def frame(lines: Iterable[Line]) -> tuple[str, int] | None:
    """The first frame that is no library's: its file, with the folders of its package."""
    for line in lines:
        found = _FRAME.match(line.text)
        if not found or _LIBRARY.match(found["method"]):
            continue
        package = found["method"].split(".")[:-2]
        folders = [part for part in package if part and part[0].islower() and "$" not in part]
        name = found["file"]
        path = "/".join([*folders, name]) if name.endswith(".java") else name
        return path, int(found["line"][:8])
    return None


def _compiler(sighting: Sighting) -> Finding:
    made = sighting.finding()
    made.message = made.message.removeprefix("error: ")
    if made.file and made.file.endswith((".kt", ".kts")):
        made.tool = "kotlinc"
    below = list(sighting.after(6))
    for line in below[:5]:
        if found := re.match(
            r"(?:\[ERROR\]|\[error\])?\s*(?P<what>symbol|location|required|found|reason):\s+(?P<text>.+)",
            line.text,
        ):
            made.message += f" ({found['what']}: {found['text']})"
            made.last = line.number
    if not made.last or made.last == made.at:
        made.last, made.more = made.at, 2
    if _MISSING.search(made.message):
        made.type = IMPORT
    elif _SYNTAX.search(made.message.split(" (")[0]):
        made.type = SYNTAX
    return made


def _stack(sighting: Sighting) -> Finding | None:
    """`Class > test FAILED` or `… <<< FAILURE!`, the exception below it, then its stack."""
    made = sighting.finding()
    lines: list[Line] = []
    for line in sighting.after(60):
        if re.match(
            r"(?:\S.* > .+ (?:FAILED|PASSED|SKIPPED)|.*<<< (?:FAILURE|ERROR)!|> Task |\[(?:INFO|ERROR)\] (?:Tests run|Running)|BUILD )",
            line.text,
        ):
            break
        lines.append(line)
    said = next(
        (line.text.strip() for line in lines if line.text.strip() and not _FRAME.match(line.text)),
        "",
    )
    short = next((found for line in lines[:3] if (found := _SHORT.match(line.text))), None)
    name = re.sub(r"\s+Time elapsed.*|\s*--\s.*", "", made.message)
    made.message = f"{name}: {short['message'] if short else said}"
    if place := frame(lines):
        made.file, made.line = place
    elif short:
        made.file, made.line = short["file"], int(short["line"][:8])
    made.last = min((lines[-1].number if lines else made.at), made.at + 12)
    made.related.add((made.file or "").rsplit("/", 1)[-1])
    if made.file is None and not said:
        made.weight = Weight.SUMMARY
    return made


def _surefire(sighting: Sighting) -> Finding:
    """`[ERROR]   AppTest.adds:12 expected: <1> but was: <2>`."""
    name = (sighting.group("name") or "").split(".")
    inner = sighting.group("inner")
    method = re.sub(r"\(.*\)$", "", name[-1])
    owner = inner or (name[-2] if len(name) > 1 else name[0])
    made = sighting.finding(message=f"{'.'.join(name)}: {sighting.group('message')}")
    made.file = f"{owner.split('$')[0]}.java"
    made.code = None
    made.related.add(made.file)
    del method
    return made


def _goal(sighting: Sighting) -> Finding:
    made = sighting.finding()
    text = made.message
    made.weight = Weight.CONSEQUENCE
    made.type = UNKNOWN
    if re.search(
        r"Could not resolve dependencies|Could not find artifact|Could not transfer artifact|Failed to collect dependencies|enforcer|dependency-plugin|Non-resolvable",
        text,
    ):
        made.type, made.weight = DEPENDENCY, Weight.ROOT
        if re.search(
            r"Connect(?:ion)? ?timed out|Connection re|Unknown host|status code: 50\d|502|503|Read timed out",
            text,
        ):
            made.type = INFRA
    elif re.search(r"surefire|failsafe", text):
        made.type = TEST
        if "There are test failures" not in text and "test failures" not in text:
            made.weight = Weight.SUMMARY
    elif re.search(r"compiler-plugin|kotlin-maven-plugin|scala-maven-plugin", text):
        made.type = TYPE
        made.weight = Weight.CONSEQUENCE if "Compilation failure" in text else Weight.SUMMARY
    elif re.search(
        r"checkstyle|pmd|spotbugs|spotless|fmt-maven|formatter|license-maven|ktlint|detekt", text
    ):
        made.type, made.weight = LINT, Weight.SUMMARY
    elif "dependency-check" in text:
        made.type, made.weight = IncidentType.SECURITY_VULN, Weight.SUMMARY
    return made


def _went_wrong(sighting: Sighting) -> Finding | None:
    """Gradle: `* What went wrong:` and a paragraph; above it perhaps `* Where:` and a place."""
    said: list[str] = []
    made = sighting.finding()
    for line in sighting.after(25):
        text = line.text.strip()
        if text.startswith(("* Try", "* Exception", "* Get more")):
            break
        if text:
            said.append(text.lstrip("> "))
            made.last = line.number
    made.message = " ".join(said[:8])
    for line in sighting.before(5):
        if found := re.search(
            r"(?:Build|Settings|Script) file '(?P<file>[^']+)' line: (?P<line>\d+)", line.text
        ):
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
            made.first = line.number
    text = made.message
    made.type = CONFIG
    if re.search(r"There were failing tests", text):
        made.type, made.weight = TEST, Weight.CONSEQUENCE
    elif re.search(r"[Cc]ompilation (?:failed|error)|Compile error", text):
        made.type, made.weight = TYPE, Weight.CONSEQUENCE
    elif re.search(
        r"format violations|[Ll]int|[Cc]heckstyle|PMD|SpotBugs|ktlint|detekt|spotless", text
    ):
        made.type, made.weight = LINT, Weight.SUMMARY
        if files := [word for word in said if re.match(r"[\w./-]+\.\w+$", word)]:
            made.file = relative(files[0])
    elif re.search(
        r"Could not (?:resolve|find|download|GET|HEAD|determine the dependencies)|No matching variant|Plugin \[id",
        text,
    ):
        made.type = DEPENDENCY
        if re.search(
            r"timed out|Connection re|UnknownHost|status code 50\d|Too Many|No such host", text
        ):
            made.type = INFRA
    elif re.search(r"finished with non-zero exit value|Process '.+'|exit code", text):
        made.type, made.weight = UNKNOWN, Weight.CONSEQUENCE
    elif not text:
        return None
    return made


def _exception(sighting: Sighting) -> Finding | None:
    lines = list(sighting.after(40))
    made = sighting.finding()
    if place := frame(lines):
        made.file, made.line = place
    made.last, made.more = made.at, 10
    if re.search(r"OutOfMemoryError|No space left", made.message):
        made.type, made.weight = INFRA, Weight.ROOT
    elif re.search(r"ClassNotFoundException|NoClassDefFoundError", made.message):
        made.type = IMPORT
    return made


def _violations(sighting: Sighting) -> list[Finding]:
    made = []
    for line in sighting.after(30):
        if found := re.match(r"\s{2,}(?P<file>[\w./-]+\.\w+)$", line.text):
            made.append(
                sighting.finding(
                    file=relative(found["file"]),
                    message="has format violations",
                    at=line.number,
                    first=line.number,
                    last=line.number,
                )
            )
        elif line.text.strip().startswith(("Run ", "> ", "* ")):
            break
    return made or [sighting.finding()]


def _scalatest(sighting: Sighting) -> Finding:
    made = sighting.finding()
    for line in sighting.after(5):
        if found := re.search(r"(?P<text>\S.*) \((?P<file>\w+\.\w+):(?P<line>\d+)\)$", line.text):
            made.file, made.line = found["file"], int(found["line"][:8])
            made.message += ": " + found["text"].removeprefix("[info]").strip()
            made.last = line.number
            break
    return made


_JAVA = r"(?P<file>(?:[A-Za-z]:)?[^\s:\[\]]{1,300}\.(?:java|kts?|scala|groovy))"


def _pom(sighting: Sighting) -> Finding:
    made = sighting.finding()
    if found := re.search(r"(?P<file>/\S+pom\.xml)(?:.*?@.*line (?P<line>\d+))?", made.message):
        made.file = relative(found["file"])
        made.line = int(found["line"][:8]) if found["line"] else None
    if "Non-resolvable" in made.message:
        made.type = DEPENDENCY
    return made


RULES: tuple[Rule, ...] = (
    rule(
        "javac",
        TYPE,
        "rror: ",
        rf"^(?:\[javac\] |\s*)?{_JAVA}:(?P<line>\d+): error: (?P<message>.+)$",
        _compiler,
    ),
    rule(
        "maven",
        TYPE,
        "ERROR",
        rf"^\[ERROR\]\s+(?:file://)?{_JAVA}:\[(?P<line>\d+),(?P<column>\d+)\] (?!\()(?P<message>.+)$",
        _compiler,
    ),
    rule(
        "maven",
        TYPE,
        "ERROR",
        rf"^\[ERROR\]\s+(?:file://)?{_JAVA}: \((?P<line>\d+), (?P<column>\d+)\) (?P<message>.+)$",
        _compiler,
    ),
    rule(
        "checkstyle",
        LINT,
        ("ERROR", "rror"),
        rf"^(?:\[ant:checkstyle\] )?\[(?:ERROR|error)\]\s+{_JAVA}:\[?(?P<line>\d+)(?:[,:](?P<column>\d+))?\]?:? (?:\(\w+\) )?(?P<message>.+?)(?:: | \[)(?P<code>\w+)\]?\.?$",
    ),
    rule(
        "checkstyle",
        LINT,
        "rror",
        rf"^\[ERROR\]\s+{_JAVA}:\[(?P<line>\d+)(?:,(?P<column>\d+))?\] \((?P<group>\w+)\) (?P<code>\w+): (?P<message>.+)$",
    ),
    rule(
        "kotlinc",
        TYPE,
        ("rror", "nresolved", "annot", "<:line:column>"),
        rf"^e: (?:file://)?{_JAVA}:(?: ?\()?(?P<line>\d+)[:,] ?(?P<column>\d+)\)?:? (?P<message>.+)$",
        _compiler,
    ),
    rule(
        "scalac",
        TYPE,
        "rror]",
        rf"^\[error\] (?:-- (?:\[E\d+\] )?[\w ]*Error: )?{_JAVA}:(?P<line>\d+)(?::(?P<column>\d+))?:? ?(?P<message>.*)$",
        _compiler,
    ),
    rule(
        "junit",
        TEST,
        "<<< ",
        r"^(?:\[ERROR\]\s+)?(?P<message>\S.*?)\s+(?:-- )?Time elapsed: .+<<< (?:FAILURE|ERROR)!",
        lambda s: None if s.line.text.startswith(("Tests run", "[ERROR] Tests run")) else _stack(s),
    ),
    rule(
        "junit",
        TEST,
        "ERROR",
        r"^\[ERROR\]\s{3,}(?P<name>[\w$.]+(?:\(.*?\))?)(?:->(?P<inner>[\w$]+)(?:\.\w+)?)?:(?P<line>\d+)(?:->\S+)?\s+(?P<message>\S.*)$",
        _surefire,
        Weight.SUMMARY,
    ),
    rule("junit", TEST, "FAILED", r"^(?P<message>\S.* > .+?)(?:\(\))? FAILED$", _stack),
    rule(
        "junit", TEST, "Failed tests", r"^Failed tests:\s+(?P<message>\S.+)$", weight=Weight.SUMMARY
    ),
    rule(
        "scalatest",
        TEST,
        "FAILED",
        r"^(?:\[info\] )?\s*- (?P<message>.+) \*\*\* FAILED \*\*\*",
        _scalatest,
    ),
    rule(
        "spotless",
        LINT,
        "violat",
        r"(?P<message>The following files had format violations)",
        _violations,
    ),
    rule(
        "maven",
        CONFIG,
        "ERROR",
        r"^\[ERROR\]\s+(?P<message>(?:Malformed POM|Non-parseable POM|The goal you specified|No plugin found for prefix|The build could not read|Unknown lifecycle phase|'[\w.]+' for .+ is missing|Non-resolvable (?:parent )?(?:POM|import POM)|Could not find the selected project).*)",
        _pom,
    ),
    rule("maven", UNKNOWN, "ERROR", r"^\[ERROR\]\s+(?P<message>Failed to execute goal .+)", _goal),
    rule("gradle", CONFIG, "went wrong", r"^\* What went wrong:$", _went_wrong),
    rule(
        "gradle", UNKNOWN, "FAILED", r"^> Task (?P<message>\S+ FAILED)$", weight=Weight.CONSEQUENCE
    ),
    rule(
        "java",
        UNKNOWN,
        "xception in",
        r"^Exception in thread \"[^\"]+\" (?P<message>.+)$",
        _exception,
        Weight.HINT,
    ),
    rule(
        "java",
        IMPORT,
        "rror: Could not find or load",
        r"^Error: (?P<message>Could not find or load main class .+)$",
    ),
    rule("java", INFRA, "OutOfMemory", r"(?P<message>java\.lang\.OutOfMemoryError: .+)"),
    rule(
        "sbt",
        UNKNOWN,
        "rror]",
        r"^\[error\] (?P<message>\(.+ / .+\) .+)$",
        weight=Weight.CONSEQUENCE,
    ),
)
