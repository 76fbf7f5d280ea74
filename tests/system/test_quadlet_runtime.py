"""The contracts under a real systemd: pytest runs on the lab's server, as an account of its own."""

import importlib.metadata
import io
import tarfile
from pathlib import Path

from tests.system.lab import Server
from tests.system.lab.product import Product
from tests.system.lab.services import Registry, add_user

TESTS = Path(__file__).resolve().parents[1]
# pure Python, so that they run under the server's version as well
RUNNER = ("pytest", "pytest-asyncio", "pluggy", "iniconfig", "packaging", "pygments")
WANTED = ("__init__.py", "outcomes.py", "contracts", "fakes", "injection")


def test_quadlet_and_rootless_podman_keep_the_contracts(
    server: Server, registry: Registry, product: Product
) -> None:
    # no releases of other tests run there
    user = add_user(server, "contracts")
    folder = f"{user.home}/contracts"
    server.run_as(user.name, ["mkdir", "-p", folder])
    server.run_as(user.name, ["tar", "-x", "-C", folder], input=packed())
    ended = server.run_as(
        user.name,
        [
            *(product.python, "-m", "pytest", "-q", "-ra", "--tb=short", "-p", "no:cacheprovider"),
            *("--import-mode=importlib", "--override-ini=asyncio_mode=auto"),
            "--override-ini=asyncio_default_fixture_loop_scope=function",
            "tests/contracts/quadlet_on_server.py",
        ],
        env={
            "PYTHONPATH": f"{folder}/site:{folder}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CODEB_TEST_REGISTRY": registry.location,
        },
        cwd=folder,
        check=False,
        timeout=600,
    )
    server.run_as(user.name, ["rm", "-r", folder])
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"


def packed() -> bytes:
    """A tar with the contracts, and in `site` what it takes to run them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in WANTED:
            tar.add(TESTS / name, f"tests/{name}", filter=_without_bytecode)
        for name in RUNNER:
            for file in importlib.metadata.files(name) or ():
                if ".." not in file.parts and file.suffix != ".pyc":
                    tar.add(str(file.locate()), f"site/{file}")
    return buffer.getvalue()


def _without_bytecode(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    return None if "__pycache__" in entry.name else entry
