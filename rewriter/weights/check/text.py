"""What ``--check`` found, as text for people."""

from collections.abc import Iterator, Mapping

from rich.console import Console

from rewriter.weights.manifest.checked import Checked

MOST = 3  # layers that are named for each reason


def checked_text(console: Console, checked: Checked, verbose: int) -> None:
    """One line; with ``verbose`` one for each layer."""
    errors, others = checked.errors, checked.others
    for name, error in errors.items() if verbose else ():
        console.print(f"{name}: {error:.1e} of its scale", soft_wrap=True)
    for name, why in others.items() if verbose else ():
        console.print(f"{name}: not checked, {why}", soft_wrap=True)
    text = f"checked {len(errors)} of {len(errors) + len(others)} layers in {checked.framework}"
    if errors:
        worst = max(errors, key=errors.__getitem__)
        text += f": largest error {errors[worst]:.1e} of scale ({worst})"
    if others:
        text += f"; {len(others)} not: {'; '.join(by_reason(others))}"
    console.print(text, soft_wrap=True)


def by_reason(others: Mapping[str, str]) -> Iterator[str]:
    """Why layers were not run, and the first that were not for each reason."""
    for why in dict.fromkeys(others.values()):
        names = [name for name, reason in others.items() if reason == why]
        more = [f"{len(names) - MOST} more (-v)"] if len(names) > MOST else []
        yield f"{why} ({', '.join(names[:MOST] + more)})"
