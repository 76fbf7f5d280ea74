"""`make demo`'s program, twice and then removed: on this host and on a server, root and not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.lab import Server
from tests.system.lab.product import Product
from tests.system.lab.services import User

ROOT = Path(__file__).parents[2]
FOLDERS = ("examples", "examples/hello", "examples/hello/www")
SHOWN = (
    "the page says: Hello from codeb",
    "the page says: Hello again at",
    "requests meanwhile, by answer: {'200':",
    "claude mcp add codeb --env CODEB_HOME=",
    "http://staging.hello.localhost:",
)


def check_output(text: str) -> None:
    """What a newcomer is promised to see."""
    for words in SHOWN:
        assert words in text, text


def test_demo_runs_twice_and_is_removed_on_this_host(lab_host: None, tmp_path: Path) -> None:
    home = tmp_path / "demo"
    demo = [sys.executable, str(ROOT / "examples" / "demo.py")]
    environment = {**os.environ, "CODEB_DEMO_HOME": str(home)}

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [*demo, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    try:
        check_output(run())
        check_output(run())
    finally:
        run("--clean")
    assert not home.exists()
    assert shutil.which("podman") is not None
    left = subprocess.run(
        ["podman", "images", "--quiet", "localhost/codeb-demo/busybox"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert left.stdout == ""


@pytest.mark.parametrize("account", ["root", "codeb"])
def test_demo_runs_twice_and_is_removed_on_a_server(
    server: Server, user: User, product: Product, account: str
) -> None:
    assert user.name == "codeb"
    top = f"/var/tmp/demo-of-{account}"
    for folder in FOLDERS:
        for path in (ROOT / folder).iterdir():
            if path.is_file():
                inside = f"{top}/{path.relative_to(ROOT)}"
                server.write(inside, path.read_bytes(), owner=account)
    demo = [product.python, f"{top}/examples/demo.py"]
    environment = {"CODEB_DEMO_HOME": f"{top}/home"}
    try:
        for _ in range(2):
            check_output(server.run_as(account, demo, env=environment, timeout=120).stdout)
    finally:
        server.run_as(account, [*demo, "--clean"], env=environment, timeout=120)
    assert server.run_as(account, ["ls", top]).stdout.split() == ["examples"]
    server.run(["rm", "-r", top])
