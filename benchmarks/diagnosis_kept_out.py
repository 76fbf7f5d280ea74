"""What the diagnosis says of logs whose tool it does not know.

    .venv/bin/python -m benchmarks.diagnosis_kept_out

Each family of rules is left out in turn, and the cases of its tools are read without it, by the
general rules and those of other tools: how many still get the right type and place. Beside it, the
same with it.
"""

from codeb_mcp.diagnosis import diagnose, families
from codeb_mcp.diagnosis.families import RULES
from codeb_mcp.diagnosis.prefilter import Prefilter
from codeb_mcp.diagnosis.rules import Rule
from tests.diagnosis.test_cases import EXPECTED, log

GENERAL = frozenset(("general", "infrastructure", "shell", "javascript_runtime"))


def of_families() -> dict[str, tuple[Rule, ...]]:
    """The rules of each family, by its name."""
    modules = {name: getattr(families, name) for name in dir(families)}
    return {name: each.RULES for name, each in modules.items() if hasattr(each, "RULES")}


def first(name: str, prefilter: Prefilter) -> tuple[str | None, str | None, int | None]:
    """Type and place of the first incident."""
    found = diagnose([log(name).encode()], prefilter).incidents
    return (found[0].type.value, found[0].file, found[0].line) if found else (None, None, None)


def main() -> None:
    """Measure and print."""
    everything = Prefilter(RULES)
    whole = {name: first(name, everything) for name, rows in EXPECTED.items() if rows}
    totals = [0, 0, 0, 0, 0]
    print(f"{'family':24} cases   type with/without   place with/without")
    for family, rules in of_families().items():
        rest = Prefilter(each for each in RULES if each not in rules)
        without = {name: first(name, rest) for name in whole}
        tools = {each.tool for each in rules}
        decided = [name for name in whole if EXPECTED[name][0][1] in tools]
        if not decided or family in GENERAL:
            continue
        rows = [EXPECTED[name][0] for name in decided]
        counts = [len(decided)]
        for read in (whole, without):
            found = [read[name] for name in decided]
            counts.append(sum(row[0] == one[0] for row, one in zip(rows, found, strict=True)))
        for read in (whole, without):
            found = [read[name] for name in decided]
            counts.append(
                sum(
                    (row[2], row[3]) == (one[1], one[2])
                    for row, one in zip(rows, found, strict=True)
                )
            )
        totals = [one + other for one, other in zip(totals, counts, strict=True)]
        print(
            f"{family:24} {counts[0]:5}   {counts[1]:9}/{counts[2]:<7}   {counts[3]:10}/{counts[4]}"
        )
    cases = totals[0]
    shares = [f"{100 * count / cases:.0f} %" for count in totals[1:]]
    print(
        f"{cases} cases: type {shares[0]} with the family, {shares[1]} without;"
        f" place {shares[2]} and {shares[3]}"
    )


if __name__ == "__main__":
    main()
