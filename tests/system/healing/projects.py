"""Broken projects of different kinds, each with its check and an honest fix."""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of a file: `old` becomes `new`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A project whose `check` fails. `needs_node` says that it has packages installed."""

    name: str
    type: str
    check: str
    files: dict[str, str]
    fix: Edit
    outcome: str = "committed"
    needs_node: bool = False
    more: dict[str, str] = field(default_factory=dict)


_PYTEST = '[tool.pytest.ini_options]\npythonpath = ["."]\n'
_TSCONFIG = json.dumps(
    {
        "compilerOptions": {
            "strict": True,
            "noEmit": True,
            "module": "nodenext",
            "moduleResolution": "nodenext",
            "target": "es2022",
            "types": [],
        },
        "include": ["src"],
    }
)
_ESLINT = """\
export default [
  { files: ["src/**/*.js"], rules: { "no-undef": "error", "no-unused-vars": "error" } },
];
"""


def _package(**scripts: str) -> str:
    return json.dumps({"name": "shop", "type": "module", "private": True, "scripts": scripts})


PROJECTS = (
    Broken(
        "py-test",
        "test_failure",
        "python -m pytest -q -p no:cacheprovider",
        {
            "pyproject.toml": _PYTEST,
            "shop/__init__.py": "",
            "shop/cart.py": "def total(prices):\n    return sum(prices[1:])\n",
            "tests/test_cart.py": "from shop.cart import total\n\n\n"
            "def test_total_counts_every_price():\n    assert total([3, 4]) == 7\n",
        },
        Edit("shop/cart.py", "sum(prices[1:])", "sum(prices)"),
    ),
    Broken(
        "py-import",
        "import_error",
        "python -m pytest -q -p no:cacheprovider",
        {
            "pyproject.toml": _PYTEST,
            "store/__init__.py": "",
            "store/stock.py": "def left(stock, sold):\n    return stock - sold\n",
            "store/report.py": "from store.stocks import left\n\n\n"
            "def line(stock, sold):\n    return f'{left(stock, sold)} left'\n",
            "tests/test_report.py": "from store.report import line\n\n\n"
            "def test_line():\n    assert line(5, 2) == '3 left'\n",
        },
        Edit("store/report.py", "from store.stocks import", "from store.stock import"),
    ),
    Broken(
        "py-type",
        "type_error",
        "mypy --strict --no-incremental billing",
        {
            "pyproject.toml": "[tool.mypy]\nstrict = true\n",
            "billing/__init__.py": "",
            "billing/tax.py": "def with_tax(net: int, rate: float) -> int:\n"
            "    return net * (1 + rate)\n",
        },
        Edit("billing/tax.py", "return net * (1 + rate)", "return round(net * (1 + rate))"),
    ),
    Broken(
        "py-lint",
        "lint_error",
        "ruff check --no-cache .",
        {
            "pyproject.toml": '[tool.ruff.lint]\nselect = ["F"]\n',
            "mail/__init__.py": "",
            "mail/letter.py": "def greeting(name):\n    return f'Dear {nmae}'\n",
        },
        Edit("mail/letter.py", "{nmae}", "{name}"),
    ),
    Broken(
        "py-syntax",
        "syntax_error",
        "python -m pytest -q -p no:cacheprovider",
        {
            "pyproject.toml": _PYTEST,
            "clock.py": "def minutes(hours)\n    return hours * 60\n",
            "tests/test_clock.py": "from clock import minutes\n\n\n"
            "def test_minutes():\n    assert minutes(2) == 120\n",
        },
        Edit("clock.py", "def minutes(hours)\n", "def minutes(hours):\n"),
    ),
    Broken(
        "py-security",
        "security_vuln",
        "bandit -q -r files",
        {
            "files/__init__.py": "",
            "files/digest.py": "import hashlib\n\n\n"
            "def digest(data):\n    return hashlib.md5(data).hexdigest()\n",
        },
        Edit("files/digest.py", "hashlib.md5(data)", "hashlib.sha256(data)"),
    ),
    Broken(
        "js-test",
        "test_failure",
        "node --test",
        {
            "package.json": _package(test="node --test"),
            "src/slug.js": "export const slug = (text) => text.toLowerCase().replace(' ', '-');\n",
            "test/slug.test.js": "import assert from 'node:assert';\n"
            "import test from 'node:test';\n"
            "import { slug } from '../src/slug.js';\n\n"
            "test('every space becomes a hyphen', () => {\n"
            "  assert.strictEqual(slug('A b c'), 'a-b-c');\n});\n",
        },
        Edit("src/slug.js", "replace(' ', '-')", "replaceAll(' ', '-')"),
    ),
    Broken(
        "js-import",
        "import_error",
        "node src/main.js",
        {
            "package.json": _package(start="node src/main.js"),
            "src/colour.js": "export const red = '#f00';\n",
            "src/main.js": "import { red } from './color.js';\nconsole.log(red);\n",
        },
        Edit("src/main.js", "./color.js", "./colour.js"),
    ),
    Broken(
        "js-syntax",
        "syntax_error",
        "node --check src/list.js",
        {
            "package.json": _package(check="node --check src/list.js"),
            "src/list.js": "export function first(list) {\n  return list[0;\n}\n",
        },
        Edit("src/list.js", "list[0;", "list[0];"),
    ),
    Broken(
        "js-lint",
        "lint_error",
        "npm run lint",
        {
            "package.json": _package(lint="eslint src"),
            "eslint.config.js": _ESLINT,
            "src/sum.js": "export function sum(a, b) {\n  return a + bb;\n}\n",
        },
        Edit("src/sum.js", "a + bb", "a + b"),
        needs_node=True,
    ),
    Broken(
        "ts-type",
        "type_error",
        "npm run build",
        {
            "package.json": _package(build="tsc -p ."),
            "tsconfig.json": _TSCONFIG,
            "src/age.ts": "export function age(born: string, year: number): number {\n"
            "  return year - born;\n}\n",
        },
        Edit("src/age.ts", "year - born;", "year - Number(born);"),
        needs_node=True,
    ),
    Broken(
        "ts-import",
        # the compiler's word for it: only what has no compiler calls it an import error
        "type_error",
        "npm run build",
        {
            "package.json": _package(build="tsc -p ."),
            "tsconfig.json": _TSCONFIG,
            "src/units.ts": "export const GRAM = 0.001;\n",
            "src/weigh.ts": "import { GRAM } from './unit.js';\n"
            "export const kilos = (grams: number): number => grams * GRAM;\n",
        },
        Edit("src/weigh.ts", "./unit.js", "./units.js"),
        needs_node=True,
    ),
    Broken(
        "container",
        "lint_error",
        "hadolint Dockerfile",
        {
            "Dockerfile": 'FROM debian:13\nWORKDIR app\nCOPY . .\nRUN make\nCMD ["./run"]\n',
        },
        Edit("Dockerfile", "WORKDIR app\n", "WORKDIR /app\n"),
        outcome="proposed",
    ),
)
