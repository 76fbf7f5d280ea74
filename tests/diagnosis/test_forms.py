"""Forms of diagnostics, each as its tool documents it, and what follows from what."""

import pytest

from codeb_mcp.diagnosis import diagnose
from codeb_mcp.domain.incident import IncidentType

FORMS = [
    # type, file, line, log
    ("type_error", "main.go", 5, "# example.com/shop\n./main.go:5:2: undefined: x\n"),
    ("syntax_error", "main.go", 7, "./main.go:7:1: syntax error: unexpected }\n"),
    ("import_error", "main.go", 4, "main.go:4:2: no required module provides package github.com/x/y; to add it:\n\tgo get github.com/x/y\n"),
    ("lint_error", "a.go", 9, "a.go:9:3: Error return value is not checked (errcheck)\n"),
    ("test_failure", "calc_test.go", 7, "=== RUN   TestAdd\n    calc_test.go:7: got 1, want 3\n--- FAIL: TestAdd (0.00s)\nFAIL\nFAIL\tshop\t0.01s\n"),
    ("test_failure", "a_test.go", 12, "--- FAIL: TestX (0.00s)\n    a_test.go:12: \n        \tError Trace:\t/app/a_test.go:12\n        \tError:      \tNot equal: \n        \tTest:       \tTestX\nFAIL\n"),
    ("dependency_error", None, None, "go: github.com/x/y@v1.2.3: missing go.sum entry for go.mod file\n"),
    ("type_error", "src/main/java/com/x/App.java", 5, "[ERROR] COMPILATION ERROR : \n[ERROR] /home/runner/work/s/s/src/main/java/com/x/App.java:[5,16] incompatible types: String cannot be converted to int\n[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.11.0:compile (default-compile) on project s: Compilation failure\n"),
    ("test_failure", "com/x/AppTest.java", 12, "[ERROR] com.x.AppTest.adds -- Time elapsed: 0.01 s <<< FAILURE!\norg.opentest4j.AssertionFailedError: expected: <3> but was: <-1>\n\tat org.junit.jupiter.api.AssertionUtils.fail(AssertionUtils.java:55)\n\tat com.x.AppTest.adds(AppTest.java:12)\n"),
    ("test_failure", "AppTest.java", 12, "AppTest > adds() FAILED\n    org.opentest4j.AssertionFailedError at AppTest.java:12\n"),
    ("type_error", "src/main/kotlin/A.kt", 3, "e: file:///home/runner/work/s/s/src/main/kotlin/A.kt:3:5 Type mismatch: inferred type is String but Int was expected\n"),
    ("dependency_error", None, None, "FAILURE: Build failed with an exception.\n\n* What went wrong:\nCould not resolve all files for configuration ':compileClasspath'.\n> Could not find com.acme:nope:1.0.\n\n* Try:\n"),
    ("config_error", "build.gradle", 12, "* Where:\nBuild file '/home/runner/work/s/s/build.gradle' line: 12\n\n* What went wrong:\nA problem occurred evaluating root project 's'.\n> Could not get unknown property 'x'\n\n* Try:\n"),
    ("type_error", "Program.cs", 3, "/home/runner/work/s/s/Program.cs(3,5): error CS0103: The name 'x' does not exist in the current context [/home/runner/work/s/s/s.csproj]\n"),
    ("test_failure", "spec/a_spec.rb", 5, "  1) Sum adds\n     Failure/Error: expect(sum).to eq(3)\n\n       expected: 3\n            got: -1\n     # ./spec/a_spec.rb:5:in `block (2 levels) in <top (required)>'\n"),
    ("lint_error", "app/a.rb", 3, "app/a.rb:3:5: C: [Correctable] Style/StringLiterals: Prefer single-quoted strings\n"),
    ("test_failure", "tests/SumTest.php", 12, "There was 1 failure:\n\n1) SumTest::testAdds\nFailed asserting that -1 matches expected 3.\n\n/app/tests/SumTest.php:12\n\nFAILURES!\n"),
    ("container_build", "Dockerfile", 3, "Dockerfile:3\n--------------------\n   1 |     FROM node:22\n   3 | >>> COPY nope /app\n--------------------\nERROR: failed to solve: failed to compute cache key: failed to calculate checksum of ref x: \"/nope\": not found\n"),
    ("container_build", None, None, "Step 3/5 : RUN npm ci\n ---> Running in 0a1b2c3d4e5f\n/bin/sh: npm: not found\nThe command '/bin/sh -c npm ci' returned a non-zero code: 127\n"),
    ("infrastructure", None, None, "ERROR: failed to solve: node:22: failed to resolve source metadata for docker.io/library/node:22: toomanyrequests: You have reached your pull rate limit\n"),
    ("infrastructure", None, None, "npm ERR! code ECONNRESET\nnpm ERR! network aborted\n"),
    ("infrastructure", None, None, "tar: write error: No space left on device\n"),
    ("infrastructure", None, None, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n"),
    ("infrastructure", None, None, "##[error]The runner has received a shutdown signal. This can happen when the runner service is stopped.\n"),
    ("infrastructure", None, None, "fatal: unable to access 'https://git.example/x.git/': Could not resolve host: git.example\n"),
    ("security_vuln", "src/config.ts", 12, "Finding:     apiKey = \"REDACTED\"\nSecret:      REDACTED\nRuleID:      generic-api-key\nEntropy:     4.1\nFile:        src/config.ts\nLine:        12\nCommit:      0a1b\n\n"),
    ("security_vuln", "package-lock.json", None, "package-lock.json (npm)\n=======================\nTotal: 1 (HIGH: 1)\n\n┌─────────┬────────────────┬──────────┬────────┬───────────┬───────────────┬──────────────────────────────┐\n│ Library │ Vulnerability  │ Severity │ Status │ Installed │ Fixed Version │            Title             │\n├─────────┼────────────────┼──────────┼────────┼───────────┼───────────────┼──────────────────────────────┤\n│ lodash  │ CVE-2021-23337 │ HIGH     │ fixed  │ 4.17.15   │ 4.17.21       │ command injection via template │\n└─────────┴────────────────┴──────────┴────────┴───────────┴───────────────┴──────────────────────────────┘\n"),
    ("type_error", "src/App.tsx", 3, "ERROR in src/App.tsx:3:7\nTS2322: Type 'string' is not assignable to type 'number'.\n"),
    ("type_error", "src/a.ts", 3, "ERROR in /app/src/a.ts\n./src/a.ts 3:7-8\n[tsl] ERROR in /app/src/a.ts(3,7)\n      TS2322: Type 'string' is not assignable to type 'number'.\n"),
    ("lint_error", "pages/index.js", 3, "./pages/index.js\n3:5  Error: 'x' is not defined.  no-undef\n"),
    ("lint_error", "src/App.js", 3, "[eslint] \nsrc/App.js\n  Line 3:5:  'x' is not defined  no-undef\n"),
    ("test_failure", "cypress/e2e/a.cy.ts", 5, "  1 failing\n\n  1) shop\n       adds:\n     AssertionError: expected 1 to equal 3\n      at Context.eval (webpack://shop/./cypress/e2e/a.cy.ts:5:10)\n\n"),
    ("config_error", "package.json", None, "npm error Missing script: \"biuld\"\n"),
    ("lint_error", "src/a.ts", 3, "::error file=src/a.ts,line=3,col=5::unexpected thing\n"),
    ("infrastructure", None, None, "npm error code CERT_HAS_EXPIRED\nnpm error errno CERT_HAS_EXPIRED\nnpm error request to https://registry.example/x failed, reason: certificate has expired\n"),
    ("infrastructure", None, None, "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(': Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/flask/\nERROR: Could not find a version that satisfies the requirement flask (from versions: none)\nERROR: No matching distribution found for flask\n"),
    ("infrastructure", None, None, "#3 [internal] load metadata for docker.io/library/node:22\n#3 ERROR: unexpected status code: 429 Too Many Requests\n------\nERROR: failed to solve: node:22: failed to resolve source metadata\n"),
    ("infrastructure", None, None, "Run docker/login-action@v3\nError: Password required\n"),
    ("infrastructure", None, None, "##[error]Input required and not supplied: token\n"),
    ("infrastructure", None, None, "##[group]Run npm run build\nnpm run build\n##[endgroup]\ntransforming...\nKilled\n##[error]Process completed with exit code 137.\n"),
    ("dependency_error", None, None, "➤ YN0000: ┌ Resolution step\n➤ YN0082: │ left-paddd@npm:^1.0.0: No candidates found\n➤ YN0000: └ Completed in 0s 521ms\n➤ YN0000: · Failed with errors in 0s 530ms\n"),
    ("syntax_error", "components/Nav.tsx", 12, "Failed to compile.\n\n./components/Nav.tsx\nError: \n  x Unexpected token\n    ,-[/vercel/path0/components/Nav.tsx:9:1]\n  9 |       <li>Home</li>\n 12 | }}\n    :  ^\n    `----\n\nCaused by:\n    Syntax Error\n"),
    ("security_vuln", "package-lock.json", None, '{\n  "SchemaVersion": 2,\n  "ArtifactName": ".",\n  "Results": [\n    {\n      "Target": "package-lock.json",\n      "Vulnerabilities": [\n        {\n          "VulnerabilityID": "CVE-2023-45857",\n          "PkgName": "axios",\n          "Severity": "MEDIUM",\n          "Title": "exposure of data"\n        }\n      ]\n    }\n  ]\n}\n'),
    ("security_vuln", "deploy/prod.env", 3, '[\n {\n  "RuleID": "aws-access-token",\n  "Description": "AWS credentials",\n  "StartLine": 3,\n  "Match": "REDACTED",\n  "Secret": "REDACTED",\n  "File": "deploy/prod.env"\n }\n]\n'),
    ("security_vuln", None, None, '{"auditReportVersion":2,"vulnerabilities":{"minimist":{"name":"minimist","severity":"critical","via":[{"name":"minimist","title":"Prototype Pollution","url":"https://github.com/advisories/GHSA-xvch-5gv4-984h","severity":"critical"}]}},"metadata":{}}\n'),
    ("lint_error", "src/a.ts", 3, '[\n  {\n    "filePath": "/app/src/a.ts",\n    "messages": [\n      {"ruleId": "no-var", "severity": 2, "message": "Unexpected var", "line": 3, "column": 1},\n      {"ruleId": "no-unde'),
    ("lint_error", "main.tf", 7, '{"issues":[{"rule":{"name":"terraform_deprecated","severity":"error"},"message":"old syntax of interpolation","range":{"filename":"main.tf","start":{"line":7,"column":3}}}],"errors":[]}\n'),
    ("type_error", "lib/shop.zig", 12, "lib/shop.zig:12:5: error: expected type 'u32', found 'bool'\n"),
    ("syntax_error", "src/Main.elm", 4, "error: unexpected token\n  --> src/Main.elm:4:9\n"),
    ("lint_error", "site/index.html", 9, "site/index.html:9:3: image without a text [html/img-alt]\n"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "file", "line", "text"), FORMS, ids=lambda value: str(value)[:24])
def test_documented_form_is_read(kind: str, file: str | None, line: int | None, text: str) -> None:
    first = diagnose([text.encode()]).incidents[0]
    assert (first.type, first.file, first.line) == (kind, file, line)
    assert first.healable is (kind != "infrastructure")


def test_exit_code_of_a_build_tool_is_a_consequence_of_the_error_before() -> None:
    text = "b.c:3:5: error: 'y' undeclared\nmake: *** [Makefile:3: b.o] Error 1\n"
    first, second = diagnose([text.encode()]).incidents
    assert (first.tool, second.tool, second.caused_by) == ("gcc", "make", first.fingerprint)


def test_missing_module_after_a_failed_installation_follows_from_it() -> None:
    text = (
        "ERROR: No matching distribution found for requestz==9\n"
        'Traceback (most recent call last):\n  File "app.py", line 1, in <module>\n'
        "    import requestz\nModuleNotFoundError: No module named 'requestz'\n"
    )
    first = diagnose([text.encode()]).incidents[0]
    assert first.type is IncidentType.DEPENDENCY_ERROR


def test_errors_of_a_step_that_passed_stand_behind_those_of_the_one_that_failed() -> None:
    text = (
        "##[group]Run npm run lint\n::error file=a.ts,line=1::ignored by continue-on-error\n"
        "##[group]Run npx tsc\nsrc/b.ts(2,3): error TS2322: no\n"
        "##[error]Process completed with exit code 2.\n"
    )
    read = diagnose([text.encode()])
    assert (read.incidents[0].file, read.failed_step, read.exit_code) == (
        "src/b.ts",
        "Run npx tsc",
        2,
    )


def test_failure_that_no_rule_knows_is_unknown_with_what_it_said() -> None:
    text = (
        "##[group]Run ./deploy\nuploading\nthe frobnicator could not be reached\n"
        "##[error]Process completed with exit code 9.\n"
    )
    (incident,) = diagnose([text.encode()]).incidents
    assert incident.type is IncidentType.UNKNOWN
    assert incident.message == "the frobnicator could not be reached"
    assert "uploading" in incident.excerpt


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all good\n",
        "✓ throws an error when the path is null\n 12 passing (3s)\n",
        "npm warn deprecated inflight@1.0.6: This module is not supported\nadded 12 packages\n",
        "0 errors, 0 warnings\nTests: 12 passed, 0 failed\n",
        '{"numFailedTests":0,"numPassedTests":3,"testResults":[{"name":"/app/a.test.js","status":"passed","message":"","assertionResults":[{"fullName":"adds","status":"passed","failureMessages":[]}]}],"success":true,"wasInterrupted":false}\n',
        '<?xml version="1.0"?>\n<testsuites tests="1" failures="0" errors="0">\n<testsuite name="a" failures="0">\n<testcase name="adds" classname="a"/>\n</testsuite>\n</testsuites>\n',
        '[{"filePath":"/app/src/a.js","messages":[],"errorCount":0,"fatalErrorCount":0,"warningCount":0}]\n',
        '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"ruff","rules":[]}},"results":[]}]}\n',
        '{"Action":"output","Package":"shop","Test":"TestSum","Output":"--- PASS: TestSum (0.00s)\\n"}\n',
        "TAP version 13\nok 1 - throws an error on undefined\n1..1\n# fail 0\n",
        "BUILD SUCCESSFUL in 4s\n[INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 0\n[INFO] BUILD SUCCESS\n",
        "#8 [4/6] RUN npm ci\n#8 3.2 npm warn deprecated glob@7: no longer supported\n#8 DONE 4.1s\n",
        "2026-11-20T10:11:14Z INFO Number of language-specific files num=1\nNo vulnerabilities found\n",
        "10:11AM INF scanned ~1200 bytes in 1s\n10:11AM INF no leaks found\n",
    ],
)
def test_log_without_a_failure_gives_nothing(text: str) -> None:
    assert diagnose([text.encode()]).incidents == ()


def test_warnings_are_no_incidents_when_there_are_errors() -> None:
    text = "/app/a.js\n  1:1  warning  w  no-var\n  2:1  error  e  no-undef\n\n✖ 2 problems (1 error, 1 warning)\n"
    assert [each.code for each in diagnose([text.encode()]).incidents] == ["no-undef"]
