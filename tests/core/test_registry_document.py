"""The registry's JSON."""

import copy
from typing import Any

import pytest

from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.document import parse_document, registry_document

DOCUMENT: dict[str, Any] = {
    "version": "1.0.0",
    "lastUpdated": "2024-12-03T00:00:00Z",
    "projects": {
        "my-nextjs-app": {
            "id": "proj_abc123",
            "name": "my-nextjs-app",
            "type": "nextjs",
            "repository": "https://github.com/org/my-nextjs-app",
            "environments": {
                "production": {
                    "status": "running",
                    "domain": "myapp.codeb.dev",
                    "ports": {"app": 3005, "db": 5435, "redis": 6382},
                    "containers": {"app": "codeb-my-nextjs-app-production-green"},
                    "deployedAt": "2024-12-03T00:00:00Z",
                    "version": "v1.2.3",
                    "imageTag": "ghcr.io/org/myapp:v1.2.3",
                },
                "staging": {
                    "status": "empty",
                    "domain": "staging.myapp.codeb.dev",
                    "ports": {"app": 3105},
                },
            },
            "config": {
                "buildCommand": "npm run build",
                "startCommand": "npm start",
                "healthCheck": "/api/health",
                "envVars": ["DATABASE_URL", "REDIS_URL", "SECRET_KEY"],
            },
            "createdAt": "2024-12-01T00:00:00Z",
            "updatedAt": "2024-12-03T00:00:00Z",
        }
    },
    "portAllocations": {
        "app": {"3005": "my-nextjs-app/production", "3105": "my-nextjs-app/staging"},
        "db": {"5435": "my-nextjs-app/production"},
        "redis": {"6382": "my-nextjs-app/production"},
    },
}


def test_document_that_is_read_and_written_is_the_same_document() -> None:
    assert registry_document(parse_document(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("status", ["failed", "interrupted", "running", "empty"])
def test_every_status_survives(status: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    environment = document["projects"]["my-nextjs-app"]["environments"]["production"]
    environment["status"] = status
    if status != "running":
        for key in ("containers", "deployedAt", "version", "imageTag"):
            del environment[key]
    assert registry_document(parse_document(document)) == document


def test_registry_without_projects_is_a_document_too() -> None:
    empty = registry_document(())
    assert empty["portAllocations"] == {"app": {}, "db": {}, "redis": {}}
    assert parse_document(empty) == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), "9"),
        (("projects",), []),
        (("projects", "my-nextjs-app", "name"), "other"),
        (("projects", "my-nextjs-app", "type"), "cobol"),
        (("projects", "my-nextjs-app", "createdAt"), "yesterday"),
        (("projects", "my-nextjs-app", "config", "healthCheck"), "no-slash"),
        (("projects", "my-nextjs-app", "config", "envVars"), "A"),
        (("projects", "my-nextjs-app", "environments", "production", "domain"), "a b"),
        (("projects", "my-nextjs-app", "environments", "production", "ports"), {"app": "x"}),
        (("projects", "my-nextjs-app", "environments", "production", "ports"), {"ftp": 21}),
        (("projects", "my-nextjs-app", "environments", "production", "status"), "great"),
        (("projects", "my-nextjs-app", "environments", "staging", "ports"), {"app": 3005}),
        (("projects", "my-nextjs-app", "environments", "staging", "domain"), "myapp.codeb.dev"),
    ],
)
def test_wrong_document_is_refused(path: tuple[str, ...], value: object) -> None:
    document = copy.deepcopy(DOCUMENT)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidRequest):
        parse_document(document)


@pytest.mark.parametrize("document", [None, [], "x", 7, {}])
def test_something_else_than_a_document_is_refused(document: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_document(document)


def test_custom_domains_have_a_key_of_their_own_and_come_back() -> None:
    document = copy.deepcopy(DOCUMENT)
    production = document["projects"]["my-nextjs-app"]["environments"]["production"]
    production["customDomains"] = {"myapp.example.com": "active", "www.example.com": "pending"}
    assert registry_document(parse_document(document)) == document


@pytest.mark.parametrize(
    ("domains", "said"),
    [
        ({"www.example.com": "maybe"}, "not active or pending"),
        ({"staging.myapp.codeb.dev": "active"}, "belongs to"),
        ({"*.example.com": "active"}, "not valid"),
        (["www.example.com"], "not a JSON object"),
    ],
)
def test_custom_domains_that_cannot_be_are_refused(domains: object, said: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    environments = document["projects"]["my-nextjs-app"]["environments"]
    environments["production"]["customDomains"] = domains
    with pytest.raises(InvalidRequest, match=said):
        parse_document(document)
