"""The fixer `anthropic`: a conversation over the Messages API, with tools that keep to the tree."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from codeb_mcp.adapters.claude_fixer import no_key
from codeb_mcp.adapters.tree_tools import TOOLS, ToolRefused, TreeTools
from codeb_mcp.domain.healing import Effort, FixRequest, Tree
from codeb_mcp.domain.masking import Secret, mask
from codeb_mcp.planning.costs import Tokens, usd
from codeb_mcp.planning.heal_request import harmless

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic import AsyncAnthropic
    from anthropic.types import Message

    from codeb_mcp.domain.watching import Told

MODEL = "claude-sonnet-5"
MOST_TURNS = 60
MOST_TOKENS = 8_192
MOST_RETRIES = 5
LONGEST_WORDS = 2_000
LONGEST_RESULT = 60_000
_CACHED = {"cache_control": {"type": "ephemeral"}}
_WORTH_RETRYING = (408, 409, 429, 529)


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where the API is, and by whose key. `first_wait` is what is waited before a retry, s."""

    model: str | None
    url: str
    key: Secret | None
    first_wait: float = 1.0


class AnthropicFixer:
    """`Fixer` by the Messages API."""

    name = "anthropic"

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings

    async def ready(self) -> None:
        """Raise HostNotReady when there is no key."""
        if self._settings.key is None:
            raise no_key()

    async def fix(self, request: FixRequest, tree: Tree, told: Told) -> Effort:
        """One conversation, to its end or a limit."""
        spent = _Spent()
        with anyio.move_on_after(request.seconds):
            return await self._converse(request, tree, told, spent)
        return Effort(spent.usd, failure="it did not end in time")

    async def _converse(self, request: FixRequest, tree: Tree, told: Told, spent: _Spent) -> Effort:
        # takes 2 s to load, and only here
        import anthropic  # noqa: PLC0415

        tools = TreeTools(tree.folder)
        messages: list[dict[str, Any]] = [{"role": "user", "content": request.task}]
        client = anthropic.AsyncAnthropic(
            api_key=self._key(), base_url=self._settings.url, max_retries=0
        )
        async with client:
            for _ in range(MOST_TURNS):
                if spent.usd >= request.usd:
                    return Effort(spent.usd, failure="the cost limit of this heal is reached")
                try:
                    message = await self._asked(client, request, messages, spent)
                except anthropic.AnthropicError as error:
                    return Effort(spent.usd, failure=harmless(str(error), LONGEST_WORDS))
                messages.append({"role": "assistant", "content": _kept(message)})
                results = [
                    await _used(tools, block.name, block.input, block.id, told)
                    for block in message.content
                    if block.type == "tool_use"
                ]
                if not results:
                    words = [block.text for block in message.content if block.type == "text"]
                    return Effort(spent.usd, harmless("\n".join(words), LONGEST_WORDS))
                messages.append({"role": "user", "content": results})
        return Effort(spent.usd, failure=f"it did not end within {MOST_TURNS} turns")

    def _key(self) -> str:
        assert self._settings.key is not None  # noqa: S101 - `ready` was asked
        return self._settings.key.reveal()

    async def _asked(
        self,
        client: AsyncAnthropic,
        request: FixRequest,
        messages: list[dict[str, Any]],
        spent: _Spent,
    ) -> Message:
        """One answer, streamed. What passes by itself is tried again, also in mid-stream."""
        import anthropic  # noqa: PLC0415

        for retry in range(MOST_RETRIES + 1):
            try:
                return await self._streamed(client, request, messages, spent)
            except anthropic.APIStatusError as error:
                passing = error.status_code in _WORTH_RETRYING or error.status_code >= 500
                # an error event within a stream comes with the status 200 of its beginning
                if retry == MOST_RETRIES or not (passing or error.status_code == 200):
                    raise
                await anyio.sleep(self._wait(retry, error.response.headers.get("retry-after")))
            except anthropic.APIConnectionError:
                if retry == MOST_RETRIES:
                    raise
                await anyio.sleep(self._wait(retry, None))
            except _dropped() as error:
                if retry == MOST_RETRIES:
                    raise anthropic.AnthropicError(f"the connection dropped: {error!r}") from error
                await anyio.sleep(self._wait(retry, None))
        raise AssertionError("unreachable")

    def _wait(self, retry: int, said: str | None) -> float:
        try:
            return min(60.0, float(said or ""))
        except ValueError:
            longest = self._settings.first_wait * 2**retry
            return random.uniform(longest / 2, longest)  # noqa: S311 - spreads callers

    async def _streamed(
        self,
        client: AsyncAnthropic,
        request: FixRequest,
        messages: list[dict[str, Any]],
        spent: _Spent,
    ) -> Message:
        model = self._settings.model or MODEL
        asked: Callable[..., Any] = client.messages.stream
        async with asked(
            model=model,
            max_tokens=MOST_TOKENS,
            system=[{"type": "text", "text": request.instructions, **_CACHED}],
            tools=[*TOOLS[:-1], {**TOOLS[-1], **_CACHED}],
            messages=_cached(messages),
        ) as stream:
            message: Message = await stream.get_final_message()
        spent.usd += usd(model, Tokens.of(message.usage.model_dump()))
        return message


@dataclass(slots=True)
class _Spent:
    usd: float = 0.0


def _dropped() -> tuple[type[Exception], ...]:
    """What the SDK's HTTP client raises when a stream ends before its time."""
    import httpx2  # noqa: PLC0415

    return (httpx2.TransportError,)


def _kept(message: Message) -> list[dict[str, Any]]:
    return [block.model_dump(exclude_none=True) for block in message.content]


def _cached(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The conversation, to be kept by the API up to its last message."""
    *before, last = messages
    content = last["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    blocks[-1] = {**blocks[-1], **_CACHED}
    return [*before, {**last, "content": blocks}]


async def _used(
    tools: TreeTools, name: str, arguments: object, number: str, told: Told
) -> dict[str, Any]:
    """The result of one tool call, without secrets."""
    given = arguments if isinstance(arguments, dict) else {}
    await told(f"{name} {given.get('path', given.get('text', ''))}")
    try:
        text, refused = await to_thread.run_sync(tools.call, name, given), False
    except ToolRefused as error:
        text, refused = str(error), True
    return {
        "type": "tool_result",
        "tool_use_id": number,
        "content": mask(text[:LONGEST_RESULT]),
        "is_error": refused,
    }
