"""AdamW on parameters in the unit box and free variables together."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.calibration.optimisers.minimum import Callback, Minimum, Point
from ceinms_torch.calibration.problems.loss import independent_loss
from ceinms_torch.model.options import AdamW

if TYPE_CHECKING:
    import torch

    from ceinms_torch.calibration.problems.loss import LossProblem

FloatArray = NDArray[np.float64]


@dataclasses.dataclass
class _Best:
    """The point with the lowest loss so far, by the trials that decide."""

    judged: float
    point: Point
    x: FloatArray
    variables: list[torch.Tensor]


class _Search:
    """The iterates of one search: history, best point, early stopping."""

    def __init__(
        self,
        problem: LossProblem,
        variables: list[torch.Tensor],
        options: AdamW,
        callback: Callback | None,
    ) -> None:
        self.problem = problem
        self.variables = variables
        self.options = options
        self.callback = callback
        self.begin = time.perf_counter()
        self.history: list[Point] = []
        self.evaluations = 0
        self.best: _Best | None = None
        self._reference = math.inf
        self._since = 0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.begin

    def take(self, x: torch.Tensor, point: Point) -> str | None:
        """Note an iterate; return why to stop, or None to go on."""
        self.evaluations += 1
        validation = self.problem.validate(x.detach())
        judged = point.objective if validation is None else validation
        if not (math.isfinite(point.objective) and math.isfinite(judged)):
            return "not_finite"
        n = len(self.history)
        point = dataclasses.replace(
            point, iteration=n, evaluations=self.evaluations, seconds=self.seconds
        )
        if self.best is None or judged < self.best.judged:
            copies = [one.detach().clone() for one in self.variables]
            self.best = _Best(judged, point, x.detach().cpu().numpy().copy(), copies)
        self.history.append(point)
        if validation is not None:
            self.problem.validation_losses.append(validation)
        if self.callback is not None:
            self.callback(point)
        # A loss of one's own may be negative.
        enough = self._reference - self.options.min_improvement * abs(self._reference)
        if n == 0 or self.best.judged < enough:
            self._reference, self._since = self.best.judged, n
        return "converged" if n - self._since >= self.options.patience else None

    def minimum(self, start: FloatArray, status: str) -> Minimum:
        """Return the best point, with the variables put back to it."""
        import torch  # noqa: PLC0415  slow to load

        best = self.best
        if best is not None:
            with torch.no_grad():
                for one, copy in zip(self.variables, best.variables, strict=True):
                    one.copy_(copy)
        return Minimum(
            x=start if best is None else best.x,
            objective=math.nan if best is None else best.point.objective,
            terms=() if best is None else best.point.terms,
            history=tuple(self.history),
            evaluations=self.evaluations,
            seconds=self.seconds,
            status=status,
        )


def minimise_loss(
    problem: LossProblem, start: FloatArray, options: AdamW, callback: Callback | None
) -> Minimum:
    """Minimise a loss of the user's by AdamW, parameters and variables together.

    The parameters move as in `calibrate`: in units of their ranges, kept in the unit box, weight
    decay towards the start. Groups of variables have the learning rate and weight decay they come
    with, those of ``torch.optim.AdamW`` by default; all learning rates decay alike.

    Parameters
    ----------
    problem : LossProblem
        Loss, variables and validation trials.
    start : ndarray (n,)
        In the unit box.
    options : AdamW
        Settings.
    callback : callable, optional
        Called with a Point after every iteration.

    Raises
    ------
    OptionError
        If the loss depends on nothing that is optimised.

    Returns
    -------
    Minimum
        The point with the lowest loss, of the validation trials if there are any; variables are
        left at their values there. With a KeyboardInterrupt the best so far.
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
    floor = options.min_learning_rate / options.learning_rate
    variables = [one for group in problem.variables for one in group["params"]]
    search = _Search(problem, variables, options, callback)
    status = "max_iterations"
    try:
        for iteration in range(options.max_iterations + 1):
            # The sum may miss a bound by its rounding.
            x = (begin + shift).clamp(0.0, 1.0)
            loss, point = problem.evaluate(x)
            reason = search.take(x, point)
            if reason is not None or iteration == options.max_iterations:
                status = reason or status
                break
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if all(one.grad is None for one in (shift, *variables)):
                raise independent_loss()
            if not all(
                one.grad is None or one.grad.isfinite().all() for one in (shift, *variables)
            ):
                status = "not_finite"
                break
            factor = 1.0 if iteration == 0 else max(options.learning_rate_decay**iteration, floor)
            for group, rate in zip(optimiser.param_groups, first_rates, strict=True):
                group["lr"] = rate * factor
            optimiser.step()
            with torch.no_grad():
                shift.copy_((begin + shift).clamp(0.0, 1.0) - begin)
    except KeyboardInterrupt:
        if search.best is None:
            raise
        status = "interrupted"
    return search.minimum(start, status)
