"""A calibration step on the engine of one's choice."""

from __future__ import annotations

from collections.abc import Sequence

from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.fused import FusedProblem
from ceinms_torch.calibration.problems.tensor import TensorProblem
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.simulation.engine import EngineName, check_fused


def build_problem(
    subject: Subject,
    trials: Sequence[Trial],
    step: CalibrationStep,
    space: ParameterSpace,
    *,
    tendon: str,
    engine: EngineName = "fused",
    filter_start: str = "ceinms",
    threads: int = 1,
    device: str | None = None,
) -> FusedProblem | TensorProblem:
    """Return a calibration step as an optimiser sees it, for methods of your own.

    Parameters
    ----------
    subject, trials, step, space, tendon, filter_start, threads
        As for `FusedProblem`.
    engine : {"fused", "tensor"}
        Compiled loops, or LibTorch autograd.
    device : str, optional
        Where the tensor engine computes, as for `TensorProblem`.

    Returns
    -------
    FusedProblem or TensorProblem

    Raises
    ------
    DataError
        If a measured moment that counts is constant.
    OptionError
        If there is no such engine or device.
    """
    if engine == "tensor":
        return TensorProblem(
            subject, trials, step, space, tendon=tendon, filter_start=filter_start, device=device
        )
    check_fused(engine, device)
    return FusedProblem(
        subject, trials, step, space, tendon=tendon, filter_start=filter_start, threads=threads
    )
