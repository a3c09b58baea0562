"""AdamW on parameters in the unit box and free variables together."""

from __future__ import annotations

from ceinms_torch.arrays import FloatArray
from ceinms_torch.optimisers.minimum import Callback, Minimum
from ceinms_torch.optimisers.problem import (
    LossWithVariables,
    independent_loss,
)
from ceinms_torch.optimisers.run import NotFiniteError, Run
from ceinms_torch.plan.options import AdamW


def minimise_with_variables(
    problem: LossWithVariables, start: FloatArray, options: AdamW, callback: Callback | None
) -> Minimum:
    """Minimise a loss of the user's by AdamW, parameters and variables together.

    The parameters move as in the compiled search: in units of their ranges, kept in the unit box,
    weight decay towards the start. Groups of variables have the learning rate and weight decay they
    come with, those of ``torch.optim.AdamW`` by default; all learning rates decay alike. Variables
    are left at their values at the best point, which is that of the validation trials if any.

    Raises
    ------
    OptionError
        If the loss depends on nothing that is optimised.
    """
    import torch  # noqa: PLC0415  slow to load

    begin = torch.tensor(start, dtype=torch.float64, device=problem.device)
    shift = torch.zeros_like(begin, requires_grad=True)
    own = {
        "params": [shift],
        "lr": options.learning_rate,
        "weight_decay": options.weight_decay,
    }
    optimiser = torch.optim.AdamW([own, *problem.variables])
    first_rates = [group["lr"] for group in optimiser.param_groups]
    variables = [one for group in problem.variables for one in group["params"]]
    best_variables = [one.detach().clone() for one in variables]
    run = Run(callback, problem.term_names)

    def search() -> str:
        own_rate = options.learning_rate
        for iteration in range(options.max_iterations + 1):
            # The sum may miss a bound by its rounding.
            x = (begin + shift).clamp(0.0, 1.0)
            loss, evaluation = problem.evaluate(x)
            is_best = run.take(x.detach().cpu().numpy(), evaluation, problem.validate(x.detach()))
            if is_best:
                best_variables[:] = [one.detach().clone() for one in variables]
            run.record()
            if run.stalls(options.min_improvement, options.patience, options.improvement):
                return "converged"
            if iteration == options.max_iterations:
                break
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            slopes = [one.grad for one in (shift, *variables) if one.grad is not None]
            if not slopes:
                raise independent_loss()
            if not all(slope.isfinite().all() for slope in slopes):
                raise NotFiniteError
            for group, rate in zip(optimiser.param_groups, first_rates, strict=True):
                group["lr"] = rate * own_rate / options.learning_rate
            optimiser.step()
            own_rate = options.next_learning_rate(own_rate, is_best=is_best)
            with torch.no_grad():
                shift.copy_((begin + shift).clamp(0.0, 1.0) - begin)
        return "max_iterations"

    minimum = run.finish(start, search)
    with torch.no_grad():
        for one, copy in zip(variables, best_variables, strict=True):
            one.copy_(copy)
    return minimum
