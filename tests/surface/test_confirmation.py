"""What an agent may do by itself, and how a person is asked, in both eras of the protocol."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult, TextContent

from codeb_mcp.domain.names import EnvironmentKind
from codeb_mcp.server import build_server
from codeb_mcp.wiring import Application
from tests.fakes.systems import InMemoryHost

ERAS: tuple[Literal["auto", "legacy"], ...] = ("auto", "legacy")
FREE = frozenset({EnvironmentKind.STAGING, EnvironmentKind.PREVIEW})


class Person:
    """Answers what the client is asked, and remembers the questions."""

    def __init__(self, answer: ElicitResult) -> None:
        self._answer = answer
        self.questions: list[str] = []

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        del context
        self.questions.append(params.message)
        return self._answer


YES = ElicitResult(action="accept", content={"agree": True})
NO = ElicitResult(action="accept", content={"agree": False})
NOT_YES = (NO, ElicitResult(action="decline"), ElicitResult(action="cancel"))


@pytest.fixture
def host(tmp_path: Path) -> InMemoryHost:
    return InMemoryHost(tmp_path, agent_may_deploy=FREE)


@pytest.fixture(params=ERAS)
def mode(request: pytest.FixtureRequest) -> Literal["auto", "legacy"]:
    era: Literal["auto", "legacy"] = request.param
    return era


@asynccontextmanager
async def connected(
    host: InMemoryHost, mode: Literal["auto", "legacy"], person: Person | None = None
) -> AsyncIterator[Client]:
    server = build_server(Application(host.systems()))
    async with Client(server, mode=mode, elicitation_callback=person) as client:
        yield client


async def ask(client: Client, tool: str, **arguments: Any) -> tuple[dict[str, Any], str]:
    """The structured result of a call, and the text of its error."""
    result = await client.call_tool(tool, arguments)
    text = "\n".join(each.text for each in result.content if isinstance(each, TextContent))
    return dict(result.structured_content or {}), text if result.is_error else ""


async def test_production_is_deployed_when_the_person_agrees(
    host: InMemoryHost, mode: Literal["auto", "legacy"]
) -> None:
    person = Person(YES)
    async with connected(host, mode, person) as client:
        await ask(client, "init_project", project="shop")
        deployed, error = await ask(
            client, "deploy", project="shop", environment="production", image=host.good_image()
        )
    assert error == ""
    assert deployed["changed"]
    assert person.questions == [f"Deploy {host.good_image()} to shop/production?"]


@pytest.mark.parametrize(
    "answer", [NO, ElicitResult(action="decline"), ElicitResult(action="cancel")]
)
async def test_nothing_is_deployed_when_the_person_does_not_agree(
    host: InMemoryHost, mode: Literal["auto", "legacy"], answer: ElicitResult
) -> None:
    async with connected(host, mode, Person(answer)) as client:
        await ask(client, "init_project", project="shop")
        _, error = await ask(
            client, "deploy", project="shop", environment="production", image=host.good_image()
        )
        status, _ = await ask(client, "get_status", project="shop")
    assert "(error not_confirmed)" in error
    assert status["environments"] == []


async def test_client_that_cannot_ask_needs_the_digest_of_a_dry_run(
    host: InMemoryHost, mode: Literal["auto", "legacy"]
) -> None:
    wanted = {"project": "shop", "environment": "production", "image": host.good_image()}
    async with connected(host, mode) as client:
        await ask(client, "init_project", project="shop")
        _, error = await ask(client, "deploy", **wanted)
        assert "next: call it with dry_run=true" in error
        planned, _ = await ask(client, "deploy", **wanted, dry_run=True)
        digest = planned["plan"]["digest"]
        deployed, error = await ask(client, "deploy", **wanted, plan_digest=digest)
        assert (deployed["changed"], error) == (True, "")
        _, error = await ask(client, "rollback", project="shop", environment="production")
        assert "(error not_confirmed)" in error


async def test_staging_and_previews_are_deployed_without_a_question(
    host: InMemoryHost, mode: Literal["auto", "legacy"]
) -> None:
    person = Person(NO)
    async with connected(host, mode, person) as client:
        await ask(client, "init_project", project="shop")
        for environment in ("staging", "pr-3"):
            deployed, error = await ask(
                client, "deploy", project="shop", environment=environment, image=host.good_image()
            )
            assert (deployed["changed"], error) == (True, "")
    assert person.questions == []


async def test_removal_shows_its_plan_to_the_person_and_carries_out_that_one(
    host: InMemoryHost, mode: Literal["auto", "legacy"]
) -> None:
    person = Person(YES)
    async with connected(host, mode, person) as client:
        await ask(client, "init_project", project="shop")
        await ask(client, "deploy", project="shop", image=host.good_image())
        removed, error = await ask(
            client, "remove_environment", project="shop", environment="staging"
        )
    assert (removed["removed"], error) == (True, "")
    (question,) = person.questions
    for step in removed["plan"]["steps"]:
        assert f"- {step['sentence']}" in question


async def test_removal_that_is_declined_removes_nothing(
    host: InMemoryHost, mode: Literal["auto", "legacy"]
) -> None:
    async with connected(host, mode, Person(NO)) as client:
        await ask(client, "init_project", project="shop")
        await ask(client, "deploy", project="shop", image=host.good_image())
        _, error = await ask(client, "remove_environment", project="shop", environment="staging")
        status, _ = await ask(client, "get_status", project="shop")
    assert "(error not_confirmed)" in error
    assert [each["environment"] for each in status["environments"]] == ["staging"]


async def test_bad_name_is_refused_in_words_before_anybody_is_asked(
    host: InMemoryHost, mode: Literal["auto", "legacy"]
) -> None:
    person = Person(YES)
    async with connected(host, mode, person) as client:
        for tool in ("deploy", "rollback", "remove_environment"):
            _, error = await ask(client, tool, project="../shop", environment="production")
            assert "next: " in error
    assert person.questions == []


async def test_question_is_no_argument_of_a_tool(host: InMemoryHost) -> None:
    async with connected(host, "auto") as client:
        tools = (await client.list_tools()).tools
    names = {name for tool in tools for name in tool.input_schema["properties"]}
    assert not names & {"answer", "proposed", "ctx"}
