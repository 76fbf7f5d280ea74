"""A small GitHub on loopback: its API, and the other host where it keeps logs.

It checks what GitHub checks: the token, the version of the API, required fields, and that no token
reaches the host of the logs. `faults` are answers that come before the next ones.
"""

import asyncio
import io
import json
import re
import socket
import threading
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

TOKEN = "ghs_" + "k" * 36
SHA = "0123456789abcdef0123456789abcdef01234567"
WORKFLOW = ".github/workflows/ci-cd.yml"


@dataclass
class Job:
    """A job of a run. `archived` says whether the run's archive has its log."""

    name: str
    conclusion: str
    log: str = ""
    steps: dict[str, str] = field(default_factory=dict)
    archived: bool = True


@dataclass
class GitHubServer:
    """What the server holds, and what it was asked."""

    url: str = ""
    logs_url: str = ""
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[tuple[int, int], list[Job]] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    diffs: dict[int, str] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    reviews: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    reruns: list[tuple[int, str]] = field(default_factory=list)
    dispatches: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    protected: set[str] = field(default_factory=lambda: {"main"})
    agent: bool = True
    faults: list[Response] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)

    def add_run(
        self, run_id: int, jobs: list[Job], *, branch: str = "main", attempt: int = 1
    ) -> dict[str, Any]:
        """A completed run whose conclusion follows from its jobs."""
        failed = any(job.conclusion == "failure" for job in jobs)
        self.jobs[run_id, attempt] = jobs
        self.runs[run_id] = {
            "id": run_id,
            "run_attempt": attempt,
            "name": "CI/CD",
            "path": WORKFLOW,
            "event": "push",
            "head_branch": branch,
            "head_sha": SHA,
            "status": "completed",
            "conclusion": "failure" if failed else "success",
            "html_url": f"https://github.com/octo/shop/actions/runs/{run_id}",
            "head_repository": {"full_name": "octo/shop"},
        }
        return self.runs[run_id]

    def add_pull(self, **changed: Any) -> dict[str, Any]:
        """An open pull request."""
        number = len(self.pulls) + len(self.issues) + 1
        pull = {
            "number": number,
            "title": "Fix it",
            "html_url": f"https://github.com/octo/shop/pull/{number}",
            "state": "open",
            "merged_at": None,
            "user": {"login": "octocat"},
            "head": {"ref": "fix", "sha": SHA, "repo": {"full_name": "octo/shop"}},
            "base": {"ref": "main"},
            **changed,
        }
        self.pulls.append(pull)
        return pull


@contextmanager
def github_server() -> Iterator[GitHubServer]:
    """The server, for the length of the block."""
    state = GitHubServer()
    with _serving(_api(state)) as url, _serving(_storage(state)) as logs_url:
        state.url, state.logs_url = url, logs_url
        yield state


@contextmanager
def _serving(application: Starlette) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        listener.listen()
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


Endpoint = Callable[[GitHubServer, Request], Awaitable[Response]]


def _api(state: GitHubServer) -> Starlette:
    repository = "/repos/{owner}/{name}"
    actions = f"{repository}/actions"
    table: list[tuple[str, str, Endpoint]] = [
        ("GET", f"{actions}/runs", _runs),
        ("GET", f"{actions}/workflows/{{file}}/runs", _runs),
        ("GET", f"{actions}/runs/{{run:int}}", _one_run),
        ("GET", f"{actions}/runs/{{run:int}}/attempts/{{attempt:int}}/jobs", _jobs),
        ("GET", f"{actions}/runs/{{run:int}}/attempts/{{attempt:int}}/logs", _archive_place),
        ("GET", f"{actions}/jobs/{{job:int}}/logs", _job_log_place),
        ("POST", f"{actions}/runs/{{run:int}}/{{what}}", _rerun),
        ("POST", f"{actions}/workflows/{{file}}/dispatches", _dispatch),
        ("GET", f"{repository}/branches/{{branch:path}}", _branch),
        ("POST", f"{repository}/pulls", _open_pull),
        ("GET", f"{repository}/pulls", _pulls),
        ("GET", f"{repository}/pulls/{{number:int}}", _one_pull),
        ("POST", f"{repository}/pulls/{{number:int}}/reviews", _review),
        ("POST", f"{repository}/issues", _open_issue),
        ("GET", f"{repository}/issues", _issues),
        ("POST", f"{repository}/issues/{{number:int}}/comments", _comment),
        ("POST", f"{repository}/issues/{{number:int}}/assignees", _assign),
    ]
    return Starlette(
        routes=[
            Route(path, _checked(state, endpoint), methods=[method])
            for method, path, endpoint in table
        ]
    )


def _checked(state: GitHubServer, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        state.requests.append(f"{request.method} {request.url.path}")
        if state.faults:
            return state.faults.pop(0)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _refusal(401, "Bad credentials")
        if request.headers.get("x-github-api-version") != "2022-11-28":
            return _refusal(400, "the version of the API is missing")
        asked = f"{request.path_params['owner']}/{request.path_params['name']}"
        if asked in state.renamed:
            path = request.url.path.replace(asked, state.renamed[asked], 1)
            status = 301 if request.method == "GET" else 307
            return RedirectResponse(f"{state.url}{path}", status)
        if asked != "octo/shop":
            return _refusal(404, "Not Found")
        try:
            return await endpoint(state, request)
        except KeyError:
            return _refusal(404, "Not Found")

    return answer


def _refusal(status: int, message: str, *errors: dict[str, str]) -> Response:
    document: dict[str, Any] = {"message": message, "documentation_url": "https://docs.github.com"}
    return JSONResponse(document | ({"errors": list(errors)} if errors else {}), status)


def _paged(request: Request, items: list[Any], key: str | None = None) -> Response:
    size = min(100, int(request.query_params.get("per_page", "30")))
    page = int(request.query_params.get("page", "1"))
    part = items[(page - 1) * size : page * size]
    more = request.url.include_query_params(page=page + 1)
    headers = {"link": f'<{more}>; rel="next"'} if page * size < len(items) else {}
    body = {"total_count": len(items), key: part} if key else part
    return JSONResponse(body, headers=headers)


async def _runs(state: GitHubServer, request: Request) -> Response:
    found = sorted(state.runs.values(), key=lambda each: -int(each["id"]))
    branch, sha = (request.query_params.get(name) for name in ("branch", "head_sha"))
    file = request.path_params.get("file")
    if file and not any(each["path"].endswith(f"/{file}") for each in found):
        return _refusal(404, "Not Found")
    found = [
        each
        for each in found
        if branch in (None, each["head_branch"]) and sha in (None, each["head_sha"])
    ]
    return _paged(request, found, "workflow_runs")


async def _one_run(state: GitHubServer, request: Request) -> Response:
    return JSONResponse(state.runs[request.path_params["run"]])


def _job_id(run: int, index: int) -> int:
    return run * 1000 + index


async def _jobs(state: GitHubServer, request: Request) -> Response:
    run, attempt = request.path_params["run"], request.path_params["attempt"]
    documents = [
        {
            "id": _job_id(run, index),
            "name": job.name,
            "conclusion": job.conclusion,
            "steps": [{"name": name, "conclusion": end} for name, end in job.steps.items()],
        }
        for index, job in enumerate(state.jobs[run, attempt])
    ]
    return _paged(request, documents, "jobs")


async def _archive_place(state: GitHubServer, request: Request) -> Response:
    run, attempt = request.path_params["run"], request.path_params["attempt"]
    assert (run, attempt) in state.jobs
    return RedirectResponse(f"{state.logs_url}/archive/{run}/{attempt}?sig=a%2Fb", 302)


async def _job_log_place(state: GitHubServer, request: Request) -> Response:
    return RedirectResponse(f"{state.logs_url}/job/{request.path_params['job']}?sig=a%2Fb", 302)


async def _rerun(state: GitHubServer, request: Request) -> Response:
    run = state.runs[request.path_params["run"]]
    if run["status"] != "completed":
        return _refusal(403, "This workflow is already running")
    state.reruns.append((run["id"], request.path_params["what"]))
    run["run_attempt"] += 1
    run["status"], run["conclusion"] = "queued", None
    return JSONResponse({}, 201)


async def _dispatch(state: GitHubServer, request: Request) -> Response:
    body = await request.json()
    if request.path_params["file"] != "ci-cd.yml":
        return _refusal(404, "Not Found")
    if set(body["inputs"]) - {"reason"}:
        return _refusal(422, f"Unexpected inputs provided: {json.dumps(list(body['inputs']))}")
    state.dispatches.append((request.path_params["file"], body))
    return Response(status_code=204)


async def _branch(state: GitHubServer, request: Request) -> Response:
    name = request.path_params["branch"]
    if name not in state.protected | {"develop", "feature/x"}:
        return _refusal(404, "Branch not found")
    return JSONResponse({"name": name, "protected": name in state.protected})


async def _open_pull(state: GitHubServer, request: Request) -> Response:
    body = await request.json()
    for pull in state.pulls:
        same = (pull["head"]["ref"], pull["base"]["ref"]) == (body["head"], body["base"])
        if same and pull["state"] == "open":
            said = f"A pull request already exists for octo:{body['head']}."
            return _refusal(422, "Validation Failed", {"code": "custom", "message": said})
    if body["head"] == body["base"]:
        return _refusal(422, "Validation Failed", {"field": "head", "code": "invalid"})
    head = {"ref": body["head"], "sha": SHA, "repo": {"full_name": "octo/shop"}}
    base = {"ref": body["base"]}
    pull = state.add_pull(title=body["title"], head=head, base=base, body=body["body"])
    return JSONResponse(pull, 201)


async def _pulls(state: GitHubServer, request: Request) -> Response:
    wanted = request.query_params.get("state", "open")
    head, base = (request.query_params.get(name) for name in ("head", "base"))
    found = [
        pull
        for pull in reversed(state.pulls)
        if wanted in ("all", pull["state"])
        and head in (None, f"octo:{pull['head']['ref']}")
        and base in (None, pull["base"]["ref"])
    ]
    return _paged(request, found)


async def _one_pull(state: GitHubServer, request: Request) -> Response:
    number = request.path_params["number"]
    if request.headers["accept"] == "application/vnd.github.diff":
        return PlainTextResponse(state.diffs[number], media_type="text/plain")
    found = {pull["number"]: pull for pull in state.pulls}
    return JSONResponse(found[number])


async def _review(state: GitHubServer, request: Request) -> Response:
    body = await request.json()
    if body["event"] == "REQUEST_CHANGES" and not body["body"]:
        return _refusal(422, "Unprocessable Entity")
    state.reviews.append((request.path_params["number"], body))
    return JSONResponse({"id": len(state.reviews)})


async def _open_issue(state: GitHubServer, request: Request) -> Response:
    body = await request.json()
    number = len(state.pulls) + len(state.issues) + 1
    issue = {
        "number": number,
        "title": body["title"],
        "body": body["body"],
        "html_url": f"https://github.com/octo/shop/issues/{number}",
        "state": "open",
        "labels": [{"name": name} for name in body["labels"]],
        "assignees": [],
    }
    state.issues.append(issue)
    return JSONResponse(issue, 201)


async def _issues(state: GitHubServer, request: Request) -> Response:
    wanted = set(filter(None, request.query_params.get("labels", "").split(",")))
    pulls = [{**pull, "labels": [], "pull_request": {"url": "x"}} for pull in state.pulls]
    found = [
        each
        for each in sorted(state.issues + pulls, key=lambda each: -int(each["number"]))
        if wanted <= {label["name"] for label in each["labels"]} and each["state"] == "open"
    ]
    return _paged(request, found)


async def _comment(state: GitHubServer, request: Request) -> Response:
    body = (await request.json())["body"]
    if len(body) > 65_536:
        return _refusal(422, "Validation Failed", {"message": "body is too long"})
    state.comments.append((request.path_params["number"], body))
    return JSONResponse({"id": len(state.comments)}, 201)


async def _assign(state: GitHubServer, request: Request) -> Response:
    body = await request.json()
    issue = {each["number"]: each for each in state.issues}[request.path_params["number"]]
    if state.agent and body["assignees"] == ["copilot-swe-agent[bot]"]:
        issue["assignees"] = [{"login": "Copilot"}]
        issue["agent_assignment"] = body["agent_assignment"]
    return JSONResponse(issue, 201)


def _storage(state: GitHubServer) -> Starlette:
    def guarded(request: Request) -> bool:
        return "authorization" not in request.headers and request.url.query == "sig=a%2Fb"

    async def archive(request: Request) -> Response:
        if not guarded(request):
            return PlainTextResponse("AuthenticationFailed", 403)
        jobs = state.jobs[request.path_params["run"], request.path_params["attempt"]]
        return Response(_zipped(jobs), media_type="application/zip")

    async def job(request: Request) -> Response:
        if not guarded(request):
            return PlainTextResponse("AuthenticationFailed", 403)
        run, index = divmod(request.path_params["job"], 1000)
        attempt = max(each for known, each in state.jobs if known == run)
        return PlainTextResponse("\ufeff" + state.jobs[run, attempt][index].log)

    return Starlette(
        routes=[
            Route("/archive/{run:int}/{attempt:int}", archive),
            Route("/job/{job:int}", job),
        ]
    )


def _zipped(jobs: list[Job]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, job in enumerate(jobs):
            if not job.archived:
                continue
            name = re.sub(r"[/:*?\"<>|\\]", "", job.name)
            archive.writestr(f"{index}_{name}.txt", "\ufeff" + job.log)
            archive.writestr(f"{name}/1_Set up job.txt", "not what is wanted")
            archive.writestr(f"{name}/system.txt", "not what is wanted")
    return data.getvalue()
