"""The options of commands that validate, and of what they name: sizes, layouts, providers."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from rewriter.choices import DIALECTS, PROVIDERS, number_fault
from rewriter.errors import UsageError
from rewriter.layouts import parse_choice
from rewriter.validation.providers import provider_of

T = TypeVar("T")
MOST_SIZE = 2**31 - 1  # of an axis that is given


def add_validation(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """The group of options that say how two models are compared."""
    check = parser.add_argument_group("validation with onnxruntime")
    check.add_argument("--providers", metavar="LIST",
                       help=f"of {', '.join(PROVIDERS)}, with onnxruntime's options as in cpu,cuda:prefer_nhwc=1 "
                       "(default: cpu, and cuda where there is one)")  # fmt: skip
    check.add_argument("--rtol", type=float, help="error allowed, relative to an output's scale (default: by type)")
    check.add_argument("--atol", type=float, help="absolute error allowed besides")
    check.add_argument("--seed", type=int, default=0, help="of the random inputs (default: %(default)s)")
    check.add_argument("--runs", type=int, default=3,
                       help="random inputs, or at most of those given (default: %(default)s)")  # fmt: skip
    check.add_argument("--input-shape", action="append", default=[], metavar="NAME=1,3,224,224",
                       help="sizes for dynamic dims, which a TensorFlow model is converted with and keeps; "
                       "repeatable")  # fmt: skip
    check.add_argument("--inputs", type=Path, metavar="FILE.npz",
                       help="real data, by input name, original layout; a run for each fixed batch")  # fmt: skip
    check.add_argument("--check-all", action="store_true",
                       help="compare every value inside, too; done anyway if outputs differ, to say where")  # fmt: skip
    check.add_argument("--save-repro", type=Path, metavar="DIR",
                       help="if models differ, write the nodes where they part, with inputs and a script; of several "
                       "models, a folder of each")  # fmt: skip
    return check


def add_front_ends(parser: argparse.ArgumentParser) -> None:
    """The group of options that say what a TensorFlow model does not."""
    group = parser.add_argument_group("models of TensorFlow")
    group.add_argument("--tf-signature", metavar="NAME",
                       help="of a SavedModel (default: serving_default, or the only one)")  # fmt: skip
    group.add_argument("--tf-inputs", metavar="NAME,...", help="of a frozen graph (.pb), which does not tell them")
    group.add_argument("--tf-outputs", metavar="NAME,...", help="the same")


def validation_of(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of ``validate`` but ``inputs`` and ``layouts``. Raises UsageError."""
    if fault := number_fault(args.runs, args.seed, args.rtol, args.atol):
        raise UsageError(f"--{fault}")
    options = {name: getattr(args, name) for name in ("runs", "seed", "rtol", "atol")}
    return {
        **options,
        "input_shapes": shapes_of(args.input_shape),
        "providers": _providers(args.providers),
    }


def by_name(option: str, texts: Iterable[str], parse: Callable[[str, str], T]) -> dict[str, T]:
    """What ``NAME=VALUE`` says of each name; ``parse`` gets name and value. Raises UsageError."""

    def pair(text: str) -> tuple[str, T]:
        name, _, value = text.rpartition("=")
        if not name:
            raise UsageError(f"{option} {text}: write NAME=VALUE")
        return name, parse(name, value)

    return dict(map(pair, texts))


def shapes_of(texts: Iterable[str]) -> dict[str, list[int]]:
    """What ``--input-shape`` says of each input. Raises UsageError."""
    return by_name("--input-shape", texts, shape)


def shape(name: str, text: str) -> list[int]:
    """The sizes ``1,3,224,224``. Raises UsageError."""
    if not all(size.isdecimal() and int(size) <= MOST_SIZE for size in text.split(",")):
        raise UsageError(f"--input-shape {name}={text}: write NAME=1,3,224,224, sizes from 0 to {MOST_SIZE:,}")
    return [int(size) for size in text.split(",")]


def dialect(text: str) -> str:
    """The name of a dialect, or of the file of one, which is not read yet. Raises ArgumentTypeError."""
    if text in DIALECTS or text.endswith(".toml"):
        return text
    raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(DIALECTS)}, or a FILE.toml)")


def layout(name: str, text: str) -> str:
    """The text, in which a layout is written. Raises UsageError."""
    parse_choice(name, text)
    return text


def _providers(text: str | None) -> list[str] | None:
    names = text.split(",") if text else None
    for name in names or ():
        try:
            provider_of(name)
        except UsageError as error:
            raise UsageError(f"--providers {text}: {error}") from error
    return names
