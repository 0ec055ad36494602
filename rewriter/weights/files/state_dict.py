"""A state dict within a checkpoint: in dicts of it, and under names of wrappers (DataParallel, Lightning).

Which of several it is, and what its names begin with, is asked of the graph, which has the names of the module itself.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rewriter.errors import UsageError
from rewriter.weights.manifest.notes import some

NEST = "/"  # between the keys of dicts in dicts, and the name of a parameter
COMPILED = "_orig_mod."  # torch.compile's, wherever a module was compiled


def entries_in(held: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Arrays and tensors of dicts in dicts, by path; not those by number, which are the state of an optimizer."""
    for key, value in held.items() if isinstance(held, Mapping) else ():
        if not isinstance(key, str):
            continue
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            yield path + key, value
        else:
            yield from entries_in(value, f"{path}{key}{NEST}")


def own_names_in(names: Iterable[str], wanted: Iterable[str], *, nested: bool) -> dict[str, str]:
    """By what a checkpoint calls them, the module's own names of its parameters: those that ``wanted`` are among.

    ``nested``: the names are those of ``entries_in``. Raises UsageError where they may be those under one prefix or
    another, as of a copy that is an average.
    """
    plain, known = {name: name.replace(COMPILED, "") for name in names}, set(wanted)
    if len(set(plain.values())) < len(plain) or any(COMPILED in name for name in known):
        plain = {name: name for name in plain}
    prefix = prefix_of([*plain.values()], known, nested)
    own = {name: short.removeprefix(prefix) for name, short in plain.items() if short.startswith(prefix)}
    return {name: short for name, short in own.items() if short in known or not nested or NEST not in short}


def prefix_of(names: list[str], known: set[str], nested: bool) -> str:
    """What stands before the most of the ``known`` names; where these are nowhere, the only dict. Raises UsageError."""
    counts = Counter(name[:i] for name in names for i in ends(name) if name[i:] in known)
    if not counts:
        return only(sorted({name[: name.rfind(NEST) + 1] for name in names})) if nested else ""
    best = min(counts, key=lambda prefix: (-counts[prefix], len(prefix)))
    copies = [p for p in counts if 2 * counts[p] > counts[best] and not p.startswith(best)]
    return only([best, *copies]) if best else best


def ends(name: str) -> list[int]:
    """Where the prefixes of a name end: behind nothing, a module or a dict."""
    return [0, *(i + 1 for i, letter in enumerate(name) if letter in f".{NEST}")]


def only(prefixes: list[str]) -> str:
    """Raises UsageError, which lists them, if there are several."""
    if len(prefixes) > 1:
        raise UsageError(f"weights of this model are under {some(prefixes)}: save one of these alone and give that")
    return prefixes[0]
