"""The account as the system knows it, and work below its home that is done as the account.

Root must not write there itself: the account could have put a link to a file of root's in the way.
"""

import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codeb_mcp.domain.server import Account, FoundAccount

FIRST_UID = 1000
FIRST_SUBORDINATE = 100_000
SUBORDINATES = 65_536


def find_account(name: str) -> FoundAccount | None:
    """The account, or None when it or its group is missing."""
    try:
        entry = pwd.getpwnam(name)
        grp.getgrgid(entry.pw_gid)
    except KeyError:
        return None
    account = Account(name, entry.pw_uid, entry.pw_dir)
    return FoundAccount(
        account,
        lingers=Path("/var/lib/systemd/linger", name).exists(),
        subordinate_uids=_has_range(Path("/etc/subuid"), account),
        subordinate_gids=_has_range(Path("/etc/subgid"), account),
    )


def free_uid() -> int:
    """The first ordinary number that neither a user nor a group has."""
    taken = {each.pw_uid for each in pwd.getpwall()} | {each.gr_gid for each in grp.getgrall()}
    return next(number for number in range(FIRST_UID, 60_000) if number not in taken)


def free_subordinate_id() -> int:
    """Where a range for the account may begin: after everybody's."""
    ends = [
        first + count
        for path in (Path("/etc/subuid"), Path("/etc/subgid"))
        for _, first, count in _ranges(path)
    ]
    return max([FIRST_SUBORDINATE, *ends])


def _has_range(path: Path, account: Account) -> bool:
    owners = (account.name, str(account.uid))
    return any(who in owners and count >= SUBORDINATES for who, _, count in _ranges(path))


def _ranges(path: Path) -> Iterator[tuple[str, int, int]]:
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines:
        who, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if first.isdecimal() and count.isdecimal():
            yield who, int(first), int(count)


@contextmanager
def acting_as(uid: int, gid: int) -> Iterator[None]:
    """Give up root's rights for a moment. Nothing else of this process may run meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([gid])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
