"""Writes docs/options.md from the parsers of the three commands: `make options`."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from rewriter import cli, validate_cli
from rewriter.weights import cli as weights_cli

PATH = Path(__file__).parents[2] / "docs" / "options.md"
HEAD = """# Every option

Written by `make options` from the commands themselves; `--help` says the same. Three commands: to convert, to compare two
files, to write weights.

| exit code of a conversion | |
|---|---|
| 0 | converted and validated, or nothing to do |
| 1 | the result differs from the original, does not run in onnxruntime, or fails our own verification |
| 2 | bad usage, unreadable, broken or unsupported model (also one whose own declarations are false, if that is why the result fails), unknown input or output, a file that must not or cannot be written |
| 3 | could not be validated: provider missing, original does not run or differs from itself as much, nothing to compare |
| 4 | an internal error, which is a bug (`-vv` prints what to report); or the process that did the work was ended: an engine aborted, a step took more than `--timeout`, memory ran out |
| 130 | interrupted (Ctrl-C, SIGTERM) |

A model is written with 0 only, and a file whole or not at all: whenever a run is killed, the old file is there or the new
one, and what else is left is removed by the next run that writes to the same place. No file is overwritten that the run
reads, under whatever name, or in which a model beside it keeps its weights. Weights of more than 2 GiB, or with
`--external-data one`, go to `OUTPUT.<hash>.data`, whose name is new for other weights. Of several models the exit code is
the worst: 4, 1, 3, 2, 0.

Labels, orders and numbers of boxes (argmax, TopK, NMS) jump where scores tie. Where the original itself gives other ones
when the last bits of its inputs change, the result may give these, and the report says in how many elements. Other
differences, in no more elements than the original differs from itself, prove nothing (3); in more, they are mistakes (1).
"""  # noqa: E501


def page() -> str:
    commands = (cli.parser(), validate_cli.parser(), weights_cli.parser())
    return "\n".join([HEAD, *(line for parser in commands for line in described(parser))])


def described(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A command: what it does, its options by group, its exit codes."""
    yield f"## {parser.prog}\n\n{parser.description}\n"
    for group in parser._action_groups:
        if group._group_actions:
            yield f"**{(group.title or '').capitalize()}**\n\n| | |\n|---|---|"
            yield from map(row, group._group_actions)
            yield ""
    yield f"{' '.join((parser.epilog or '').split())}\n"


def row(action: argparse.Action) -> str:
    """One option, with what it takes."""
    taken = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.metavar or action.dest.upper()
    takes = "" if action.nargs == 0 else f" {taken}" if isinstance(taken, str) else f" {' '.join(taken)}"
    name = ", ".join(action.option_strings) + takes if action.option_strings else str(taken)
    text = " ".join(((action.help or "") % {"default": action.default, "prog": ""}).split())
    return f"| `{name}` | {text.replace('|', chr(92) + '|').replace('*', chr(92) + '*')} |"


if __name__ == "__main__":
    PATH.write_text(page())
