"""The units of a scheduled job, as text: a container that ends, and the timer that starts it."""

from codeb_mcp.domain.task import JobSpec
from codeb_mcp.planning.confined import unit_lines
from codeb_mcp.planning.quadlet import MARK, file_path, quoted


def job_unit(spec: JobSpec) -> str:
    """The Quadlet unit. Raises InvalidRequest for a value that no unit can hold."""
    task = spec.task
    name = task.key.job(spec.name)
    lines = [
        MARK,
        "[Unit]",
        f"Description=codeb {task.key} job {spec.name}",
        "",
        "[Container]",
        f"ContainerName={name}",
        f"Image={task.image_id}",
        "Pull=never",
        *(f"Environment={quoted(f'{variable}={value}')}" for variable, value in task.env),
        *([f"EnvironmentFile={file_path(task.env_file)}"] if task.env_file else []),
        *(f"Label={quoted(f'{label}={value}')}" for label, value in spec.labels.items()),
        f"Exec={' '.join(quoted(word) for word in task.command.words)}",
        *unit_lines(task.key, task.confinement, task.network),
        "LogDriver=k8s-file",
        f"PodmanArgs={quoted(f'--log-opt=path={spec.log_path}')} --log-opt=max-size=10mb",
        "",
        "[Service]",
        "Type=oneshot",
        "TimeoutStartSec=infinity",
        "",
    ]
    return "\n".join(lines)


def job_timer(spec: JobSpec) -> str:
    """The timer. A run that was missed while the server was off is made up for once."""
    lines = [
        MARK,
        "[Unit]",
        f"Description=codeb {spec.task.key} job {spec.name}, by its schedule",
        "",
        "[Timer]",
        f"OnCalendar={spec.schedule}",
        "AccuracySec=1s",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]
    return "\n".join(lines)
