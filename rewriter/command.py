"""What is around every command: its exit code, and a sentence for whatever goes wrong."""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from rewriter import streams
from rewriter.child import in_child, machine_memory
from rewriter.errors import CouldNotValidate, DoesNotRun, Ended, ResultDiffers, RewriterError, VerificationError
from rewriter.files.whole import remove_left
from rewriter.version import __version__

Run = Callable[[argparse.Namespace], int]


class Many(Protocol):
    """A run of several models; ``apart``: each in a child process."""

    def __call__(self, args: argparse.Namespace, *, apart: bool) -> int: ...


SECONDS = 600  # the default of --timeout
TIMES = 4  # that of --memory, over what there is: onnxruntime maps a file of weights once for each session
GIB = 2**30
MOST_AMOUNT = 100_000_000  # of seconds and GiB
OK, USAGE, INTERNAL = 0, 2, 4
CODES: dict[type[BaseException], int] = {
    VerificationError: 1,
    ResultDiffers: 1,
    DoesNotRun: 1,
    CouldNotValidate: 3,
    Ended: INTERNAL,
    RewriterError: USAGE,
    OSError: USAGE,
    KeyboardInterrupt: 130,  # as shells have it: 128 and the signal's number
}  # all else: INTERNAL


def add_verbosity(group: argparse._ActionsContainer) -> None:
    """The options of every command."""
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="count", default=0, help="print more; -vv: tracebacks of errors")
    group.add_argument("--version", action="version", version=f"onnx-layout-rewriter {__version__}")
    group.add_argument("--timeout", type=_amount, default=SECONDS, metavar="SECONDS",
                       help="for one step, as one run of a model; 0: any time (default: %(default)s)")  # fmt: skip
    group.add_argument("--memory", type=_amount, metavar="GIB",
                       help=f"for the data of this process; 0: any (default: {TIMES} times the machine's)")  # fmt: skip


def finished(run: Run, parser: argparse.ArgumentParser, argv: Sequence[str] | None, many: Many | None = None) -> int:
    """The exit code of a command; what goes wrong is told in a sentence, with ``-vv`` its traceback, too.

    A program's own command (no ``argv``) runs in a child process; one that is called runs where it is called.
    ``many``: what runs for several models (``args.many``), and is told whether in children of its own.
    """
    with streams.forgiving():
        args, is_own = parser.parse_args(argv), argv is None
        if many is not None and args.many:
            return _told(partial(many, apart=is_own), args)
        return _told(partial(_apart, run) if is_own else run, args)


def attempt(run: Run, args: argparse.Namespace) -> tuple[int, str]:
    """The exit code of what runs, or of what goes wrong in it and the sentence that says so, else empty."""
    try:
        code = run(args)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if args.verbose >= 2:
            traceback.print_exception(error)
        return code_of(error), _sentence(error)
    return code, ""


def code_of(error: BaseException) -> int:
    """The exit code of what went wrong."""
    return next((code for kind, code in CODES.items() if isinstance(error, kind)), INTERNAL)


def tell(sentence: str) -> None:
    """Say what went wrong, on stderr."""
    print(f"error: {sentence}", file=sys.stderr)


def memory_of(args: argparse.Namespace) -> int:
    """The bytes of data that ``--memory`` allows a process."""
    return TIMES * machine_memory() if args.memory is None else int(args.memory * GIB)


def clear_away(args: argparse.Namespace) -> None:
    """Remove what an ended process that had these arguments may have left."""
    for folder in {path.parent for path in vars(args).values() if isinstance(path, Path)}:
        remove_left(folder)


def _apart(run: Run, args: argparse.Namespace) -> int:
    """Run in a child process, and clear away what one leaves that was ended."""
    subject = next(str(path) for path in vars(args).values() if isinstance(path, Path))
    try:
        return in_child(partial(_told, run, args), subject, args.timeout, memory_of(args))
    except (Ended, KeyboardInterrupt):
        clear_away(args)
        raise


def _told(run: Run, args: argparse.Namespace) -> int:
    code, sentence = attempt(run, args)
    if sentence:
        tell(sentence)
    return code


def _amount(text: str) -> float:
    try:
        if 0 <= (number := float(text)) <= MOST_AMOUNT:
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {MOST_AMOUNT:,}")


def _sentence(error: BaseException) -> str:
    """What happened, on one line."""
    text = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MemoryError):
        return f"out of memory ({text or 'of this machine, or what --memory allows'})"
    if isinstance(error, RewriterError | OSError):
        return text
    return f"an internal error, please report it with the model and what -vv prints ({type(error).__name__}: {text})"
