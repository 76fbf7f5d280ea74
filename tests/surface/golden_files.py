"""Golden files: a surface that users build on changes only on purpose.

`CODEB_UPDATE_GOLDEN=1 pytest tests/surface` writes them anew; the difference is then reviewed.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """Fail when `text` is not what the golden file holds."""
    assert_golden_at(FOLDER / name, text)


def assert_golden_at(path: Path, text: str) -> None:
    """The same for a golden file that lies elsewhere."""
    if os.environ.get("CODEB_UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.exists(), f"{path} is missing; write it with CODEB_UPDATE_GOLDEN=1"
    assert text == path.read_text(), f"{path.name} changed; update it with CODEB_UPDATE_GOLDEN=1"
