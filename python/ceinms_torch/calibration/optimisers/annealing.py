"""The simulated annealing of CEINMS, compiled."""

from __future__ import annotations

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.optimisers.compiled import run_compiled
from ceinms_torch.calibration.optimisers.minimum import Callback, Minimum
from ceinms_torch.calibration.optimisers.problem import InOwnUnits, Problem
from ceinms_torch.errors import OptionError


def minimise_annealing(
    problem: Problem,
    start: FloatArray,
    options: _kernel.AnnealingOptions,
    callback: Callback | None,
) -> Minimum:
    """Minimise by the annealing of CEINMS, see `minimise`; an iteration is a temperature.

    Start and minimum are in the units of the parameters: so are the numbers that CEINMS draws.

    Raises
    ------
    OptionError
        If the problem is not of CEINMS's own model.
    """
    if not isinstance(problem, InOwnUnits):
        raise OptionError(where="method", expected="another one for this problem", got="annealing")
    bounds = {"lower": problem.lower, "upper": problem.upper}
    search = _kernel.legacy_anneal
    return run_compiled(search, problem.core, start, callback, options=options, **bounds)
