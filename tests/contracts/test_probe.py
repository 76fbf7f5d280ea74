"""What every Probe does, shown on the one in memory and on real sockets."""

import socket
from collections.abc import AsyncIterator, Callable

import pytest

from codeb_mcp.adapters.probe import HttpProbe
from codeb_mcp.domain.host import ProbeAnswer
from codeb_mcp.services.systems import Probe
from tests.contracts.applications import (
    Behaviour,
    application,
    endless,
    hanging_up,
    not_http,
    one_byte_at_a_time,
    saying,
    silent,
)
from tests.fakes.network import FakeProbe

FreePort = Callable[[], int]


class ProbeContract:
    """Inherit and give `probe` and `serving`, a port where an application answers 204."""

    async def test_an_application_that_answers_is_seen_with_its_status(
        self, probe: Probe, serving: int
    ) -> None:
        assert await probe.get(serving, "/health", 5) == ProbeAnswer(204)

    async def test_a_port_where_nothing_listens_refuses(
        self, probe: Probe, free_port: FreePort
    ) -> None:
        answer = await probe.get(free_port(), "/", 5)
        assert (answer.status, answer.reason) == (None, "connection refused")

    async def test_a_port_that_is_listened_on_is_not_free(
        self, probe: Probe, serving: int, free_port: FreePort
    ) -> None:
        assert not probe.port_is_free(serving)
        assert probe.port_is_free(free_port())


class TestFakeProbe(ProbeContract):
    @pytest.fixture
    def probe(self) -> Probe:
        fake = FakeProbe()
        fake.serve(3000, 204)
        return fake

    @pytest.fixture
    def serving(self) -> int:
        return 3000


class TestHttpProbe(ProbeContract):
    @pytest.fixture
    def probe(self) -> Probe:
        return HttpProbe()

    @pytest.fixture
    async def serving(self) -> AsyncIterator[int]:
        async with application(saying(204, b"")) as port:
            yield port

    @pytest.mark.parametrize(
        ("behaviour", "reason"),
        [
            (silent, "timed out after 0.3 s"),
            (one_byte_at_a_time, "timed out after 0.3 s"),
            (hanging_up, "closed the connection without an answer"),
            (not_http, "did not answer in HTTP"),
        ],
    )
    async def test_an_application_that_does_not_answer_is_told_in_a_few_words(
        self, probe: Probe, behaviour: Behaviour, reason: str
    ) -> None:
        async with application(behaviour) as port:
            assert await probe.get(port, "/", 0.3) == ProbeAnswer(None, reason)

    async def test_a_body_without_end_is_not_waited_for(self, probe: Probe) -> None:
        async with application(endless) as port:
            assert await probe.get(port, "/", 5) == ProbeAnswer(200)

    async def test_a_redirect_is_an_answer_and_is_not_followed(self, probe: Probe) -> None:
        async with application(saying(302, headers="Location: http://127.0.0.1:1/\r\n")) as port:
            answer = await probe.get(port, "/", 5)
            assert answer == ProbeAnswer(302)
            assert answer.healthy

    async def test_a_proxy_in_the_environment_is_not_asked(
        self, probe: Probe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        async with application(saying(200)) as port:
            assert await probe.get(port, "/", 5) == ProbeAnswer(200)

    @pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
    def test_a_port_held_on_any_address_is_not_free(self, probe: Probe, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as holder:
            holder.bind((address, 0))
            holder.listen()
            assert not probe.port_is_free(holder.getsockname()[1])

    async def test_a_port_whose_last_connection_lingers_is_free(self, probe: Probe) -> None:
        async with application(saying(200)) as port:
            await probe.get(port, "/", 5)
        assert probe.port_is_free(port)
