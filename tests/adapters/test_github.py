"""The GitHub client against a small GitHub on loopback."""

from collections.abc import Iterator

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from codeb_mcp.adapters.github import GitHub
from codeb_mcp.adapters.github_api import GitHubApi
from codeb_mcp.domain.forge import (
    BranchName,
    CommitSha,
    Dispatch,
    LineComment,
    NewPullRequest,
    RepositoryName,
    Review,
    WorkflowFile,
)
from codeb_mcp.domain.masking import Secret
from codeb_mcp.errors import CodebError, HostNotReady, InvalidRequest, SystemFailed
from codeb_mcp.services.forge import Forge
from tests.fakes.github import SHA, TOKEN, GitHubServer, Job, github_server
from tests.outcomes import fails_with

SHOP = RepositoryName("octo/shop")
MAIN = BranchName("main")
NOW = 1_800_000_000.0


class Waits(list[float]):
    """Notes how long it was told to sleep, and does not."""

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[GitHubServer]:
    with github_server() as server:
        yield server


@pytest.fixture
def server(shared_server: GitHubServer) -> GitHubServer:
    blank = GitHubServer(shared_server.url, shared_server.logs_url)
    shared_server.__dict__.update(blank.__dict__)
    return shared_server


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def forge(server: GitHubServer, waits: Waits) -> Forge:
    return client(server.url, waits)


def client(url: str, waits: Waits, token: str = TOKEN) -> Forge:
    return GitHub(GitHubApi(url, Secret(token), waits.sleep, lambda: NOW))


async def test_logs_of_failed_jobs_come_from_the_archive_without_the_token(
    server: GitHubServer, forge: Forge
) -> None:
    log = "2026-11-25T00:00:00.0Z ##[error]Process completed with exit code 1.\n"
    jobs = [
        Job("build", "success", "fine"),
        Job("test / unit (20, ubuntu)", "failure", log, {"Check out": "success", "Run": "failure"}),
    ]
    server.add_run(7, jobs)
    run = await forge.run(SHOP, 7)
    (found,) = await forge.failed_logs(SHOP, run)
    assert (run.failed, run.workflow, run.sha) == (True, ".github/workflows/ci-cd.yml", SHA)
    assert (found.job, found.failed_steps, found.log) == (jobs[1].name, ("Run",), log)


async def test_log_that_the_archive_lacks_is_asked_for_by_itself(
    server: GitHubServer, forge: Forge
) -> None:
    jobs = [Job("a", "failure", "one"), Job("b", "failure", "two", archived=False)]
    server.add_run(7, jobs, attempt=3)
    found = await forge.failed_logs(SHOP, await forge.run(SHOP, 7))
    assert [(each.job, each.log) for each in found] == [("a", "one"), ("b", "two")]


async def test_run_without_failed_jobs_has_no_logs(server: GitHubServer, forge: Forge) -> None:
    server.add_run(7, [Job("a", "success")])
    assert await forge.failed_logs(SHOP, await forge.run(SHOP, 7)) == ()


async def test_lists_are_read_over_all_of_their_pages(server: GitHubServer, forge: Forge) -> None:
    for number in range(1, 251):
        server.add_run(number, [], branch="main" if number % 5 else "develop")
    every = await forge.runs(SHOP, limit=1000)
    assert [run.id for run in every] == list(range(250, 0, -1))
    newest = await forge.runs(SHOP, limit=101)
    assert [run.id for run in newest] == list(range(250, 149, -1))
    develop = await forge.runs(SHOP, branch=BranchName("develop"), limit=1000)
    assert len(develop) == 50
    assert {run.branch for run in develop} == {"develop"}
    of_commit = await forge.runs(SHOP, sha=CommitSha("f" * 40), workflow=WorkflowFile("ci-cd.yml"))
    assert of_commit == ()


async def test_run_is_started_again_whole_or_where_it_failed(
    server: GitHubServer, forge: Forge
) -> None:
    server.add_run(7, [Job("a", "failure")])
    await forge.rerun(SHOP, 7)
    assert (await forge.run(SHOP, 7)).status == "queued"
    async with fails_with(HostNotReady, "github_forbidden", "already running"):
        await forge.rerun(SHOP, 7)
    server.runs[7]["status"] = "completed"
    await forge.rerun(SHOP, 7, failed_only=False)
    assert server.reruns == [(7, "rerun-failed-jobs"), (7, "rerun")]


async def test_workflow_is_dispatched_with_inputs(server: GitHubServer, forge: Forge) -> None:
    workflow = WorkflowFile("ci-cd.yml")
    await forge.dispatch(SHOP, Dispatch(workflow, MAIN, {"reason": "healed"}))
    assert server.dispatches == [("ci-cd.yml", {"ref": "main", "inputs": {"reason": "healed"}})]
    async with fails_with(InvalidRequest, "github_rejected", "Unexpected inputs"):
        await forge.dispatch(SHOP, Dispatch(workflow, MAIN, {"other": "x"}))


async def test_protected_branches_are_told(server: GitHubServer, forge: Forge) -> None:
    assert await forge.is_protected(SHOP, MAIN)
    assert not await forge.is_protected(SHOP, BranchName("feature/x"))
    async with fails_with(InvalidRequest, "github_not_found"):
        await forge.is_protected(SHOP, BranchName("gone"))


async def test_same_pull_request_is_opened_once(server: GitHubServer, forge: Forge) -> None:
    new = NewPullRequest("Heal", "why", BranchName("codeb/heal-1"), MAIN)
    first = await forge.open_pull(SHOP, new)
    again = await forge.open_pull(SHOP, new)
    assert (first.number, first.head, first.base) == (again.number, "codeb/heal-1", "main")
    assert len(server.pulls) == 1
    async with fails_with(InvalidRequest, "github_rejected", "head invalid"):
        await forge.open_pull(SHOP, NewPullRequest("x", "", MAIN, MAIN))


async def test_pull_request_is_read_with_its_diff(server: GitHubServer, forge: Forge) -> None:
    fork = {"ref": "patch", "sha": SHA, "repo": None}
    number = server.add_pull(head=fork, user={"login": "Copilot"})["number"]
    server.diffs[number] = "diff --git a/ü b/ü\n"
    server.add_pull(state="closed", merged_at="2026-11-25T00:00:00Z")
    pull = await forge.pull(SHOP, number)
    assert (pull.author, pull.head_repository, pull.merged) == ("Copilot", "", False)
    assert await forge.pull_diff(SHOP, number) == "diff --git a/ü b/ü\n"
    assert [each.merged for each in await forge.pulls(SHOP, state="all")] == [True, False]
    assert await forge.pulls(SHOP, head=BranchName("fix")) == ()


async def test_review_is_of_the_commit_that_was_read(server: GitHubServer, forge: Forge) -> None:
    server.add_pull()
    pull = await forge.pull(SHOP, 1)
    remark = LineComment("a.py", 3, "error-ignored")
    await forge.review(SHOP, pull, Review.REQUEST_CHANGES, "blocked", [remark])
    await forge.comment(SHOP, 1, "x" * 70_000)
    ((number, review),) = server.reviews
    assert (number, review["commit_id"], review["event"]) == (1, SHA, "REQUEST_CHANGES")
    assert review["comments"] == [
        {"path": "a.py", "line": 3, "side": "RIGHT", "body": "error-ignored"}
    ]
    assert server.comments[0][1].endswith("(cut)")


async def test_issue_is_given_to_the_coding_agent(server: GitHubServer, forge: Forge) -> None:
    issue = await forge.open_issue(SHOP, "Red", "why", ["codeb-heal"])
    server.add_pull()
    assert [each.number for each in await forge.issues(SHOP, labels=["codeb-heal"])] == [1]
    assert [each.number for each in await forge.issues(SHOP)] == [1]
    given = await forge.assign_agent(SHOP, issue.number, BranchName("develop"), "only src/")
    assert given.with_agent
    assert server.issues[0]["agent_assignment"] == {
        "target_repo": "octo/shop",
        "base_branch": "develop",
        "custom_instructions": "only src/",
    }
    server.agent, server.issues[0]["assignees"] = False, []
    async with fails_with(InvalidRequest, "agent_unavailable", "token of a user"):
        await forge.assign_agent(SHOP, issue.number, MAIN)


@pytest.mark.parametrize(
    ("status", "headers", "waited"),
    [
        (429, {"retry-after": "3"}, 3.0),
        (403, {"retry-after": "5"}, 5.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 40)}, 40.0),
        (429, {}, 60.0),
    ],
)
async def test_rate_limit_is_waited_for_also_by_what_changes_something(
    server: GitHubServer,
    forge: Forge,
    waits: Waits,
    status: int,
    headers: dict[str, str],
    waited: float,
) -> None:
    server.faults.append(JSONResponse({"message": "slow down"}, status, headers))
    await forge.open_issue(SHOP, "Red", "")
    assert waits == [waited]
    assert len(server.issues) == 1


async def test_long_rate_limit_is_told_and_not_waited_for(
    server: GitHubServer, forge: Forge, waits: Waits
) -> None:
    server.faults.append(JSONResponse({}, 429, {"retry-after": "1800"}))
    async with fails_with(SystemFailed, "github_rate_limited", "1800 s"):
        await forge.run(SHOP, 7)
    assert waits == []


async def test_failing_github_is_asked_again_but_told_only_once(
    server: GitHubServer, forge: Forge, waits: Waits
) -> None:
    server.add_run(7, [])
    server.faults += [PlainTextResponse("bad gateway", 502)] * 2
    assert (await forge.run(SHOP, 7)).id == 7
    assert waits == [1.0, 2.0]
    server.faults.append(JSONResponse({"message": "oops"}, 500))
    async with fails_with(SystemFailed, "github_failed", "oops"):
        await forge.open_issue(SHOP, "Red", "")
    assert server.issues == []


async def test_renamed_repository_is_followed(server: GitHubServer, forge: Forge) -> None:
    server.renamed["octo/old"] = "octo/shop"
    server.add_run(7, [])
    assert (await forge.run(RepositoryName("octo/old"), 7)).id == 7
    await forge.open_issue(RepositoryName("octo/old"), "Red", "")
    assert len(server.issues) == 1


async def test_refusals_say_what_to_do(server: GitHubServer, forge: Forge, waits: Waits) -> None:
    async with fails_with(InvalidRequest, "github_not_found", "/repos/octo/shop/actions/runs/9"):
        await forge.run(SHOP, 9)
    said = "Resource not accessible by integration"
    server.faults.append(JSONResponse({"message": said}, 403))
    async with fails_with(HostNotReady, "github_forbidden", said):
        await forge.comment(SHOP, 1, "x")
    with pytest.raises(HostNotReady) as caught:
        await client(server.url, waits, "ghs_" + "w" * 36).run(SHOP, 7)
    assert caught.value.code == "github_token_refused"
    assert "wwww" not in f"{caught.value} {caught.value.__context__!r}"
    async with fails_with(HostNotReady, "github_down", "connection refused"):
        await client("http://127.0.0.1:1", waits).comment(SHOP, 1, "x")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (RepositoryName, "octo"),
        (RepositoryName, "octo/.."),
        (RepositoryName, "octo/shop/../x"),
        (RepositoryName, "octo/shop\n"),
        (BranchName, "-f"),
        (BranchName, "a..b"),
        (BranchName, "$(id)"),
        (BranchName, "a b"),
        (BranchName, "x.lock"),
        (WorkflowFile, "../ci.yml"),
        (CommitSha, "HEAD"),
    ],
)
def test_names_that_mean_something_else_are_refused(kind: type[str], text: str) -> None:
    with pytest.raises(CodebError):
        kind(text)
