"""A Messages API on loopback that plays a test's script and remembers what it was asked."""

import json
import socket
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from .conversation import MessagesRequest, Text, ToolUse, Turn
from .event_stream import events, whole_message

DROP = -1
"""A fault: the connection ends within the answer."""
OVERLOADED = 529

# A client asks for a title or a summary without offering tools. Such a request must not
# use up a turn of the script, or the turns would depend on the client's version.
_SIDE_ANSWER = Text("A scripted conversation")


class ScriptFailed(AssertionError):
    """The script ended too early, was not played to its end, or a turn of it raised."""


class MessagesApi:
    """Plays `script`, one turn per request of the conversation; use it as a context manager.

    Leaving the context raises `ScriptFailed` when a turn raised, when there were more requests
    than turns, or when turns are left over. `requests` holds the conversation's requests in
    order, `side_requests` those without tools (titles, summaries), `unknown` the
    `METHOD path` of everything refused.
    """

    def __init__(self, *script: Turn, faults: Sequence[int] = ()) -> None:
        self.requests: list[MessagesRequest] = []
        self.side_requests: list[MessagesRequest] = []
        self.unknown: list[str] = []
        self._script = script
        self._faults = list(faults)
        self._failure: Exception | None = None
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def base_url(self) -> str:
        """What a client takes as ANTHROPIC_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._failure is not None:
            raise ScriptFailed(str(self._failure)) from self._failure
        if error is None and len(self.requests) < len(self._script):
            played, turns = len(self.requests), len(self._script)
            raise ScriptFailed(f"{played} of the script's {turns} turns were played")

    def leave_the_rest(self) -> None:
        """The script need not have been played to its end: its reader may have been killed."""
        self._script = ()

    def next_fault(self) -> int | None:
        """The next of `faults`: a status to answer with, or DROP; None when they are over."""
        with self._lock:
            return self._faults.pop(0) if self._faults else None

    def answer(self, request: MessagesRequest) -> tuple[Text | ToolUse, int]:
        """The next block of the script and its number; raises ScriptFailed when there is none."""
        with self._lock:
            if not request.tools:
                self.side_requests.append(request)
                return _SIDE_ANSWER, 10_000 + len(self.side_requests)
            self.requests.append(request)
            number = len(self.requests)
            try:
                return self._turn(number, request), number
            except Exception as error:
                self._failure = self._failure or error
                raise ScriptFailed(f"turn {number} of the script: {error}") from error

    def _turn(self, number: int, request: MessagesRequest) -> Text | ToolUse:
        if number > len(self._script):
            raise ScriptFailed(f"request {number} came, the script has {len(self._script)} turns")
        turn = self._script[number - 1]
        return turn(request) if callable(turn) else turn


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: MessagesApi) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay silent: pytest's output is for the tests."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = urlsplit(self.path).path
        if path not in ("/v1/messages", "/v1/messages/count_tokens"):
            self._refuse_unknown()
            return
        if not (self.headers.get("x-api-key") or self.headers.get("authorization")):
            self._error(HTTPStatus.UNAUTHORIZED, "authentication_error", "x-api-key is required")
            return
        request = _parse(body)
        if request is None:
            message = "model and a list of messages are required"
            self._error(HTTPStatus.BAD_REQUEST, "invalid_request_error", message)
        elif path.endswith("count_tokens"):
            # Four bytes a token is the usual rule of thumb, and nothing here depends on it.
            self._json(HTTPStatus.OK, {"input_tokens": max(1, len(body) // 4)})
        else:
            self._play(request)

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/v1/models":
            page = {"data": [], "has_more": False, "first_id": None, "last_id": None}
            self._json(HTTPStatus.OK, page)
        else:
            self._refuse_unknown()

    def do_HEAD(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("content-length", "0")
        self.end_headers()

    def _play(self, request: MessagesRequest) -> None:
        fault = self.server.api.next_fault()
        if fault == DROP:
            self._drop(request)
            return
        if fault is not None:
            self._error(fault, "fault", "try again")
            return
        try:
            block, number = self.server.api.answer(request)
        except ScriptFailed as error:
            # 400 and not 500: a client does not retry it, so the test ends at once.
            self._error(HTTPStatus.BAD_REQUEST, "invalid_request_error", str(error))
            return
        model = str(request.body["model"])
        if not request.body.get("stream"):
            self._json(HTTPStatus.OK, whole_message(block, number, model))
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")  # the end of the stream is the end of the body
        self.end_headers()
        for event in events(block, number, model):
            self.wfile.write(event)

    def _drop(self, request: MessagesRequest) -> None:
        """Begin an answer and cut the connection in the middle of it."""
        first, *_ = events(Text("an answer that is cut"), 0, str(request.body["model"]))
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", "100000")
        self.end_headers()
        self.wfile.write(first)
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _refuse_unknown(self) -> None:
        self.server.api.unknown.append(f"{self.command} {self.path}")
        message = f"this Messages API has no {self.command} {self.path}"
        self._error(HTTPStatus.NOT_FOUND, "not_found_error", message)

    def _error(self, status: int, kind: str, message: str) -> None:
        self._json(status, {"type": "error", "error": {"type": kind, "message": message}})

    def _json(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _parse(body: bytes) -> MessagesRequest | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    well_formed = (
        isinstance(document, dict)
        and isinstance(document.get("model"), str)
        and isinstance(document.get("messages"), list)
    )
    return MessagesRequest(document) if well_formed else None
