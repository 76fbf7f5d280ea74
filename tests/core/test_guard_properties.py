"""A known bypass stays one in every disguise and place; an honest line stays honest."""

import base64

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from codeb_mcp.guard.compose import diff_of
from codeb_mcp.guard.verdict import judge
from tests.core.guard_rules import RULES, decision

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

CHECKS = st.sampled_from(
    ["npm test", "pnpm run lint", "pytest -q", "go test ./...", "npx tsc --noEmit", "mvn verify"]
)
SPACES = st.sampled_from(["", " ", "  ", "\t"])
NOTHING = st.sampled_from(["true", ":", "exit 0", "/bin/true", "(exit 0)", "{ true; }", "echo ok"])
COMMENTS = st.sampled_from(["", " # flaky", "  # see the wiki"])


@st.composite
def ignored(draw: st.DrawFn) -> str:
    """A check whose failure is ignored, in some spelling of a shell."""
    check, nothing = draw(CHECKS), draw(NOTHING)
    form = draw(st.integers(0, 6))
    if form == 0:
        return f"{check}{draw(SPACES)}||{draw(SPACES)}{nothing}"
    if form == 1:
        return f"({check}) || {nothing}"
    if form == 2:
        return f"bash -c '{check} || {nothing}'"
    if form == 3:
        return f"if ! {check}; then echo failed; fi"
    if form == 4:
        return f"{check}; true"
    if form == 5:
        coded = base64.b64encode(f"{check} || true".encode()).decode()
        return f"echo {coded} | base64 -d | sh"
    return f"set +e; {check}"


PLACES = {
    "scripts/check.sh": "#!/bin/sh\nset -e\n{}\nnpm run build\n",
    ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: |\n          {}\n",
    ".gitlab-ci.yml": "test:\n  script:\n    - |\n      {}\n",
    "Makefile": "check:\n\t{}\n",
    "Dockerfile": "FROM node:20\nRUN {}\n",
    ".husky/pre-push": "{}\n",
    "deploy/check.service": '[Service]\nExecStart=/bin/sh -c "{}"\n',
}


@few
@given(ignored(), st.sampled_from(sorted(PLACES)), COMMENTS)
@example("npm test||:", ".gitlab-ci.yml", "")  # not a key, though it ends with a colon
def test_ignored_failure_is_found_wherever_it_is_hidden(line: str, path: str, tail: str) -> None:
    if path.endswith(".service"):
        line, tail = line.replace('"', "'"), ""
    place = PLACES[path]
    old = place.replace("{}", "npm ci")
    new = place.replace("{}", line + tail)
    assert decision(path, old, new) == "block", new


@few
@given(CHECKS, st.sampled_from([" || exit 1", " || { echo failed; exit 1; }", " && echo ok", ""]))
def test_check_that_may_fail_is_not_blocked(check: str, tail: str) -> None:
    for path, place in PLACES.items():
        if path.endswith(".service"):
            continue
        old = place.replace("{}", f"{check}")
        new = place.replace("{}", check + tail)
        assert decision(path, old, new) != "block", new


DIRECTIVES = [
    ("src/a.ts", "// {}", "@ts-ignore"),
    ("src/a.tsx", "/* {} */", "@ts-expect-error"),
    ("src/a.js", "/* {} */", "eslint-disable no-undef"),
    ("src/a.vue", "// {}", "eslint-disable-next-line"),
    ("shop/a.py", "x = 1  # {}", "type: ignore"),
    ("shop/a.py", "x = 1  # {}", "noqa: E501"),
    ("shop/a.py", "x = 1  # {}", "nosec"),
    ("shop/a.py", "x = 1  # {}", "pragma: no cover"),
    ("a.go", "// {}", "nolint:errcheck"),
    ("a.rb", "# {}", "rubocop:disable Metrics"),
    ("a.php", "// {}", "@phpstan-ignore-next-line"),
    ("A.java", "// {}", "NOSONAR"),
    ("a.sh", "# {}", "shellcheck disable=SC2086"),
    ("a.cpp", "f(); // {}", "NOLINT"),
    ("a.swift", "// {}", "swiftlint:disable all"),
    ("a.dart", "// {}", "ignore: unused_import"),
]


@pytest.mark.parametrize(("path", "form", "directive"), DIRECTIVES)
def test_directive_is_found_as_a_comment_and_nowhere_else(
    path: str, form: str, directive: str
) -> None:
    code = "\n".join(f"call{n}();" if not path.endswith(".py") else f"call{n}()" for n in range(4))
    assert decision(path, code, f"{form.format(directive)}\n{code}") == "block"
    quoted = f'text = "{directive}"' if path.endswith((".py", ".rb")) else f'f("{directive}");'
    assert decision(path, code, f"{quoted}\n{code}") == "allow"
    assert decision("docs/a.md", "text", f"text\n{form.format(directive)}") == "allow"
    assert decision(path, f"{form.format(directive)}\n{code}", code) == "allow"
    indented = f"  {form.format(directive)}\n{code}"
    assert decision(path, f"{form.format(directive)}\n{code}", indented) == "allow"


SKIPS = [
    ("src/a.test.ts", "{}('adds', () => {{\n  expect(add(1, 2)).toBe(3);\n}});", "it", "it.skip"),
    ("src/a.test.ts", "{}('adds', () => {{\n  expect(add(1, 2)).toBe(3);\n}});", "it", "xit"),
    ("src/a.test.ts", "{}('adds', () => {{\n  expect(add(1, 2)).toBe(3);\n}});", "it", "it.only"),
    ("tests/test_a.py", "{}def test_a():\n    assert add(1, 2) == 3", "", "@pytest.mark.skip\n"),
    ("tests/test_a.py", "{}def test_a():\n    assert add(1, 2) == 3", "", "@unittest.skip('x')\n"),
    ("tests/test_a.py", "{}def test_a():\n    assert add(1, 2) == 3", "", "@pytest.mark.xfail\n"),
    ("src/lib.rs", "#[test]\n{}fn a() {{ assert_eq!(1, 1 + 0); }}", "", "#[ignore]\n"),
    ("src/test/java/ATest.java", "@Test\n{}void a() {{ check(); }}", "", "@Disabled\n"),
    ("A.Tests/ATest.cs", "{}\npublic void A() {{ Check(); }}", "[Fact]", '[Fact(Skip = "x")]'),
    ("tests/ATest.php", "function testA() {{ {}$this->a(); }}", "", "$this->markTestSkipped(); "),
    ("test/a_test.exs", '{}test "a" do\n  assert f() == 1\nend', "", "@tag :skip\n"),
]


@pytest.mark.parametrize(("path", "form", "before", "after"), SKIPS)
def test_skipped_test_is_blocked_and_unskipped_is_not(
    path: str, form: str, before: str, after: str
) -> None:
    old, new = form.format(before), form.format(after)
    assert decision(path, old, new) == "block"
    assert decision(path, new, old) == "allow"


PRIVILEGED = [
    ("compose.yml", "services:\n  a:\n    image: b\n    privileged: true"),
    ("k8s/pod.yaml", "spec:\n  containers:\n    - securityContext:\n        privileged: yes"),
    ("k8s/pod.yaml", "spec:\n  hostPID: true"),
    ("a.container", "[Container]\nPodmanArgs=--privileged"),
    ("main.tf", 'resource "docker_container" "a" {\n  privileged = true\n}'),
    ("run.sh", "docker run --privileged a"),
    ("run.sh", "podman run --cap-add=SYS_ADMIN a"),
    ("run.py", "subprocess.run(['docker', 'run', '--privileged', 'a'])"),
    (".github/workflows/a.yml", "jobs:\n  a:\n    container:\n      options: --privileged"),
    (".devcontainer/devcontainer.json", '{ "runArgs": ["--privileged"] }'),
    ("Makefile", "run:\n\tdocker run --privileged a"),
    ("package.json", '{ "scripts": { "dev": "docker run --privileged a" } }'),
]


@pytest.mark.parametrize(("path", "text"), PRIVILEGED)
def test_rights_over_the_host_are_found_in_every_file_that_can_say_them(
    path: str, text: str
) -> None:
    assert decision(path, "", text) == "block"


MODES = [
    ("a.sh", "chmod 777 x"),
    ("a.sh", "chmod -R a+rwx x"),
    ("a.sh", "M=777\nchmod $M x"),
    ("a.sh", "ch''mod \"7\"77 x"),
    ("a.sh", "find . -exec chmod 0777 {} +"),
    ("a.sh", "chmod u=rwx,g=rwx,o=rwx x"),
    ("a.sh", "umask 000"),
    ("a.py", "os.chmod(p, 0o777)"),
    ("a.py", "p.chmod(511)"),
    ("a.py", "os.chmod(p, stat.S_IRWXU | stat.S_IRWXO)"),
    ("a.js", "fs.chmodSync(p, '777')"),
    ("a.ts", "await chmod(p, 0o777)"),
    ("a.go", "os.Chmod(p, 0777)"),
    ("a.rb", "FileUtils.chmod 0777, p"),
    ("a.php", "chmod($p, 0777);"),
    ("a.rs", "Permissions::from_mode(0o777)"),
    ("Dockerfile", "COPY --chmod=777 a b"),
    ("playbook.yml", "- file:\n    path: a\n    mode: '0777'"),
]


@pytest.mark.parametrize(("path", "text"), MODES)
def test_mode_that_lets_all_write_is_found_in_every_spelling(path: str, text: str) -> None:
    assert decision(path, "", text) == "block"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.sh", "chmod 755 x"),
        ("a.sh", "chmod u+x,go-w x"),
        ("a.sh", "chmod 1777 /tmp/x"),
        ("a.py", "os.chmod(p, 0o640)"),
        ("a.go", "os.Chmod(p, 0644)"),
        ("a.js", "server.listen(777)"),
        ("a.sh", "umask 027"),
    ],
)
def test_careful_mode_is_allowed(path: str, text: str) -> None:
    assert decision(path, "", text) == "allow"


@few
@given(st.text(max_size=400), st.sampled_from([*PLACES, "a.ts", "a.py", "a.json", "a.md"]))
def test_no_text_makes_the_guard_fail(text: str, path: str) -> None:
    plain = text.replace("\0", "").replace("\r", "")
    judge(diff_of(path, "x\n", plain), RULES)


SYNTAX = """|| && ( ) { } $( ` ' " \\ if fi then [[ ]] <<EOF true catch except: # // /* */ - : |"""
FRAGMENTS = st.lists(st.sampled_from([*SYNTAX.split(), "\n", "run: |", "   "]), max_size=60)


@few
@given(FRAGMENTS, st.sampled_from([*PLACES, "a.ts", "a.py", "a.json", "a.yaml", "Dockerfile"]))
def test_no_broken_syntax_makes_the_guard_fail(parts: list[str], path: str) -> None:
    judge(diff_of(path, "x\n", " ".join(parts)), RULES)


LONG = {
    "(": 20_000,
    "a": 200_000,
    " ": 200_000,
    "||": 50_000,
    "$(": 5_000,
    "'": 99_999,
    "\\": 99_999,
    "[": 50_000,
    "catch (": 20_000,
    "if x; then ": 8_000,
    "#!": 50_000,
    "it.x(": 30_000,
    "-----": 20_000,
    "curl ": 40_000,
    "pytest ": 30_000,
    "git commit ": 20_000,
    '"a"+': 50_000,
}


@pytest.mark.parametrize("piece", LONG)
@pytest.mark.timeout(60)
def test_long_lines_are_judged_in_linear_time(piece: str) -> None:
    line = piece * LONG[piece]
    for path in ("a.sh", "a.ts", "a.py", "a.yml", "package.json", "Dockerfile", "tests/test_a.py"):
        judge(diff_of(path, "x\n", line), RULES)
