"""PostgreSQL and Redis as images, from Debian's packages, with the official images' interface.

Of that interface there is what codeb relies on: the users and places of the data, PGDATA,
POSTGRES_PASSWORD_FILE, and a first start that makes the cluster.
"""

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from .commands import contained
from .requirements import lab_dir
from .rootfs import SUITE, BuildFailed, host_mirror, remove_tree

POSTGRES_VERSION, REDIS_VERSION = "17", "8"
BASE = "localhost/codeb-test-databases:latest"
POSTGRES = f"localhost/postgres:{POSTGRES_VERSION}"
REDIS = f"localhost/redis:{REDIS_VERSION}"
LOCATION = "localhost"
"""Where they are: what the setting `database_images` has to name."""

PACKAGES = ("postgresql-17", "redis-server", "redis-tools")
LEFT_OUT = (
    *("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/zoneinfo", "usr/share/i18n"),
    *("var/cache", "var/lib/apt", "var/lib/dpkg", "var/log", "usr/lib/systemd", "usr/lib/udev"),
    *("dev", "proc", "sys", "run", "etc/postgresql", "var/lib/postgresql/17", "usr/lib/llvm*"),
    *("usr/lib/x86_64-linux-gnu/libLLVM*", "usr/lib/postgresql/17/lib/bitcode", "usr/share/perl*"),
    *("usr/lib/x86_64-linux-gnu/perl*", "usr/lib/*/dri", "boot", "usr/lib/gcc"),
)
ENTRYPOINT = """\
#!/bin/sh
# What the official image's does at the first start, as the user that runs the server.
set -eu
if [ "${1-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    install -m 0600 "$POSTGRES_PASSWORD_FILE" /tmp/password
    initdb --username="${POSTGRES_USER:-postgres}" --pwfile=/tmp/password \\
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    rm /tmp/password
    printf '\\nhost all all all scram-sha-256\\n' >> "$PGDATA/pg_hba.conf"
fi
exec "$@"
"""
POSTGRES_FILE = f"""\
FROM localhost/codeb-test-databases:latest
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PG_MAJOR=17
ENV PGDATA=/var/lib/postgresql/data
RUN install -d -o postgres -g postgres -m 3777 /run/postgresql
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres", "-c", "listen_addresses=*"]
LABEL version={POSTGRES_VERSION}
"""
REDIS_FILE = f"""\
FROM localhost/codeb-test-databases:latest
ENV REDIS_VERSION={REDIS_VERSION}
VOLUME /data
WORKDIR /data
EXPOSE 6379
CMD ["redis-server"]
"""
CONTAINERFILES = {POSTGRES: POSTGRES_FILE, REDIS: REDIS_FILE}


def root_archive() -> Path:
    """A tar with the programs of both, built first when it is not there (two minutes)."""
    recipe = hashlib.sha256(repr([SUITE, PACKAGES, LEFT_OUT, ENTRYPOINT]).encode()).hexdigest()
    archive = lab_dir() / "databases" / f"{recipe[:16]}.tar"
    archive.parent.mkdir(exist_ok=True)
    with FileLock(f"{archive.parent}.lock"):
        if not archive.exists():
            _build(archive)
    return archive


def _build(archive: Path) -> None:
    root = archive.with_suffix(".root")
    remove_tree(root)
    mirror = host_mirror()
    log = archive.with_suffix(".log")
    words = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE]
    with log.open("wb") as output:
        command = contained([*words, str(root), *([mirror] if mirror else [])])
        ended = subprocess.run(command, stdout=output, stderr=output, check=False)
    if ended.returncode != 0:
        raise BuildFailed(f"debootstrap failed:\n{log.read_text(errors='replace')[-2000:]}")
    entrypoint = root / "usr/local/bin/docker-entrypoint.sh"
    entrypoint.write_text(ENTRYPOINT)
    entrypoint.chmod(0o755)
    inside = ["chroot", str(root), "sh", "-ec"]
    script = (
        "mkdir -p /var/lib/postgresql/data /data /var/run/postgresql; mkdir -p -m 1777 /tmp; "
        "chown postgres:postgres /var/lib/postgresql/data; chmod 1777 /var/lib/postgresql/data; "
        "chown redis:redis /data"
    )
    subprocess.run([*inside, script], check=True)
    (root / "run/postgresql").mkdir(exist_ok=True)
    partial = archive.with_suffix(".partial")
    left_out = [f"--exclude=./{each}/*" for each in LEFT_OUT if not each.endswith("*")]
    left_out += [f"--exclude=./{each}" for each in LEFT_OUT if each.endswith("*")]
    tar = ["tar", "--create", f"--file={partial}", f"--directory={root}", "--sparse"]
    subprocess.run([*tar, *left_out, "."], check=True)
    remove_tree(root)
    partial.rename(archive)


def database_images(podman: Callable[..., str]) -> None:
    """Have both images in the Podman that `podman(*argv, stdin=…)` runs commands of."""
    present = podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    if {POSTGRES, REDIS} <= set(present):
        return
    podman("import", "-", BASE, stdin=root_archive().read_bytes())
    for name, text in CONTAINERFILES.items():
        podman("build", "--quiet", "--tag", name, "-", stdin=_context(text))


def _context(containerfile: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        content = containerfile.encode()
        entry = tarfile.TarInfo("Containerfile")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
