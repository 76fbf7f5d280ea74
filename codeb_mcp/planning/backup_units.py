"""The units by which systemd makes backups, as text."""

from collections.abc import Sequence

from codeb_mcp.domain.job import Schedule
from codeb_mcp.planning.quadlet import MARK, quoted

NAME = "codeb-backup"


def backup_service(command: Sequence[str], home: str) -> str:
    """Makes all backups once, for the codeb folder `home`."""
    lines = [
        MARK,
        "[Unit]",
        "Description=codeb: encrypted backups of this server",
        "",
        "[Service]",
        "Type=oneshot",
        f"Environment={quoted(f'CODEB_HOME={home}')}",
        f"ExecStart={' '.join(quoted(word) for word in command)}",
        "Nice=10",
        "",
    ]
    return "\n".join(lines)


def backup_timer(schedule: Schedule) -> str:
    """When. A run that was missed while the server was off is made up for once."""
    lines = [
        MARK,
        "[Unit]",
        "Description=codeb: backups by their schedule",
        "",
        "[Timer]",
        f"OnCalendar={schedule}",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]
    return "\n".join(lines)
