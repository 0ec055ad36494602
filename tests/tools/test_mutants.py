"""The harness of `make mutants`: what it draws is code, and the same each time, and every file has tests."""

import ast
from collections import Counter

import pytest

from tests.support.mutations import Found
from tests.tools.mutant_table import BY_HAND, EQUIVALENT, OPERATORS, REACHED, SURVIVED_ONCE, commands
from tests.tools.mutants import COUNT, ROOT, mutations, operators

SOURCE = """
def f(xs: list[int], deep: bool = True) -> list[int]:
    assert len(xs) == 1
    if not xs and deep:
        raise Refusal("none")
    return [perm.inverse(x) + 1 for x in sorted(xs, key=abs)]
"""


def test_the_draw_is_code_and_always_the_same() -> None:
    drawn = mutations()
    assert drawn == mutations()
    assert len(set(drawn)) == COUNT + len(SURVIVED_ONCE) + len(BY_HAND) == 130
    for one in drawn:
        source = (ROOT / one.path).read_text()
        planted = one.planted(source)
        ast.parse(planted)
        changed = [
            i
            for i, pair in enumerate(zip(source.splitlines(), planted.splitlines(), strict=True), 1)
            if len(set(pair)) > 1
        ]
        assert changed == [one.number]
    assert max(Counter(one.path for one in drawn[-COUNT:]).values()) <= 4


def test_a_draw_of_one_folder() -> None:
    drawn = mutations(20, ["rewriter/weights"])
    assert len(set(drawn)) == 20 + len(BY_HAND)
    assert all(one.path.startswith("rewriter/weights/") for one in drawn)


def test_slips_of_the_pen_are_found() -> None:
    found = {(one.what, one.becomes.strip()) for one in Found("a.py", SOURCE).every}
    assert ("not dropped", "if (xs) and deep:") in found
    assert ("guard not xs and deep to False", "if False:") in found
    assert ("and to or", "if ((not xs) or (deep)):") in found
    assert ("Refusal not raised", "pass") in found
    assert ("perm.inverse dropped", "return [(x) + 1 for x in sorted(xs, key=abs)]") in found
    assert ("key= dropped", "return [perm.inverse(x) + 1 for x in sorted(xs)]") in found
    assert not any("assert" in becomes for _, becomes in found)


@pytest.mark.parametrize("path", REACHED)
def test_the_tests_of_a_file_exist(path: str) -> None:
    assert (ROOT / path).exists() or list((ROOT / path).parent.glob(f"{(ROOT / path).name}*"))
    for command in REACHED[path]:
        assert all((ROOT / "tests" / test).exists() for test in command.partition(" -k ")[0].split())


def test_every_file_has_tests() -> None:
    for one in mutations():
        chosen = [command for command in commands(one) if command.endswith(OPERATORS)]
        assert not chosen or operators(one.path)


def test_what_is_named_as_equivalent_still_stands() -> None:
    for path, line, _ in EQUIVALENT:
        assert line in map(str.strip, (ROOT / path).read_text().splitlines())
