"""How GitHub's HTTP API is spoken to: one question, whole lists, downloads, and its limits."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from codeb_mcp.adapters.http_client import Answer, NoAnswer, Target, fetch
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import shown
from codeb_mcp.errors import HostNotReady, InvalidRequest, SystemFailed

VERSION = "2022-11-28"
SECONDS = 30.0
DOWNLOAD_SECONDS = 300.0
LARGEST = 16_000_000
PAGE = 100
TRIES = 4
LONGEST_WAIT = 120.0
"""A limit that lasts longer is told to the caller instead of waited for."""
Sleep = Callable[[float], Awaitable[None]]


class GitHubApi:
    """One GitHub and one token. `now` is the time in seconds since the epoch."""

    def __init__(
        self, base: str, token: Secret | None, sleep: Sleep, now: Callable[[], float]
    ) -> None:
        self._base = base.rstrip("/")
        self._token = token
        self._sleep = sleep
        self._now = now

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """An answer of 2xx or 3xx; see `services/forge.py` for what is raised."""
        path += _query(query)
        for attempt in range(1, TRIES + 1):
            answer = await self._once(method, path, body, headers or {}, last=attempt == TRIES)
            if answer is None:
                await self._sleep(2.0 ** (attempt - 1))
                continue
            if (wait := self._limited(answer)) is not None:
                if attempt == TRIES or wait > LONGEST_WAIT:
                    raise _rate_limited(self._base, wait)
                await self._sleep(wait)
                continue
            if (moved := self._moved(answer)) is not None:
                path = moved
                continue
            if answer.status >= 500 and method == "GET" and attempt < TRIES:
                await self._sleep(2.0 ** (attempt - 1))
                continue
            if answer.status >= 400:
                _fail(answer, f"{method} {path.partition('?')[0]}")
            return answer
        raise _not_understood(f"{method} {path.partition('?')[0]}")

    async def json(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str | int | None] | None = None,
    ) -> Any:
        """The JSON of an answer that is one."""
        answer = await self.ask(method, path, body, query=query)
        if (found := answer.json()) is None:
            raise _not_understood(f"{method} {path}")
        return found

    async def listed(
        self,
        path: str,
        limit: int,
        *,
        key: str | None = None,
        query: Mapping[str, str | int | None] | None = None,
    ) -> list[Any]:
        """The first `limit` items of a list over its pages; `key` where it is in an object."""
        items: list[Any] = []
        query = {**(query or {}), "per_page": min(PAGE, limit), "page": 1}
        while True:
            answer = await self.ask("GET", path, query=query)
            document = answer.json()
            page = document.get(key) if key and isinstance(document, dict) else document
            if not isinstance(page, list):
                raise _not_understood(f"GET {path}")
            items += page
            # the address of the next page is GitHub's; only that there is one is taken from it
            if len(items) >= limit or not page or not _goes_on(answer):
                return items[:limit]
            query["page"] = int(str(query["page"])) + 1

    async def download(self, path: str, limit: int) -> bytes:
        """What GitHub redirects to, a signed address elsewhere, which never sees the token.

        Ends after `limit` bytes.
        """
        answer = await self.ask("GET", path)
        if answer.status not in (301, 302, 303, 307, 308):
            return answer.body
        place = answer.headers.get("location", "")
        parts = urlsplit(place)
        own = urlsplit(self._base)
        if parts.scheme not in ("https", own.scheme):
            raise _not_understood(f"GET {path}")
        rest = parts.path + (f"?{parts.query}" if parts.query else "")
        target = Target(f"{parts.scheme}://{parts.netloc}")
        try:
            found = await fetch(target, rest, seconds=DOWNLOAD_SECONDS, limit=limit)
        except NoAnswer as nothing:
            raise _down(target.base, nothing.reason) from None
        if not found.ok:
            raise SystemFailed(
                f"{target.base}, where GitHub keeps logs, did not give one (HTTP {found.status})",
                hint="try again: the address that GitHub gave is good for a minute only",
                code="github_failed",
            )
        return found.body

    async def _once(
        self, method: str, path: str, body: object, headers: Mapping[str, str], *, last: bool
    ) -> Answer | None:
        """One request; None when none came through and asking again can do no harm."""
        sent = {"accept": "application/vnd.github+json", "x-github-api-version": VERSION, **headers}
        if self._token is not None:
            sent["authorization"] = f"Bearer {self._token.reveal()}"
        target = Target(self._base, headers=sent)
        try:
            return await fetch(
                target, path, method=method, body=body, seconds=SECONDS, limit=LARGEST
            )
        except NoAnswer as nothing:
            if not last and (method == "GET" or not nothing.sent):
                return None
            raise _down(self._base, nothing.reason) from None

    def _moved(self, answer: Answer) -> str | None:
        """Where a renamed repository is now; never at another host, which the token is not for."""
        place = answer.headers.get("location", "")
        if answer.status in (301, 307, 308) and place.startswith(f"{self._base}/"):
            return place.removeprefix(self._base)
        return None

    def _limited(self, answer: Answer) -> float | None:
        """How long a rate limit lasts, in seconds, if this answer is one."""
        if answer.status not in (403, 429):
            return None
        after = answer.headers.get("retry-after", "").strip()
        if after.isdecimal():
            return float(after)
        if answer.headers.get("x-ratelimit-remaining") == "0":
            reset = answer.headers.get("x-ratelimit-reset", "")
            return max(1.0, float(reset) - self._now()) if reset.isdecimal() else 60.0
        # GitHub asks for a minute where it says nothing else
        return 60.0 if answer.status == 429 or "secondary rate limit" in answer.text else None


def segment(text: str) -> str:
    """`text` as one part of a path."""
    return quote(text, safe="")


def _goes_on(answer: Answer) -> bool:
    return 'rel="next"' in answer.headers.get("link", "")


def _query(query: Mapping[str, str | int | None] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _fail(answer: Answer, what: str) -> NoReturn:
    said = _said(answer)
    match answer.status:
        case 401:
            raise HostNotReady(
                "GitHub refuses the token",
                hint="set CODEB_GITHUB_TOKEN to one that is valid (in a workflow: github.token)",
                code="github_token_refused",
            )
        case 403:
            raise HostNotReady(
                f"the token may not do this on GitHub ({what}): {said}",
                hint="give the token the permission that GitHub names, or the workflow's job",
                code="github_forbidden",
            )
        case 404 | 410:
            raise InvalidRequest(
                f"GitHub knows nothing at {what}, or hides it from this token",
                hint="check the repository and the number, and that the token may read them; "
                "logs are kept for 90 days unless set otherwise",
                code="github_not_found",
            )
        case status if status < 500:
            raise InvalidRequest(
                f"GitHub rejects {what} (HTTP {status}): {said}",
                hint="correct what it names",
                code="github_rejected",
            )
        case status:
            raise SystemFailed(
                f"GitHub failed at {what} (HTTP {status}): {said}",
                hint="try again later; www.githubstatus.com says when it is back",
                code="github_failed",
            )


def _said(answer: Answer) -> str:
    document = answer.json()
    if not isinstance(document, dict):
        return shown(answer.text, 200)
    words = [str(document.get("message") or "")]
    errors = document.get("errors")
    for each in errors if isinstance(errors, list) else []:
        if isinstance(each, dict):
            words.append(str(each.get("message") or f"{each.get('field')} {each.get('code')}"))
        else:
            words.append(str(each))
    return shown("; ".join(filter(None, words)), 300)


def _down(base: str, reason: str) -> HostNotReady:
    return HostNotReady(
        f"GitHub does not answer at {base}: {reason}",
        hint="check this machine's network and github_url",
        code="github_down",
    )


def _rate_limited(base: str, wait: float) -> SystemFailed:
    return SystemFailed(
        f"GitHub at {base} limits how often this token may ask, for {wait:.0f} s more",
        hint="try again then",
        code="github_rate_limited",
    )


def _not_understood(what: str) -> SystemFailed:
    return SystemFailed(
        f"what GitHub answers to {what} is not understood",
        hint="check github_url: it must be GitHub's API, such as https://api.github.com",
        code="github_failed",
    )
