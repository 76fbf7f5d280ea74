"""An example."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def greeting(name: str) -> str:
    """What is said to `name`."""
    return f"hello {name}\n"


async def home(request: Request) -> PlainTextResponse:
    """The one page."""
    return PlainTextResponse(greeting("world"))


app = Starlette(routes=[Route("/", home)])
