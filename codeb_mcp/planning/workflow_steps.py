"""Steps of GitHub workflows as data, and as YAML."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_ ./=@,$\"'()+*~-]*")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off"))


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a script (`run`) or an action (`uses`)."""

    name: str
    run: str = ""
    uses: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


ACTIONS: Mapping[str, str] = {
    "checkout": "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0",
    "setup_node": "actions/setup-node@395ad3262231945c25e8478fd5baf05154b1d79f # v6.1.0",
    "setup_python": "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0",
    "setup_go": "actions/setup-go@44694675825211faa026b3c33043df3e48a5fa00 # v6.0.0",
    "upload": "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
    "qemu": "docker/setup-qemu-action@c7c53464625b32c7a7e944ae62b3e17d2b600130 # v3.7.0",
    "buildx": "docker/setup-buildx-action@e468171a9de216ec08956ac3ada2f0791b6bd435 # v3.11.1",
    "login": "docker/login-action@5e57cd118135c172c3672efd75eb46360885c0ef # v3.6.0",
    "build_push": "docker/build-push-action@263435318d21b8e681c14492fe198d362a7d2c83 # v6.18.0",
    # the one release of this action whose tag was never moved to something else
    "trivy": "aquasecurity/trivy-action@57a97c7e7821a5776cebc9bb87c984fa69cba8f1 # v0.35.0",
}
"""The actions that are used. A tag can be moved, a commit cannot."""


def checkout(*, whole: bool = False) -> Step:
    """The code, without leaving the token in the working copy."""
    depth = {"fetch-depth": "0"} if whole else {}
    return Step("", uses=ACTIONS["checkout"], inputs={**depth, "persist-credentials": "false"})


def as_yaml(steps: Iterable[Step], indent: str = " " * 6) -> str:
    """The steps as items of a YAML list, each line behind `indent`."""
    lines = [line for step in steps for line in _lines(step)]
    return "\n".join(f"{indent}{line}" if line else "" for line in lines)


def _lines(step: Step) -> list[str]:
    fields: list[str] = [f"name: {_scalar(step.name)}"] if step.name else []
    if step.uses:
        fields.append(f"uses: {step.uses}")
    fields += _mapping("with", step.inputs) + _mapping("env", step.env)
    if step.run:
        fields += _script(step.run)
    return [f"{'- ' if not index else '  '}{line}" for index, line in enumerate(fields)]


def _script(text: str) -> list[str]:
    if _is_plain(text):
        return [f"run: {text}"]
    return ["run: |", *(f"  {line}" for line in text.splitlines())]


def _mapping(name: str, values: Mapping[str, str]) -> list[str]:
    if not values:
        return []
    return [f"{name}:", *(f"  {key}: {_scalar(value)}" for key, value in values.items())]


def _scalar(value: str) -> str:
    plain = value in ("true", "false") or value.isdecimal()
    return value if plain or (_is_plain(value) and value not in _WORDS) else json.dumps(value)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and not re.fullmatch(r"[\d.]+", text)
