"""Which kind of check a command is: a test, a linter, a type check, an audit, a build."""

import re
from collections.abc import Sequence

from codeb_mcp.guard.words import words

_TOKENS: dict[str, frozenset[str]] = {
    "test": words(
        "test tests jest vitest mocha pytest tox nox playwright cypress phpunit rspec ctest ava "
        "karma "
        "e2e unittest bats spec coverage verify pest nextest gotestsum minitest testem detox smoke "
        "unit integration tap c8 nyc"
    ),
    "lint": words(
        "lint eslint ruff flake8 pylint golangci clippy rubocop shellcheck hadolint yamllint "
        "stylelint "
        "biome vet checkstyle actionlint ktlint detekt swiftlint commit linter linting oxlint "
        "tslint "
        "staticcheck phpcs phpstan psalm spotbugs zizmor ansible markdownlint lint-staged xo"
    ),
    "types": words("tsc typecheck types mypy pyright flow pyre tsgo basedpyright typing"),
    "audit": words(
        "audit trivy snyk gitleaks semgrep grype bandit safety osv codeql checkov tfsec trufflehog "
        "govulncheck scan security sonar sonarqube cosign dependency sast secrets"
    ),
    "format": words("prettier black fmt gofmt rustfmt isort format dprint"),
    "build": words("build compile webpack rollup buildx bake assemble"),
}
_SPLIT = re.compile(r"[^a-z0-9]+")
_NO_CHECKS = words(
    "echo printf cat rm cp mv mkdir rmdir cd export git ls touch chmod chown ln sed awk grep tar "
    "unzip "
    "source . apt apt-get apk dnf yum brew pip pip3 gem curl wget set exit test [ [[ kill "
    "docker-php-ext "
    "sleep tee find xargs which command head tail cut sort read true : false unset alias trap "
    "kubectl "
    "systemctl service ssh scp rsync aws gcloud az gh psql mysql redis-cli dirname basename"
)
_RUNNERS = words(
    "npx bunx uv uvx poetry pipenv hatch pdm rye python python3 node pnpm yarn npm bun bundle php "
    "run exec -m dlx x dotenv env cross-env docker podman compose docker-compose sudo time make "
    "just "
    "task nix invoke turbo nx lerna rush"
)


def families_of(words: Sequence[str]) -> frozenset[str]:
    """The kinds of check that a command's words stand for; none for an ordinary command."""
    if not words:
        return frozenset()
    program = words[0].rsplit("/", 1)[-1].lower()
    if program in _NO_CHECKS or words[-1] in ("--version", "--help", "-V"):
        return frozenset()
    found: set[str] = set()
    for position, word in enumerate(words[:12]):
        lowered = word.lower()
        if lowered.startswith("-") or position > 6:
            continue
        tokens = set(_SPLIT.split(lowered.rsplit("/", 1)[-1] if position == 0 else lowered))
        found |= {family for family, known in _TOKENS.items() if tokens & known}
        if found and program not in _RUNNERS:
            break
    return frozenset(found | _by_pair(program, words))


def _by_pair(program: str, words: Sequence[str]) -> set[str]:
    second = words[1].lower() if len(words) > 1 else ""
    if program in ("npm", "yarn", "pnpm", "bun") and second in ("t", "tst"):
        return {"test"}
    if program in ("mvn", "mvnw", "gradle", "gradlew", "sbt") and second in (
        "verify",
        "check",
        "package",
    ):
        return {"test", "build"}
    if program == "cargo" and second == "check":
        return {"build"}
    if program in ("make", "just", "task") and second in ("check", "ci", "all", ""):
        return {"test"}
    if program == "pre-commit":
        return {"lint"}
    return set()


def is_check(words: Sequence[str]) -> bool:
    """Whether a failure of the command says that the code is wrong."""
    return bool(families_of(words)) or (
        len(words) > 1
        and words[0] in ("npm", "pnpm", "yarn", "bun")
        and words[1] in ("ci", "install", "i", "run", "audit")
    )


def families_of_text(text: str) -> frozenset[str]:
    """The kinds of check that a name such as that of an action or of a hook stands for."""
    tokens = set(_SPLIT.split(text.lower()))
    return frozenset(family for family, known in _TOKENS.items() if tokens & known)
