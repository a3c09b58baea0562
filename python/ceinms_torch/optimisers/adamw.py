"""AdamW: compiled, by LibTorch, or by torch with variables beside the parameters."""

from __future__ import annotations

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import OptionError
from ceinms_torch.optimisers.adamw_with_variables import minimise_with_variables
from ceinms_torch.optimisers.compiled import run_compiled
from ceinms_torch.optimisers.minimum import Callback, Minimum
from ceinms_torch.optimisers.problem import LossWithVariables, Problem
from ceinms_torch.plan.options import AdamW


def minimise_adamw(
    problem: Problem, start: FloatArray, options: AdamW, callback: Callback | None
) -> Minimum:
    """Minimise by AdamW, see `minimise`.

    Raises
    ------
    OptionError
        If the problem is neither compiled nor a graph of torch.
    """
    if isinstance(problem, LossWithVariables):
        return minimise_with_variables(problem, start, options, callback)
    if isinstance(problem.core, _kernel.SmoothProblem):
        return run_compiled(_kernel.minimise_adamw, problem.core, start, callback, options=options)
    import torch  # noqa: PLC0415  slow to load

    from ceinms_torch._backend import _torch  # noqa: PLC0415

    if isinstance(problem.core, (_torch.Problem, _torch.SynergyProblem)):
        begin = torch.from_numpy(start).to(problem.device)
        return run_compiled(_torch.minimise_adamw, problem.core, begin, callback, options=options)
    raise OptionError(where="method", expected="another one for this problem", got="adamw")
