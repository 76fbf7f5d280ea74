"""C and C++ and what builds them: GCC, Clang, MSVC, linkers, make, CMake, Ninja, Meson, their tests.

GCC's form, `file:line:column: error: message`, is that of many compilers: the file's ending tells.
"""

import re

from codeb_mcp.diagnosis.rules import AT, FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

TYPE, IMPORT, SYNTAX = IncidentType.TYPE_ERROR, IncidentType.IMPORT_ERROR, IncidentType.SYNTAX_ERROR
CONFIG, DEPENDENCY, TEST = (
    IncidentType.CONFIG_ERROR,
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.TEST_FAILURE,
)
LINT, UNKNOWN, INFRA = IncidentType.LINT_ERROR, IncidentType.UNKNOWN, IncidentType.INFRASTRUCTURE

_COMPILERS = {
    "swift": "swiftc",
    "kt": "kotlinc",
    "kts": "kotlinc",
    "hs": "ghc",
    "zig": "zig",
    "dart": "dart",
    "java": "javac",
    "proto": "protoc",
    "scala": "scalac",
    "cr": "crystal",
    "ml": "ocaml",
    "f90": "gfortran",
    "cu": "nvcc",
    "rs": "rustc",
    "go": "go",
    "nim": "nim",
    "vala": "vala",
    "sol": "solc",
    "s": "as",
    "S": "as",
    "yml": "yaml",
    "yaml": "yaml",
    "d": "dmd",
    "m": "clang",
    "mm": "clang",
    "tf": "terraform",
    "sh": "shellcheck",
}
_IMPORT = re.compile(
    r"No such file or directory|file not found|cannot find module|no such module|cannot open (?:source|include) file|[Pp]ackage .+ does not exist|Could not find module|Import \".+\" was not found|Unable to find module|cannot import"
)
_SYNTAX = re.compile(
    r"^(?:expected (?!type |argument |a type)|parse error|syntax error|unterminated|stray |missing terminating|unexpected |extraneous |Expected |consecutive statements|expected$)"
)
_FLAG = re.compile(
    r"\s*\[(?P<code>-W[\w=+-]+|[a-z][\w.]+(?:-[\w.-]+)+|GHC-\d+|[a-z_]{4,})(?:,-W[\w=+-]+)?\]$"
)


def _compiler(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    ending = (made.file or "").rsplit(".", 1)[-1]
    if ending in {"py", "pyi", "ts", "tsx", "js", "jsx"} or re.fullmatch(
        r"[\d.]*", made.file or ""
    ):
        return None
    made.tool = _COMPILERS.get(ending, "gcc")
    if flag := _FLAG.search(made.message):
        made.code, made.message = flag["code"], _FLAG.sub("", made.message)
    if not made.message or made.message.startswith("[GHC"):
        below = [line.text.strip(" •") for line in sighting.after(3) if line.text.strip()]
        made.message = f"{made.message} {' '.join(below[:2])}".strip()
    if _IMPORT.search(made.message):
        made.type = IMPORT
    elif _SYNTAX.search(made.message):
        made.type = SYNTAX
    elif "XCTAssert" in made.message or re.match(r"-\[\w+ \w+\]", made.message):
        made.type, made.tool = TEST, "xctest"
    elif made.code and "-" in made.code and not made.code.startswith("-W"):
        made.type, made.tool = LINT, "clang-tidy"
    for line in sighting.after(3):
        if re.match(r"\s*(?:\d+\s*)?\|", line.text) or re.match(r"\s+\S", line.text):
            made.last = line.number
        else:
            break
    return made


def _linker(sighting: Sighting) -> Finding:
    made = sighting.finding()
    if made.file and not re.search(r"\.(?:c|cc|cpp|cxx|f90|rs|m|mm)$", made.file):
        made.file = None
    return made


def _cmake(sighting: Sighting) -> Finding:
    said: list[str] = []
    made = sighting.finding()
    for line in sighting.after(20):
        text = line.text.strip()
        if not text and len(said) >= 2:
            break
        if text.startswith(("Call Stack", "CMake ", "-- ")):
            break
        if text:
            said.append(text)
            made.last = line.number
    made.message = " ".join(said[:5]) or made.message
    if re.search(
        r"Could ?(?:NOT|not) find|package configuration file|required packages were not found|could not be found|not find (?:a )?package",
        made.message,
    ):
        made.type = DEPENDENCY
    return made


def _gtest(sighting: Sighting) -> Finding:
    said = [
        line.text.strip()
        for line in sighting.after(6)
        if line.text.strip() and not line.text.startswith("[")
    ]
    return sighting.finding(
        message=" ".join(said[:4]) or "Failure", last=sighting.line.number, more=4
    )


def _ctest(sighting: Sighting) -> list[Finding]:
    made = []
    for line in sighting.after(60):
        found = re.match(
            r"\s+\d+ - (?P<name>.+) \((?:Failed|Timeout|Not Run|SEGFAULT|.*Exception.*|ILLEGAL|Subprocess aborted)\)",
            line.text,
        )
        if found:
            made.append(
                sighting.finding(
                    message=f"{found['name']} failed",
                    at=line.number,
                    first=line.number,
                    last=line.number,
                )
            )
        elif line.text.strip() and made:
            break
    return made


def _make(sighting: Sighting) -> Finding:
    made = sighting.finding()
    if made.file == "Makefile" or made.file is None:
        made.file = made.file if made.line else "Makefile"
    return made


def _msvc(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    code = made.code or ""
    if code.startswith("TS"):
        return None
    made.tool = {
        "CS": "csc",
        "FS": "fsc",
        "BC": "vbc",
        "NU": "nuget",
        "MS": "msbuild",
        "CA": "dotnet",
        "ID": "dotnet",
    }.get(code[:2], "msvc")
    if code.startswith(("NU", "NET")):
        made.type = DEPENDENCY
    elif code.startswith("MS"):
        made.type = CONFIG
    elif code.startswith(("CA", "IDE", "SA", "S1", "RCS")):
        made.type = LINT
    elif code in {"CS0246", "CS0234", "C1083", "FS0039"}:
        made.type = IMPORT if code != "FS0039" else TYPE
    elif code in {
        "CS1002",
        "CS1003",
        "CS1513",
        "CS1514",
        "CS1026",
        "C2143",
        "C2059",
        "CS1525",
        "CS1022",
    }:
        made.type = SYNTAX
    return made


RULES: tuple[Rule, ...] = (
    rule(
        "gcc", INFRA, "illed", r"(?P<message>.*fatal error: Killed signal terminated program \w+)"
    ),
    rule(
        "gcc",
        TYPE,
        "rror",
        rf"^(?:In file included from .+|\S+: )?\s*{AT}: (?:fatal |internal compiler )?[eE]rror: ?(?P<message>.*)$",
        _compiler,
    ),
    rule(
        "nvcc",
        TYPE,
        "rror",
        rf"^{FILE}\((?P<line>\d+)\): (?:catastrophic )?error(?: #(?P<code>\S+))?: (?P<message>.+)$",
    ),
    rule(
        "msvc",
        TYPE,
        "rror ",
        rf"(?:^|\s|>){FILE}\((?P<line>\d+)(?:,(?P<column>\d+))?(?:,\d+,\d+)?\)\s?: (?:fatal )?error (?P<code>[A-Z]{{1,4}}\d{{3,5}})\s?: (?P<message>.+?)(?: \[\S+\.\w+proj.*\])?$",
        _msvc,
    ),
    rule(
        "ld",
        IMPORT,
        "undefined",
        rf"(?:{FILE}:(?:(?P<line>\d+)|\([^)]*\)): )?(?P<message>undefined reference to .+)$",
        _linker,
    ),
    rule(
        "ld",
        IMPORT,
        "annot find",
        r"(?:^|/)(?:ld|lld|ld\.\w+|collect2)\S*: (?:error: )?(?P<message>(?:cannot|unable to) find .+)$",
    ),
    rule(
        "ld",
        IMPORT,
        ("rror: undefined", "Undefined symbols"),
        r"^(?:ld(?:\.lld)?: )?(?:error: )?(?P<message>(?:undefined symbol|Undefined symbols for).*)$",
    ),
    rule(
        "ld",
        UNKNOWN,
        ("rror: ld", "rror: linker"),
        r"(?P<message>(?:collect2|clang\S*|gcc|g\+\+): error: (?:ld|linker) .+)",
        weight=Weight.CONSEQUENCE,
    ),
    rule(
        "cmake",
        CONFIG,
        "CMake Error",
        rf"^CMake Error(?: \(dev\))? (?:at|in) {FILE}:(?P<line>\d+)(?: \(.*\))?:?$",
        _cmake,
    ),
    rule("cmake", CONFIG, "CMake Error", r"^CMake Error: (?P<message>.+)$", _cmake),
    rule(
        "make",
        CONFIG,
        "*** ",
        r"^(?P<file>[\w./-]*[Mm]akefile[\w.]*|[\w./-]+\.mk):(?P<line>\d+): \*\*\* (?P<message>.+?)\.?\s+Stop\.$",
        _make,
    ),
    rule(
        "make",
        CONFIG,
        "*** No ",
        r"^(?:\S*make\S*(?:\[\d+\])?): \*\*\* (?P<message>No (?:rule to make target|targets specified).+)$",
        _make,
    ),
    rule(
        "make",
        UNKNOWN,
        "*** [",
        r"^\S*make\S*(?:\[\d+\])?: \*\*\* (?P<message>\[.+\] .+)$",
        weight=Weight.CONSEQUENCE,
    ),
    rule(
        "ninja",
        UNKNOWN,
        "ninja: ",
        r"^(?P<message>ninja: (?:build stopped|error): .+)$",
        weight=Weight.CONSEQUENCE,
    ),
    rule("configure", DEPENDENCY, "rror: ", r"^configure: error: (?P<message>.+)$"),
    rule(
        "pkg-config",
        DEPENDENCY,
        "not found",
        r"^(?:Package '?.+'?, required by '.+', |Package )(?P<message>.*(?:not found|was not found in the pkg-config search path).*)$",
        weight=Weight.SUMMARY,
    ),
    rule("meson", CONFIG, "ERROR: ", rf"^{AT}: ERROR: (?P<message>.+)$"),
    rule("bazel", UNKNOWN, "ERROR: ", rf"^ERROR: {AT}: (?P<message>.+)$", weight=Weight.SUMMARY),
    rule("gtest", TEST, "Fail", rf"^{FILE}:(?P<line>\d+): Failure$", _gtest),
    rule("catch2", TEST, "FAILED", rf"^{FILE}:(?P<line>\d+): (?P<message>FAILED):?$", _gtest),
    rule("ctest", TEST, "tests FAILED", r"^The following tests FAILED:$", _ctest, Weight.SUMMARY),
    rule(
        "gtest",
        TEST,
        "FAILED",
        r"^\[  FAILED  \] (?P<message>\S+?)(?: \(\d+ ms\))?$",
        weight=Weight.SUMMARY,
    ),
    rule(
        "assert",
        TEST,
        "ssertion ",
        rf"{FILE}:(?P<line>\d+): .{{0,200}}: (?P<message>Assertion [`'].+' failed\.?)",
    ),
)
