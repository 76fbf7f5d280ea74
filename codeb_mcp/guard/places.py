"""What a path says about a file: its language, and what it is for."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import PurePosixPath

from codeb_mcp.guard.words import words


class Language(StrEnum):
    """A language, or a family of files that are read alike."""

    JS = "js"
    PYTHON = "python"
    GO = "go"
    RUST = "rust"
    JVM = "jvm"
    RUBY = "ruby"
    CSHARP = "csharp"
    PHP = "php"
    C = "c"
    SWIFT = "swift"
    DART = "dart"
    ELIXIR = "elixir"
    LUA = "lua"
    PERL = "perl"
    R = "r"
    HASKELL = "haskell"
    SQL = "sql"
    CSS = "css"
    SHELL = "shell"
    POWERSHELL = "powershell"
    MAKE = "make"
    DOCKER = "docker"
    YAML = "yaml"
    JSON = "json"
    TOML = "toml"
    INI = "ini"
    HCL = "hcl"
    UNIT = "unit"
    MARKUP = "markup"
    PROSE = "prose"
    IGNORE = "ignore"
    OTHER = "other"


class Role(StrEnum):
    """What a file is for; the first that fits."""

    GUARD = "guard"
    CI = "ci"
    HOOK = "hook"
    LOCK = "lock"
    SNAPSHOT = "snapshot"
    TEST = "test"
    FIXTURE = "fixture"
    MANIFEST = "manifest"
    CONFIG = "config"
    CONTAINER = "container"
    INFRA = "infra"
    MIGRATION = "migration"
    DOCS = "docs"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Place:
    """A file as its path shows it. `name` is the last part of `path`, in lower case."""

    path: str
    name: str
    language: Language
    role: Role

    @property
    def is_test(self) -> bool:
        """Whether the file is there for tests."""
        return self.role in (Role.TEST, Role.FIXTURE, Role.SNAPSHOT)


_BY_SUFFIX: dict[str, Language] = {
    suffix: language
    for language, suffixes in {
        Language.JS: "js jsx mjs cjs ts tsx mts cts vue svelte astro es6 json5",
        Language.PYTHON: "py pyi pyw pyx bzl bazel star",
        Language.GO: "go",
        Language.RUST: "rs",
        Language.JVM: "java kt kts scala sc groovy gradle",
        Language.RUBY: "rb rake gemspec ru erb",
        Language.CSHARP: "cs csx fs vb",
        Language.PHP: "php phtml",
        Language.C: "c h cc cpp cxx hpp hh hxx m mm cu proto sol zig",
        Language.SWIFT: "swift",
        Language.DART: "dart",
        Language.ELIXIR: "ex exs erl",
        Language.LUA: "lua",
        Language.PERL: "pl pm t",
        Language.R: "r rmd jl",
        Language.HASKELL: "hs",
        Language.SQL: "sql",
        Language.CSS: "css scss sass less",
        Language.SHELL: "sh bash zsh ksh fish bats shlib envrc ebuild",
        Language.POWERSHELL: "ps1 psm1 bat cmd",
        Language.MAKE: "mk mak",
        Language.YAML: "yml yaml neon",
        Language.JSON: "json jsonc webmanifest code-workspace ipynb",
        Language.TOML: "toml",
        Language.INI: "cfg ini conf properties env editorconfig pylintrc",
        Language.HCL: "tf hcl tfvars nomad",
        Language.UNIT: "service container pod kube volume socket timer build quadlet target",
        Language.MARKUP: "html htm xml xhtml svg csproj props targets xsd plist",
        Language.PROSE: "md mdx rst txt adoc markdown org tex po changelog",
    }.items()
    for suffix in suffixes.split()
}
_BY_NAME: dict[str, Language] = {
    **dict.fromkeys(("makefile", "gnumakefile", "justfile", ".justfile"), Language.MAKE),
    **dict.fromkeys(("jenkinsfile",), Language.JVM),
    **dict.fromkeys(("gemfile", "rakefile", "vagrantfile", "podfile", "fastfile"), Language.RUBY),
    **dict.fromkeys(("procfile", "codeowners", "license", "authors", "copying"), Language.PROSE),
    **dict.fromkeys((".clang-tidy", ".golangci", ".yamllint"), Language.YAML),
    **dict.fromkeys((".eslintrc", ".babelrc", ".nycrc", ".nsprc", ".c8rc"), Language.JSON),
    **dict.fromkeys((".stylelintrc", ".swcrc", ".jshintrc", ".mocharc", ".snyk"), Language.YAML),
    **dict.fromkeys(
        (".npmrc", ".yarnrc", ".flake8", ".coveragerc", ".pylintrc", ".bandit", ".env", ".curlrc"),
        Language.INI,
    ),
    **dict.fromkeys((".gitconfig", ".editorconfig", "pip.conf", "config", ".wgetrc"), Language.INI),
    **dict.fromkeys(("go.mod", "go.sum", "cmakelists.txt"), Language.OTHER),
    **dict.fromkeys(("sudoers", ".bashrc", ".profile", "pkgbuild", "apkbuild"), Language.SHELL),
}
_LOCKS = words(
    "package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb poetry.lock "
    "uv.lock pdm.lock pipfile.lock cargo.lock go.sum composer.lock gemfile.lock mix.lock "
    "pubspec.lock packages.lock.json gradle.lockfile flake.lock deno.lock .terraform.lock.hcl "
    "package.resolved podfile.lock"
)
_MANIFESTS = words(
    "package.json pyproject.toml setup.py setup.cfg requirements.txt go.mod cargo.toml pom.xml "
    "build.gradle build.gradle.kts composer.json gemfile pipfile constraints.txt "
    "pubspec.yaml mix.exs cmakelists.txt"
)
_REQUIREMENTS = re.compile(r"requirements[\w.-]*\.(?:txt|in)")
_CI = re.compile(
    r"(?:^|/)(?:\.github/(?:workflows|actions)/|\.gitlab-ci|\.gitlab/ci/|\.circleci/|\.buildkite/"
    r"|azure-pipelines|\.azure-pipelines/|\.travis\.ya?ml$|appveyor\.ya?ml$|\.drone\.ya?ml$"
    r"|\.woodpecker|bitbucket-pipelines|jenkinsfile|\.jenkins/|cloudbuild\.ya?ml$|\.tekton/"
    r"|\.semaphore/|\.cirrus\.ya?ml$|\.forgejo/workflows/|\.gitea/workflows/|buildspec\.ya?ml$"
    r"|action\.ya?ml$|\.ci/|ci/|dagger/)",
)
_HOOK = re.compile(
    r"(?:^|/)(?:\.husky/|\.githooks/|githooks/|\.git/hooks/|lefthook|\.lefthook|\.pre-commit-config"
    r"\.ya?ml$|\.pre-commit-hooks|\.lintstagedrc|lint-staged\.config|\.overcommit\.yml$"
    r"|commitlint|\.claude/settings|\.claude/hooks/)"
)
_GUARD = re.compile(r"(?:^|/)(?:\.codeb/|codeb-guard|guard-allow\.toml$|deployment_rules\.md$)")
_TEST = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests?__|__tests_dts__|e2e|cypress|playwright|integration[-_]tests?"
    r"|unit[-_]tests?|testing|it|t|androidtest|testdata|test[-_]?utils?)/"
    r"|[._-](?:tests?|specs?|e2e|cy|stories|test-d)\.[a-z0-9]+$|(?:^|/)tests?[-_.][^/]*\.[a-z]+$"
    r"|(?:^|/)[^/]*_(?:tests?|specs?)\.[a-z]+$|(?:^|/)conftest\.py$|\.bats$"
    r"|(?:tests?|spec|testcase|it)\.(?:java|kt|scala|groovy|cs|php|swift|m|fs)$"
)
_FIXTURE = re.compile(
    r"(?:^|/)(?:fixtures?|testdata|test[-_]data|__fixtures__|__mocks__|golden|corpus|testcases?"
    r"|test[-_]cases|examples?[-_]bad)/"
)
_CONFIG = re.compile(
    r"(?:^|/)(?:[tj]sconfig[^/]*\.json|[^/]*\.config\.(?:[mc]?[jt]s|json)|\.eslint[^/]*|eslint\.config[^/]*|eslint\.(?:json|ya?ml)"
    r"|\.prettier[^/]*|biome\.jsonc?|\.oxlint[^/]*|\.stylelint[^/]*|jest\.[^/]*|vitest\.[^/]*"
    r"|\.mocharc[^/]*|\.nycrc[^/]*|\.c8rc[^/]*|cypress\.json|playwright\.[^/]*|karma\.[^/]*"
    r"|mypy\.ini|\.mypy\.ini|pyrightconfig\.json|\.?ruff\.toml|\.flake8|tox\.ini|pytest\.ini"
    r"|\.pylintrc|pylintrc|\.coveragerc|\.bandit|\.golangci\.[^/]*|clippy\.toml|\.clippy\.toml"
    r"|\.rubocop[^/]*|phpstan[^/]*|psalm[^/]*|phpunit[^/]*|phpcs[^/]*|detekt[^/]*|checkstyle[^/]*"
    r"|pmd[^/]*|spotbugs[^/]*|\.swiftlint\.yml|analysis_options\.yaml|\.clang-tidy|\.credo\.exs"
    r"|\.?codecov\.ya?ml|sonar-project\.properties|\.hadolint\.ya?ml|\.yamllint[^/]*|\.trivyignore"
    r"[^/]*|trivy\.ya?ml|\.nsprc|\.snyk|audit-ci\.jsonc?|\.gitleaks[^/]*|\.semgrep[^/]*"
    r"|osv-scanner\.toml|\.grype\.ya?ml|\.checkov\.ya?ml|\.tflint\.hcl|\.shellcheckrc|\.npmrc"
    r"|\.yarnrc[^/]*|\.markdownlint[^/]*|turbo\.json|nx\.json|project\.json|angular\.json"
    r"|noxfile\.py|\.sqlfluff|deny\.toml|rustfmt\.toml|deno\.jsonc?|pnpm-workspace\.yaml"
    r"|dependabot\.yml|renovate\.json5?|zizmor\.yml|actionlint\.yaml|lychee\.toml"
    r"|suppressions?\.xml|dependency-check[^/]*|[^/]*ignore)$"
)
_CONTAINER = re.compile(
    r"(?:^|/)(?:(?:docker|container)file[^/]*|[^/]*\.(?:docker|container)file"
    r"|(?:docker-)?compose[^/]*\.ya?ml|podman-compose[^/]*|\.devcontainer/.*"
    r"|[^/]*\.(?:container|pod|kube|quadlet))$"
)
_INFRA = re.compile(
    r"(?:^|/)(?:terraform|infra|infrastructure|k8s|kubernetes|helm|charts?|manifests?|ansible"
    r"|playbooks?|roles|systemd|quadlets?|nginx|caddy|deploy|deployment|pulumi|cdk)/"
    r"|\.(?:tf|tfvars|hcl|service|socket|timer)$|(?:^|/)caddyfile$|nginx[^/]*\.conf$"
)
_MIGRATION = re.compile(r"(?:^|/)(?:migrations?|alembic/versions|db/migrate|flyway|liquibase)/")
_DOCS = re.compile(r"(?:^|/)docs?/|\.(?:md|mdx|rst|adoc|txt|markdown)$|(?:^|/)changelog[^/]*$")
_SNAPSHOT = re.compile(
    r"(?:^|/)__(?:image_)?snapshots__/|\.snap$|\.ambr$|-snapshots/|\.approved\.[a-z]+$"
)
_ROLES: tuple[tuple[re.Pattern[str], Role], ...] = (
    (_GUARD, Role.GUARD),
    (_CI, Role.CI),
    (_HOOK, Role.HOOK),
    (_SNAPSHOT, Role.SNAPSHOT),
    (_FIXTURE, Role.FIXTURE),
    (_CONFIG, Role.CONFIG),
    (_TEST, Role.TEST),
    (_CONTAINER, Role.CONTAINER),
    (_MIGRATION, Role.MIGRATION),
    (_DOCS, Role.DOCS),
    (_INFRA, Role.INFRA),
)
_DOCKERFILE = re.compile(r"(?:docker|container)file(?:[.-].*)?$|.*\.(?:docker|container)file$")


@lru_cache(maxsize=4096)
def place_of(path: str) -> Place:
    """What `path` is. Upper and lower case do not matter; a leading `./` neither."""
    lower = path.lower().removeprefix("./")
    name = PurePosixPath(lower).name
    return Place(path, name, _language(lower, name), _role(lower, name))


def _language(lower: str, name: str) -> Language:
    if _DOCKERFILE.match(name):
        return Language.DOCKER
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.endswith("ignore") and "." in name:
        return Language.IGNORE
    if name.startswith(".trivyignore") or name == ".gitleaksignore":
        return Language.IGNORE
    if name.startswith(("makefile", "jenkinsfile")):
        return Language.MAKE if name.startswith("makefile") else Language.JVM
    if name.startswith(".env"):
        return Language.INI
    suffixes = name.split(".")[1:] if not name.startswith(".") else name.split(".")[2:]
    for suffix in reversed(suffixes):
        if suffix in _BY_SUFFIX:
            return _BY_SUFFIX[suffix]
        if suffix not in ("in", "tmpl", "j2", "template", "example", "sample", "dist", "tpl"):
            break
    if _HOOK.search(lower):
        return Language.SHELL
    return Language.OTHER


def _role(lower: str, name: str) -> Role:
    if name in _LOCKS:
        return Role.LOCK
    manifest = name in _MANIFESTS or bool(_REQUIREMENTS.fullmatch(name))
    for pattern, role in _ROLES:
        if pattern.search(lower) and not (manifest and role is Role.DOCS):
            return role
    if manifest:
        return Role.MANIFEST
    return Role.SOURCE
