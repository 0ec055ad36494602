"""Writes docs/operators.md: every operator with a rule and what it does, every other one and why."""

from pathlib import Path

import onnx

import passes.rules  # noqa: F401  (fills RULES)
from passes.ir.control_flow import DOMAIN as PORTS
from passes.rules.barriers import BARRIERS
from passes.rules.norm import GROUP_DOMAIN as GROUPS
from passes.rules.rule import RULES, Row, Rule

PATH = Path(__file__).parents[2] / "docs" / "operators.md"


def page() -> str:
    rules = [
        (domain or "ai.onnx", op, rows) for (domain, op), rows in sorted(RULES.items()) if domain not in (PORTS, GROUPS)
    ]
    standard = sum(domain == "ai.onnx" for domain, _, _ in rules)
    return "\n".join(
        [
            "# Operators",
            "",
            f"Written by `make operators`. {len(rules)} operators have a rule, {standard} of them of ai.onnx; "
            f"{len(BARRIERS)} of ai.onnx are barriers: they stay as they are, and so do the layouts they read and "
            "give. So do operators that are not listed here. Layouts pass through If, Loop and Scan without a rule of "
            "their own (passes/ir/control_flow.py).",
            "",
            "## Rules",
            "",
            "| Domain | Operator | Opset | Rule | What becomes of it |",
            "|---|---|---|---|---|",
            *(f"| {domain} | {op} | {line} |" for domain, op, rows in rules for line in described(domain, op, rows)),
            "",
            "## Barriers",
            "",
            "| Operator | Opset | Why |",
            "|---|---|---|",
            *(f"| {op} | {first('', op)} | {reason} |" for op, reason in sorted(BARRIERS.items())),
            "",
        ]
    )


def described(domain: str, op: str, rows: list[Row]) -> list[str]:
    starts = [max(row.since, first(domain, op)) for row in rows]
    return [f"{start}+ | {file(rule)} | {summary(rule)}" for start, (_, rule) in zip(starts, rows, strict=True)]


def first(domain: str, op: str) -> int:
    """The opset that brought the operator."""
    name = "" if domain == "ai.onnx" else domain
    since = [s.since_version for s in onnx.defs.get_all_schemas_with_history() if (s.domain, s.name) == (name, op)]
    return min(since, default=1)


def file(rule: Rule) -> str:
    """A link to the rule's file, whose name is the kind of operator."""
    module = rule.fn.__module__.removeprefix("passes.rules.")
    return f"[{module}](../passes/rules/{module}.py)"


def summary(rule: Rule) -> str:
    """The first paragraph of the rule's docstring."""
    return " ".join((rule.fn.__doc__ or "").partition("\n\n")[0].split())


if __name__ == "__main__":
    PATH.write_text(page())
