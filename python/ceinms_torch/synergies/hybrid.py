"""Synergy-hybrid calibration: muscles without electrodes calibrated with the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.calibration.calibrate import check_inputs
from ceinms_torch.calibration.identifiability import identifiability
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.eq4 import FusedProblem
from ceinms_torch.calibration.result import Iteration, StepResult
from ceinms_torch.calibration.search import run_step
from ceinms_torch.errors import OptionError
from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.objective import Objective
from ceinms_torch.model.options import AdamW, Lbfgs, check_whole
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.synergy_hybrid import SynergyHybrid
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.engine import EngineName
from ceinms_torch.simulation.simulate import calibrated_tendon, simulate
from ceinms_torch.simulation.trial_result import TrialResult
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.problem import HybridSetting, build_hybrid_problem
from ceinms_torch.synergies.result import HybridResult, TrialSynergies, trial_synergies
from ceinms_torch.synergies.start import choose_number, start_points

FloatArray = NDArray[np.float64]
HybridMethod = Literal["lbfgs", "adamw"]
HybridOptimiser = AdamW | Lbfgs

# Measured on the lower limb data with 43 MTUs: with the steps of a calibration without synergies
# AdamW ends 11 % above L-BFGS-B, because weightings and primitives, which matter as products only,
# disturb each other. Smaller steps, more of them, come within 0.3 %.
_METHODS: dict[str, HybridOptimiser] = {
    "lbfgs": Lbfgs(),
    "adamw": AdamW(
        learning_rate=0.01, learning_rate_decay=0.9995, max_iterations=4000, patience=100
    ),
}


def choose_hybrid_method(
    plan: CalibrationPlan,
    method: str | None = None,
    options: HybridOptimiser | None = None,
) -> tuple[str, HybridOptimiser]:
    """Return the method and its options: those asked for, else the plan's, else L-BFGS-B.

    Parameters
    ----------
    plan : CalibrationPlan
        Its algorithm counts where it can do this.
    method : {"lbfgs", "adamw"}, optional
        The method asked for.
    options : AdamW or Lbfgs, optional
        The options asked for.

    Returns
    -------
    name : {"lbfgs", "adamw"}
    options : AdamW or Lbfgs

    Raises
    ------
    OptionError
        If there is no such method for synergies, or the options are another's.
    """
    planned = plan.algorithm if isinstance(plan.algorithm, (AdamW, Lbfgs)) else None
    if method not in (None, *_METHODS):
        hint = "primitives are searched, too, too many numbers for other methods"
        raise OptionError(
            where="method", expected="lbfgs or adamw with synergies", got=repr(method), hint=hint
        )
    if options is None and planned is not None and method in (None, _name_of(planned)):
        options = planned
    elif options is None:
        options = _METHODS[method or "lbfgs"]
    if not isinstance(options, (AdamW, Lbfgs)):
        raise OptionError(
            where="options",
            expected="those of lbfgs or adamw with synergies",
            got=type(options).__name__,
        )
    name = _name_of(options)
    if method not in (None, name):
        raise OptionError(where="options", expected=f"those of {method}", got=f"those of {name}")
    return name, options


def _name_of(options: HybridOptimiser) -> str:
    return "adamw" if isinstance(options, AdamW) else "lbfgs"


def calibrate_hybrid(
    subject: Subject,
    trials: Sequence[Trial],
    plan: CalibrationPlan,
    generator: ExcitationGenerator,
    *,
    hybrid: SynergyHybrid | None = None,
    method: HybridMethod | None = None,
    options: HybridOptimiser | None = None,
    objective: Objective | None = None,
    engine: EngineName = "fused",
    device: str | None = None,
    starts: int = 1,
    threads: int = 1,
    seed: int = 0,
    begin_at: Subject | None = None,
    callback: Callable[[Iteration], None] | None = None,
) -> HybridResult:
    """Calibrate a subject and, at once, the excitations that nobody recorded (paper, III-C).

    Recordings drive their MTUs, sums of synergies all others. Parameters, primitives and muscle
    weightings minimise eq. (5) together: moment errors and penalties as in `calibrate`, the error
    of the recorded excitations as the same synergies reconstruct them, and the size of those that
    are synthesised.

    Parameters
    ----------
    subject, trials, plan
        As for `calibrate`.
    generator : ExcitationGenerator
        Which MTUs were recorded, and by which electrodes.
    hybrid : SynergyHybrid, optional
        Synergies and weights; those of the plan, or the defaults.
    method : {"lbfgs", "adamw"}, optional
        L-BFGS-B, which keeps weightings and primitives within 0 to 1, or the paper's AdamW, where
        a penalty does; that of the options or of the plan, or L-BFGS-B.
    options : Lbfgs or AdamW, optional
        Settings of the optimiser; those of the plan, or the defaults.
    objective : Objective, optional
        Replaces the objective of every step.
    engine : {"fused", "tensor"}
        Compiled loops, or LibTorch autograd.
    device : str, optional
        Where the tensor engine computes: "cpu", "cuda", ...; by default CUDA where there is one.
    starts : int
        Number of starts, >= 1: they differ in the random weightings of unrecorded MTUs.
    threads : int
        Threads, >= 1: over starts if there are several, else over MTUs and trials.
    seed : int
        Seed of the weightings, >= 0. Results do not depend on the number of threads.
    begin_at : Subject, optional
        Where the parameters of the first step start, within the ranges about `subject`: say what
        an EMG-driven calibration of the recorded MTUs found. By default they start at `subject`.
    callback : callable, optional
        As for `calibrate`.

    Returns
    -------
    HybridResult

    Raises
    ------
    DataError
        As `calibrate`; if nothing was recorded or there is nothing to synthesise, a recording is
        zero throughout a trial, or an MTU without a recording acts on no DOF.
    OptionError
        As `calibrate`; if there are more synergies than independent recordings.
    """
    check_whole("starts", starts, least=1)
    check_whole("threads", threads, least=1)
    check_whole("seed", seed, least=0)
    check_inputs(subject, trials, plan)
    hybrid = hybrid or plan.hybrid or SynergyHybrid()
    name, options = choose_hybrid_method(plan, method, options)
    plan = dataclasses.replace(plan.with_settings(options, objective), hybrid=hybrid)
    tendon = calibrated_tendon(plan.tendon)
    steps: list[StepResult] = []
    history: list[Iteration] = []
    synergies: dict[str, TrialSynergies] = {}
    for number, step in enumerate(plan.steps):
        space = ParameterSpace.of(subject, step, plan)
        setting = hybrid_setting(trials, generator, hybrid, step)
        problems = [
            build_hybrid_problem(
                subject,
                trials,
                step,
                space,
                setting,
                tendon=tendon,
                engine=engine,
                options=options,
                threads=threads if starts == 1 else 1,
                device=device,
            )
            for _ in range(min(threads, starts))
        ]
        begin = space.start() if begin_at is None or number else space.point_of(begin_at)
        points = start_points(setting, begin, starts, seed + number)
        result, iterations, point = run_step(
            number, step, space, problems, points, options, callback=callback
        )
        steps.append(result)
        history += iterations
        synergies = trial_synergies(trials, setting, setting.space(len(result.x)), point)
        subject = space.subject_at(result.x)
        if result.status == "interrupted":
            break
    synthesised = setting.channels.synthesised_names
    driven = [synergies[trial.name].drive(trial) for trial in trials]
    last = steps[-1]
    # How well the parameters are determined once the excitations are given.
    problem = FusedProblem(last.space.subject, driven, last.step, last.space, tendon=tendon)
    return HybridResult(
        subject=subject,
        method=name,
        engine=engine,
        device=problems[0].device,
        tendon=tendon,
        plan=plan,
        polished=False,
        seed=seed,
        start="subject",
        steps=tuple(steps),
        history=tuple(history),
        trials=tuple(
            TrialResult.of(one, simulate(subject, one, tendon=tendon), synthesised=synthesised)
            for one in driven
        ),
        identifiability=identifiability(problem, last.space, last.x),
        generator=generator,
        n_synergy=setting.n_synergy,
        synthesised=synthesised,
        synergies=synergies,
    )


def hybrid_setting(
    trials: Sequence[Trial],
    generator: ExcitationGenerator,
    hybrid: SynergyHybrid,
    step: CalibrationStep,
) -> HybridSetting:
    """Tell recorded from synthesised excitations and lay out the primitives.

    Parameters
    ----------
    trials : sequence of Trial
        The trials to calibrate on.
    generator : ExcitationGenerator
        Which MTUs were recorded.
    hybrid : SynergyHybrid
        Synergies and weights.
    step : CalibrationStep
        DOFs that count.

    Returns
    -------
    HybridSetting

    Raises
    ------
    DataError, OptionError
        As `calibrate_hybrid`.
    """
    channels = Channels.of(trials, generator, hybrid, step.dofs)
    setting = HybridSetting.of(trials, channels, hybrid, n_synergy=1)
    n_synergy = choose_number(channels, hybrid, setting.recorded)
    return dataclasses.replace(setting, n_synergy=n_synergy)
