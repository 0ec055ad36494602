"""An integer program as it is written down, solved by HiGHS to a zero gap."""

from collections.abc import Iterable

import highspy
import numpy as np
from numpy.typing import NDArray

ONE = 0  # the variable that is 1
KINDS = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
TOLERANCE = 1e-6  # of HiGHS, for integers
OPTIONS = {"output_flag": False, "mip_rel_gap": 0.0, "threads": 1}
# of the relaxed program, where presolving and perturbed costs take more time than they save (half of it)
RELAXED: dict[str, float | str] = {"presolve": "off", "dual_simplex_cost_perturbation_multiplier": 0.0}


class PlanError(Exception):
    """No plan was found; the message says why."""


class Dearer(Exception):
    """All plans cost more than is asked for."""


class IntegerProgram:
    """Variables from 0 to 1 with their costs, constraints on sums of them, and how much of the costs breaks ties."""

    def __init__(self) -> None:
        self.costs = [0.0]
        self.ties = 0.0
        self._data: list[float] = []
        self._columns: list[int] = []
        self._starts = [0]
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
        row = dict.fromkeys(plus, 1.0)
        for variable in minus:  # a Loop that gives a state back reads what it stores
            row[variable] = row.get(variable, 0.0) - 1.0
        self._columns += [variable for variable, factor in row.items() if factor]
        self._data += [factor for factor in row.values() if factor]
        self._starts.append(len(self._data))
        self._bounds.append((at_least, at_most))

    def solve(
        self, integers: int, time_limit: float, at_most: float = np.inf
    ) -> tuple[NDArray[np.float64], float, bool]:
        """The values of the variables, a lower bound on the costs without ties, and whether the two meet.

        The first ``integers`` variables are integers. Raises PlanError if there is no solution, or none is found within
        ``time_limit`` seconds; Dearer, if the relaxed program proves that all cost more than ``at_most`` without ties.
        """
        most = at_most + self.ties
        model = self._model()  # relaxed, which is ten times as fast, and nearly always enough
        highs = run(model, **RELAXED, time_limit=time_limit, objective_bound=most)
        status, least = highs.getModelStatus(), highs.getInfo().objective_function_value
        is_solved = status == highspy.HighsModelStatus.kOptimal
        if status == highspy.HighsModelStatus.kObjectiveBound or (is_solved and least > most):
            raise Dearer
        values = np.asarray(highs.getSolution().col_value)
        if is_solved and is_whole(values[:integers]):
            return values, max(least - self.ties, 0.0), True
        model.integrality_ = [KINDS[variable < integers] for variable in range(len(self.costs))]
        highs = run(model, time_limit=time_limit)
        status, info = highs.getModelStatus(), highs.getInfo()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise PlanError("its readers and makers could not agree")
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            raise PlanError(f"the planner found no plan within {time_limit:g} s: {highs.modelStatusToString(status)}")
        values = np.asarray(highs.getSolution().col_value)
        return values, max(info.mip_dual_bound - self.ties, 0.0), status == highspy.HighsModelStatus.kOptimal

    def _model(self) -> highspy.HighsLp:
        count, (lower, upper) = len(self.costs), np.asarray(self._bounds).reshape(-1, 2).T
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = count, len(self._bounds)
        model.col_cost_ = np.asarray(self.costs)
        model.col_lower_, model.col_upper_ = (np.arange(count) == ONE).astype(float), np.ones(count)
        model.row_lower_, model.row_upper_ = lower, upper
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.asarray(self._starts, dtype=np.int32)
        model.a_matrix_.index_ = np.asarray(self._columns, dtype=np.int32)
        model.a_matrix_.value_ = np.asarray(self._data)
        return model


def run(model: highspy.HighsLp, **options: float | str) -> highspy.Highs:
    """HiGHS, after it has tried to solve the model."""
    highs = highspy.Highs()
    for option, value in {**OPTIONS, **options}.items():
        highs.setOptionValue(option, value)
    highs.passModel(model)
    highs.run()
    return highs


def is_whole(values: NDArray[np.float64]) -> bool:
    """Whether all are integers, up to the solver's tolerance."""
    return bool(np.all(np.abs(values - np.round(values)) < TOLERANCE))
