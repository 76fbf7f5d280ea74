"""Where codeb's routes go among other people's."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.planning.servers import (
    Entrance,
    embedded_config,
    find_route,
    other_route,
    smallest_change,
    with_route,
    without_route,
)

PORT = Entrance(8080)
OURS: dict[str, Any] = {"@id": "codeb-shop-production", "match": [{"host": ["shop.localhost"]}]}

listens = st.sampled_from(
    [
        ":8080",
        "tcp/:8080",
        "127.0.0.1:8080",
        "[::]:8080",
        ":8000-8100",
        ":80",
        "udp/:8080",
        "unix//x",
    ]
)
routes = st.lists(
    st.builds(lambda host: {"match": [{"host": [host]}], "terminal": True}, st.text(min_size=1)),
    max_size=4,
)
servers = st.dictionaries(
    st.text(min_size=1),
    st.builds(lambda listen, found: {"listen": [listen], "routes": found}, listens, routes),
    max_size=3,
)
configs = st.none() | st.builds(
    lambda found, other: {
        "admin": {"listen": "unix//a"},
        "apps": {"http": {"servers": found}, **other},
    },
    servers,
    st.dictionaries(st.sampled_from(["tls", "pki"]), st.just({"x": 1})),
)


def server(*listen: str, routes: list[Any] | None = None) -> dict[str, Any]:
    return {"apps": {"http": {"servers": {"theirs": {"listen": [*listen], "routes": routes}}}}}


@given(configs)
def test_a_route_is_there_once_and_writing_it_again_changes_nothing(config: Any) -> None:
    once = with_route(config, OURS, PORT)
    assert find_route(once, OURS["@id"]) == OURS
    assert with_route(once, OURS, PORT) == once
    assert str(once).count("codeb-shop-production") == 1


@given(configs)
def test_the_configuration_given_is_never_changed_itself(config: Any) -> None:
    before = copy.deepcopy(config)
    without_route(with_route(config, OURS, PORT), OURS["@id"])
    assert config == before


@given(configs)
def test_removing_the_route_leaves_what_others_had(config: Any) -> None:
    after = without_route(with_route(config, OURS, PORT), OURS["@id"])
    found = (after or {})["apps"]["http"]["servers"]
    for name, theirs in ((config or {}).get("apps", {}).get("http", {}).get("servers", {})).items():
        if name != "codeb":
            assert found[name] == theirs


@given(configs)
def test_the_smallest_change_leads_to_what_is_wanted(config: Any) -> None:
    wanted = with_route(config, OURS, PORT)
    method, path, value = smallest_change(config, wanted)
    result: Any = {"": copy.deepcopy(config)}
    place, key = result, ""
    for step in path.removeprefix("/config/").split("/") if path != "/config/" else []:
        place, key = place[key], step
    assert (key in place and place[key] is not None) == (method == "PATCH") or path == "/config/"
    place[key] = value
    assert result[""] == wanted


def test_only_the_routes_of_one_server_are_written_where_only_they_change() -> None:
    before = with_route(None, OURS, PORT)
    other = {**OURS, "@id": "codeb-blog-production"}
    method, path, value = smallest_change(before, with_route(before, other, PORT))
    assert (method, path) == ("PATCH", "/config/apps/http/servers/codeb/routes")
    assert [route["@id"] for route in value] == [other["@id"], OURS["@id"]]


def test_a_route_that_fell_behind_somebody_elses_goes_first_again() -> None:
    catch_all: dict[str, Any] = {"handle": [{"handler": "static_response"}]}
    config = server(":8080", routes=[catch_all, OURS])
    found = with_route(config, OURS, PORT)["apps"]["http"]["servers"]["theirs"]["routes"]
    assert found == [OURS, catch_all]


def test_a_server_without_routes_can_be_joined() -> None:
    found = with_route(server(":8080"), OURS, PORT)["apps"]["http"]["servers"]
    assert found["theirs"]["routes"] == [OURS]


def test_a_udp_listener_is_not_the_entrance() -> None:
    assert "codeb" in with_route(server("udp/:8080"), OURS, PORT)["apps"]["http"]["servers"]


def test_a_host_inside_another_site_is_found() -> None:
    inner = {"match": [{"host": ["Shop.localhost"]}]}
    site = {
        "match": [{"host": ["*.localhost"]}],
        "handle": [{"handler": "subroute", "routes": [inner]}],
    }
    config = server(":8080", routes=[site])
    assert other_route(config, "shop.localhost", "codeb-x") == "route 0 of the server theirs"
    assert other_route(config, "blog.localhost", "codeb-x") is None


def test_our_own_caddy_starts_with_the_routes_it_had_at_the_entrance_of_now() -> None:
    before = with_route(embedded_config(None, "unix//old|0600", PORT), OURS, PORT)
    after = embedded_config(before, "unix//new|0600", Entrance(9090))
    assert after["admin"] == {"listen": "unix//new|0600"}
    assert after["apps"]["http"]["servers"]["codeb"]["listen"] == [":9090"]
    assert find_route(after, OURS["@id"]) == OURS


def test_switching_tls_on_lets_caddy_have_certificates() -> None:
    before = with_route(embedded_config(None, "unix//a", PORT), OURS, PORT)
    secure = Entrance(443, tls=True, plain_port=80)
    after = embedded_config(before, "unix//a", secure)
    own = after["apps"]["http"]["servers"]["codeb"]
    assert (own["listen"], "automatic_https" in own) == ([":443"], False)
    assert not after["apps"]["pki"]["certificate_authorities"]["local"]["install_trust"]
    assert embedded_config(after, "unix//a", PORT)["apps"]["http"]["servers"]["codeb"][
        "automatic_https"
    ] == {"disable": True}
