"""Simulations as torch tensors with gradients, for losses and optimisers of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.settings import check_whole
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.batch import trial_batch
from ceinms_torch.simulation.curves import tensor_curves
from ceinms_torch.simulation.engine import EngineName
from ceinms_torch.simulation.simulate import engine_tendon
from ceinms_torch.simulation.trial_input import check_names

if TYPE_CHECKING:
    import torch

    from ceinms_torch import _torch


@one_blas_thread
def simulate_tensors(
    subject: Subject,
    trials: Sequence[Trial] | _torch.TrialBatch,
    parameters: torch.Tensor | None = None,
    excitation: torch.Tensor | None = None,
    *,
    tendon: str | Tendon = "rosenbrockElastic",
    filter_start: str = "ceinms",
    engine: EngineName = "fused",
    threads: int = 1,
) -> _torch.Simulation:
    """Simulate trials side by side as torch tensors, with gradients.

    Parameters
    ----------
    subject : Subject
        The model: its curves and, unless others are given, its parameters.
    trials : sequence of Trial, or TrialBatch
        The data, read with this subject. In a loop make the batch once, by `trial_batch`: the
        fused engine keeps its memory in it from call to call. Its device is where the tensor engine
        computes, and where all tensors given and returned are; the fused engine needs the CPU.
    parameters : Tensor (n_kind, n_mtu), optional
        Rows as `parameter_row` says, SI units, float64; those of the subject.
    excitation : Tensor (n_row, n_mtu, n_trial), optional
        In place of the batch's, at the same instants, float64.
    tendon : {"rosenbrockElastic", "equilibriumElastic", "stiff"} or Tendon
        Tendon model; the second is solved as the first.
    filter_start : {"ceinms", "zero"}
        Start of the activation filter, see `simulate`.
    engine : {"fused", "tensor"}
        Compiled loops as one node of the graph: differentiable once, by parameters, excitations
        and moment arms. Or LibTorch operations, some tens of times slower: differentiable by
        lengths and times, too, twice with the stiff tendon, and on any device with float64. A
        second derivative that an engine does not have is refused.
    threads : int
        Threads of the fused engine, >= 1. Results do not depend on it.

    Returns
    -------
    Simulation
        Tensors (n_step, n_mtu, n_trial): activation [-], fibre_length [m], fibre_velocity [m/s],
        pennation_angle [rad], tendon_strain [-], mtu_force [N]; joint_moment
        (n_step, n_dof, n_trial) [N m]. Where the batch's is_valid is False, after the end of a
        shorter trial, values mean nothing.

    Raises
    ------
    DataError
        If there is no trial, or one was read with another subject.
    OptionError
        If there is no such tendon or engine, or threads is not a whole number >= 1.
    ValueError, TypeError
        If a tensor has the wrong shape, dtype or device, or holds NaN or infinity.
    NotImplementedError
        When a gradient is differentiated again with the fused engine, or with an elastic tendon.

    Examples
    --------
    Let Adam find strength coefficients by a loss of one's own::

        batch = ct.trial_batch(trials)
        start = torch.from_numpy(subject.parameters())
        row = ct.parameter_row("strengthCoefficient")
        strength = start[row].clone().requires_grad_()
        optimiser = torch.optim.Adam([strength], lr=0.01)
        for _ in range(100):
            optimiser.zero_grad()
            parameters = start.clone()
            parameters[row] = strength
            moment = ct.simulate_tensors(subject, batch, parameters).joint_moment
            loss = (moment[:, 0] - target)[batch.is_valid].square().mean()
            loss.backward()
            optimiser.step()
    """
    import torch  # noqa: PLC0415  slow to load

    from ceinms_torch._backend import _torch  # noqa: PLC0415

    check_whole("threads", threads, least=1)
    if isinstance(trials, _torch.TrialBatch):
        batch = trials
    elif not trials:
        raise DataError(where="trials", expected="at least one trial", got="none")
    else:
        for trial in trials:
            check_names(subject, trial)
        batch = trial_batch(trials)
    if excitation is not None:
        batch = batch.with_excitation(excitation)
    device = batch.time.device
    if parameters is None:
        parameters = torch.from_numpy(subject.parameters()).to(device)
    curves = tensor_curves(subject, device)
    name = engine_tendon(tendon)
    if engine == "tensor":
        return _torch.simulate(curves, parameters, batch, tendon=name, filter_start=filter_start)
    if engine != "fused":
        raise OptionError(where="engine", expected="fused or tensor", got=repr(engine))
    return _torch.simulate_fused(
        curves, parameters, batch, tendon=name, filter_start=filter_start, threads=threads
    )
