"""Paths in logs: made relative to the project, and told apart from other people's code."""

import re

_WORKSPACES = re.compile(
    r"^(?:"
    r"/home/runner/work/[^/]+/[^/]+/|/home/runner/_?work/[^/]+/[^/]+/|/Users/runner/work/[^/]+/[^/]+/"
    r"|/__w/[^/]+/[^/]+/|/github/workspace/|[A-Za-z]:/a/[^/]+/[^/]+/|/[^/].*/actions-runner/_work/[^/]+/[^/]+/"
    r"|/builds/[^/]+/[^/]+/|/home/gitlab-runner/builds/[^/]+/\d+/[^/]+/[^/]+/"
    r"|/home/travis/build/[^/]+/[^/]+/|/Users/travis/build/[^/]+/[^/]+/"
    r"|/home/circleci/[^/]+/|/root/project/|/home/vsts/work/\d+/s/|[A-Za-z]:/agent/_work/\d+/s/"
    r"|/var/(?:lib/)?jenkins(?:_home)?/workspace/[^/]+/|/home/jenkins/(?:agent/)?workspace/[^/]+/"
    r"|/opt/atlassian/pipelines/agent/build/|/drone/src/|/codebuild/output/src[^/]*/src/(?:[^/]+/){3}"
    r"|/buildkite/builds/[^/]+/[^/]+/[^/]+/|/var/lib/buildkite-agent/builds/[^/]+/[^/]+/[^/]+/"
    r"|/vercel/path\d+/|/opt/build/repo/|/tmp/build_[0-9a-f]+/|/woodpecker/src/(?:[^/]+/){3}"
    r"|/usr/src/app/|/usr/src/|/usr/app/|/app/|/workspaces?/(?:[^/]+/)?|/workdir/|/work/|/code/|/srv/app/|/src/(?=.*/)"
    r")"
)
_FOREIGN = re.compile(
    r"node_modules/|/\.pnpm/|/\.yarn/|\.pnp\.[cl]?js|site-packages/|dist-packages/|/lib/python\d|/Lib/(?=\w+\.py|unittest|asyncio)"
    r"|^node:|^internal/|<anonymous>|<frozen|<string>|<stdin>|^/usr/(?:lib|include|share|local/(?:lib|go|include|bin))"
    r"|hostedtoolcache|\.cargo/registry|/rustc/|/go/pkg/mod/|/usr/local/go/src|\.rustup/|^events\.js|^module\.js|^vm\.js"
    r"|^timers\.js|^webpack:|^native\b|/\.m2/|/\.gradle/|^async |/gems/|/vendor/bundle/|/vendor/|^util\.js|^fs\.js|^net\.js|^child_process\.js"
    r"|^_?stream_\w+\.js|^queueMicrotask|^bun:|^ext:|^https?://"
)
_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")
_TOP_FOLDERS = frozenset(
    (
        *(
            "src",
            "lib",
            "app",
            "apps",
            "packages",
            "test",
            "tests",
            "spec",
            "e2e",
            "cypress",
            "cmd",
        ),
        *("pkg", "internal", "components", "pages", "scripts", "services", "modules", "crates"),
        *("include", "config", "server", "client", "api", "web", "node_modules", "site-packages"),
    )
)
_UPWARDS = re.compile(r"^(?:\.{1,2}/)+")
_SCHEME = re.compile(
    r"^(?:file://(?:localhost)?(?=/|[A-Za-z]:)|file:(?=/)|webpack-internal:///(?:\([^)]*\)/)?|webpack://[^/]*/)"
)


def relative(path: str) -> str:
    """`path` as a project knows it: slashes, no scheme, no folder of a CI runner before it."""
    path = _SCHEME.sub("", path.strip().strip("\"'`"))
    path = path.replace("\\", "/")
    if re.match(r"^/[A-Za-z]:/", path):
        path = path[1:]
    path = path.split("?", 1)[0]
    path = _WORKSPACES.sub("", path, count=1)
    return _UPWARDS.sub("", path)


def in_project(path: str) -> str:
    """`path` from the folder on that a project most likely begins with; relative ones as they are.

    Where a checkout lies differs between runners; what is in it does not.
    """
    if not _ABSOLUTE.match(path):
        return path
    parts = path.split("/")
    begin = next((at for at in range(1, len(parts)) if parts[at] in _TOP_FOLDERS), None)
    return "/".join(parts[begin if begin and begin < len(parts) - 1 else -2 :])


def foreign(path: str) -> bool:
    """Whether the file belongs to a dependency, the language or the runtime."""
    return bool(_FOREIGN.search(path.replace("\\", "/")))
