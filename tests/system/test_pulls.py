"""Pulling as from GHCR: with a login, over a network that fails, by digest, into a full disk."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.lab.commands import Completed
from tests.system.lab.images import push_image, web_image

from .faulty_registry import BEFORE, BEHIND, OTHER, PASSWORD, USER, FaultyRegistry
from .sites import LabSite

PAGE = "pulled with a login\n"


class Puller:
    """The lab's account, with a project to deploy."""

    def __init__(self, site: LabSite, registry: FaultyRegistry) -> None:
        self.site, self.registry = site, registry
        user = site.user.name
        site.podman("login", f"--username={USER}", f"--password={PASSWORD}", BEHIND)
        # large enough to be cut, and nothing that compresses
        image = web_image(
            site.server, user, "pulled:v1", PAGE, files={"large": os.urandom(2_000_000).hex()}
        )
        self.digest = push_image(site.server, user, image, BEHIND).digest
        site.podman("rmi", image)
        site.podman("logout", "--all")
        site.codeb("init", "pulls", "--type", "image")

    def codeb(self, *argv: str, stdin: str = "", env: dict[str, str] | None = None) -> Completed:
        command = [self.site.product.codeb, *argv]
        user = self.site.user.name
        return self.site.server.run_as(
            user, command, input=stdin, env=env, check=False, timeout=300
        )

    def login(self, registry: str = BEFORE, password: str = PASSWORD) -> Completed:
        return self.codeb("login", registry, "--username", USER, "--password-stdin", stdin=password)

    def plan(self, tag: str = "v1", *more: str, registry: str = BEFORE, **env: str) -> Completed:
        """A dry run, which pulls and changes nothing else."""
        image = f"{registry}/pulled{tag if tag.startswith('@') else f':{tag}'}"
        return self.codeb("deploy", "pulls", "--image", image, "--plan", *more, env=env)

    def error(self, ended: Completed) -> dict[str, Any]:
        assert ended.returncode != 0, ended.stdout
        found: dict[str, Any] = json.loads(ended.stdout)["error"]
        return found

    def forget_image(self) -> None:
        for registry in (BEFORE, BEHIND, OTHER):
            self.site.podman(
                "rmi",
                "--ignore",
                "--force",
                f"{registry}/pulled:v1",
                f"{registry}/pulled@{self.digest}",
            )
        self.site.podman("image", "prune", "--force")


@pytest.fixture(scope="module")
def pulling(lab_site: LabSite) -> Iterator[Puller]:
    registry = FaultyRegistry(lab_site.server)
    yield Puller(lab_site, registry)
    registry.stop()


@pytest.fixture
def puller(pulling: Puller) -> Iterator[Puller]:
    pulling.registry.fail("none", times=0)
    assert pulling.login().returncode == 0
    yield pulling
    pulling.codeb("logout", BEFORE)
    pulling.forget_image()


def test_login_is_checked_kept_for_the_account_alone_and_never_shown(puller: Puller) -> None:
    shown = puller.login()
    assert PASSWORD not in shown.stdout + shown.stderr
    path = f"{puller.site.home}/auth.json"
    assert puller.site.server.run(["stat", "--format=%a %U", path]).stdout == "600 codeb\n"
    audit = puller.codeb("registry", "audit", "--json").stdout
    assert '"login"' in audit
    assert PASSWORD not in audit
    assert puller.codeb("logout", BEFORE).returncode == 0
    assert BEFORE not in puller.site.server.read(path)
    again = puller.error(puller.codeb("logout", BEFORE, "--json"))
    assert again["code"] == "not_logged_in"


def test_login_that_the_registry_refuses_is_not_kept(puller: Puller) -> None:
    puller.codeb("logout", BEFORE)
    refused = puller.login(password="wrong horse")
    assert refused.returncode == 2
    assert "refuses the login of puller" in refused.stderr
    assert "wrong horse" not in refused.stderr
    assert BEFORE not in puller.site.server.read(f"{puller.site.home}/auth.json")


def test_private_image_is_pulled_with_its_login_and_deployed_by_digest(puller: Puller) -> None:
    image = f"{BEFORE}/pulled:v1"
    deployed = json.loads(puller.codeb("deploy", "pulls", "--image", image, "--json").stdout)
    assert deployed["digest"] == puller.digest
    container = json.loads(puller.site.podman("inspect", "codeb-pulls-staging-blue"))[0]
    pulled = json.loads(puller.site.podman("image", "inspect", image))[0]
    assert (container["Image"], pulled["Digest"]) == (pulled["Id"], puller.digest)
    # the same by its digest is the same release
    pinned = f"{BEFORE}/pulled:v1@{puller.digest}"
    again = json.loads(puller.codeb("deploy", "pulls", "--image", pinned, "--json").stdout)
    assert (again["changed"], again["digest"]) == (False, puller.digest)
    puller.codeb("remove", "pulls", "--env", "staging", "--yes")


def test_image_that_is_here_already_is_not_fetched_again(puller: Puller) -> None:
    assert puller.plan().returncode == 0
    puller.registry.fail("none", times=0)
    assert puller.plan().returncode == 0
    assert not [seen for seen in puller.registry.seen() if "/blobs/" in seen.path]


def test_login_is_given_to_its_own_registry_only(puller: Puller) -> None:
    error = puller.error(puller.plan("v1", "--json", registry=OTHER))
    assert error["code"] == "image_access_denied"
    assert f"codeb login {OTHER}" in error["hint"]
    seen = [each for each in puller.registry.seen() if each.port == 5003]
    assert seen
    assert not any(each.with_login for each in seen)


def test_wrong_password_is_told_at_once_and_not_tried_again(puller: Puller) -> None:
    path = f"{puller.site.home}/auth.json"
    text = json.dumps({"auths": {BEFORE: {"auth": "cHVsbGVyOndyb25nIGhvcnNl"}}})
    puller.site.server.write(path, text, mode=0o600, owner=puller.site.user.name)
    refused = puller.plan()
    assert refused.returncode == 2
    assert "access to image" in refused.stderr
    assert "trying again" not in refused.stderr
    assert "wrong horse" not in refused.stderr
    assert puller.login().returncode == 0


def test_image_that_is_missing_is_told_at_once(puller: Puller) -> None:
    missing = puller.plan("no-such-tag")
    assert missing.returncode == 2
    assert f"there is no image {BEFORE}/pulled:no-such-tag" in missing.stderr
    assert "trying again" not in missing.stderr


@pytest.mark.parametrize(
    ("kind", "part", "times"),
    [
        ("429", "/manifests/", 2),
        ("500", "/manifests/", 3),
        ("500", "/blobs/", 1),
        ("reset", "/blobs/", 2),
        ("reset", "/v2/", 3),
        ("cut", "/blobs/", 1),
        ("slow", "/blobs/", 2),
    ],
)
def test_fault_that_passes_is_outlived(puller: Puller, kind: str, part: str, times: int) -> None:
    puller.registry.fail(kind, part, times)
    ended = puller.plan()
    assert ended.returncode == 0, ended.stderr
    assert len([seen for seen in puller.registry.seen() if seen.fault == kind]) == times


def test_registry_that_goes_on_failing_is_given_up_in_bounded_time(puller: Puller) -> None:
    puller.registry.fail("500", "/v2/", 10_000)
    began = time.monotonic()
    error = puller.error(puller.plan("v1", "--json"))
    assert (error["code"], error["exitCode"], error["retryable"]) == ("registry_failed", 5, True)
    assert time.monotonic() - began < 120


def test_layer_that_stalls_is_given_up_and_the_registry_is_named(puller: Puller) -> None:
    puller.registry.fail("mute", "/blobs/", 10_000)
    began = time.monotonic()
    error = puller.error(puller.plan("v1", "--json", CODEB_PULL_TIMEOUT="3"))
    assert (error["code"], error["exitCode"], error["retryable"]) == ("registry_stalled", 5, True)
    assert f"the registry {BEFORE} has sent nothing for 3 s" in error["message"]
    assert time.monotonic() - began < 30
    puller.registry.fail("none", times=0)
    assert puller.plan().returncode == 0


def test_slow_layer_that_goes_on_is_not_given_up(puller: Puller) -> None:
    puller.registry.fail("drip", "/blobs/", 10)
    began = time.monotonic()
    ended = puller.plan(CODEB_PULL_TIMEOUT="5")
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - began > 7


def test_layer_that_is_not_what_its_digest_says_is_refused(puller: Puller) -> None:
    puller.registry.fail("corrupt", "/blobs/", 10_000)
    error = puller.error(puller.plan("v1", "--json"))
    assert error["code"] == "image_digest_mismatch"
    puller.registry.fail("none", times=0)
    assert puller.plan().returncode == 0


def test_digest_that_no_image_has_is_told(puller: Puller) -> None:
    error = puller.error(puller.plan(f"@sha256:{'0' * 64}", "--json"))
    assert error["code"] == "image_not_found"


def test_progress_of_a_pull_is_told(puller: Puller) -> None:
    puller.registry.fail("slow", "/blobs/", 10)
    told = puller.plan().stderr
    assert " MB of " in told or "layer 1 of " in told, told


def test_pull_into_a_disk_without_room_is_refused_before_it_begins(puller: Puller) -> None:
    error = puller.error(puller.plan("v1", "--json", CODEB_FREE_DISK_MB="1000000"))
    assert (error["code"], error["exitCode"]) == ("disk_full", 4)
    assert "codeb gc --plan" in error["hint"]
    assert not [seen for seen in puller.registry.seen() if "/blobs/" in seen.path]
