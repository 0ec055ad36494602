"""An integer program as it is written down, solved by HiGHS (scipy.optimize.milp) to a zero gap."""

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

INFEASIBLE = 2  # scipy.optimize.milp's status
ONE = 0  # the variable that is 1


class PlanError(Exception):
    """No plan was found; the message says why."""


class IntegerProgram:
    """Variables from 0 to 1 with their costs, constraints on sums of them, and how much of the costs breaks ties."""

    def __init__(self) -> None:
        self.costs = [0.0]
        self.ties = 0.0
        self._data: list[float] = []
        self._columns: list[int] = []
        self._ends = [0]
        self._bounds: list[tuple[float, float]] = []

    def variable(self, price: float, tie: float = 0.0) -> int:
        """A new variable that costs ``price``, and ``tie`` to break ties."""
        self.costs.append(price + tie)
        self.ties += tie
        return len(self.costs) - 1

    def constrain(
        self, plus: Iterable[int], minus: Iterable[int] = (), *, at_least: float, at_most: float = np.inf
    ) -> None:
        """``at_least <= sum(plus) - sum(minus) <= at_most``."""
        for sign, variables in ((1.0, plus), (-1.0, minus)):
            for variable in variables:
                self._data.append(sign)
                self._columns.append(variable)
        self._ends.append(len(self._data))
        self._bounds.append((at_least, at_most))

    def solve(
        self, integers: int, time_limit: float, forbidden: Collection[int]
    ) -> tuple[NDArray[np.float64], float, bool]:
        """The values of the variables, a lower bound on the costs without ties, and whether the two meet.

        The first ``integers`` variables are integers; those ``forbidden`` are 0. Raises PlanError if there is no
        solution, or none is found within ``time_limit`` seconds.
        """
        variables = np.arange(len(self.costs))
        result = milp(
            np.asarray(self.costs),
            constraints=self._constraint(),
            integrality=(variables < integers).astype(int),
            bounds=Bounds((variables == ONE).astype(float), ~np.isin(variables, [*forbidden])),
            options={"mip_rel_gap": 0.0, "time_limit": time_limit},
        )
        if result.status == INFEASIBLE:
            raise PlanError("its readers and makers could not agree")
        if result.x is None:
            raise PlanError(f"the planner found no plan within {time_limit:g} s: {result.message}")
        return result.x, max(float(result.mip_dual_bound or 0.0) - self.ties, 0.0), result.status == 0

    def _constraint(self) -> LinearConstraint:
        matrix = csr_array((self._data, self._columns, self._ends), shape=(len(self._bounds), len(self.costs)))
        matrix.sum_duplicates()  # a Loop that gives a state back reads what it stores
        matrix.eliminate_zeros()
        return LinearConstraint(matrix, *np.asarray(self._bounds).reshape(-1, 2).T)
