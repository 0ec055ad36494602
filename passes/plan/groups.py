"""Disjoint groups (union-find)."""

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Groups(Generic[T]):
    """Groups of some members, at first of one each; a group is called like one of its members."""

    def __init__(self, members: Iterable[T]) -> None:
        self._above = {one: one for one in members}

    def __contains__(self, one: T) -> bool:
        return one in self._above

    def __iter__(self) -> Iterator[T]:
        return iter(self._above)

    def of(self, one: T) -> T:
        """The group of a member."""
        above = self._above
        while above[one] != one:
            above[one] = one = above[above[one]]
        return one

    def join(self, one: T, other: T) -> None:
        """Make the groups of two members one, called like the second's."""
        self._above[self.of(one)] = self.of(other)
