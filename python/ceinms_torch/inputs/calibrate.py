"""`calibrate`: one way to calibrate, whatever the plan asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.annealing import Annealing
from ceinms_torch.calibration.loop import Calibration
from ceinms_torch.calibration.methods import Options, choose_method
from ceinms_torch.calibration.result import CalibrationResult, Iteration, Start
from ceinms_torch.calibration.verification import Program, check_can_verify
from ceinms_torch.errors import OptionError
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.calibration import CalibrationPlan
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import MethodName
from ceinms_torch.simulation.engine import EngineName
from ceinms_torch.synergies.calibration import SynergyCalibration


@one_blas_thread
def calibrate(
    source: CalibrationFolder | str | os.PathLike[str] | Subject,
    trials: Sequence[Trial] | None = None,
    plan: CalibrationPlan | None = None,
    *,
    generator: ExcitationGenerator | None = None,
    method: MethodName | None = None,
    options: Options | None = None,
    objective: Objective | None = None,
    engine: EngineName = "fused",
    device: str | None = None,
    polish: bool = False,
    start: Start = "subject",
    starts: int | None = None,
    threads: int = 1,
    seed: int = 0,
    begin_at: Subject | None = None,
    validation: Sequence[Trial] = (),
    callback: Callable[[Iteration], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    verify_in: Program | None = None,
) -> CalibrationResult:
    """Calibrate a subject by gradient (paper, section III-B), with synergies, or as CEINMS does.

        result = ct.calibrate("calibrate.xml")
        result = ct.calibrate(folder, method="adamw", polish=True)
        result = ct.calibrate(subject, trials, plan)

    Parameters
    ----------
    source : CalibrationFolder, path-like or Subject
        A folder, its setup file, or the subject to start from.
    trials : sequence of Trial, optional
        The trials to calibrate on, read with this subject, with measured moments; those of the
        folder.
    plan : CalibrationPlan, optional
        Steps, parameters and ranges; that of the folder. An elastic tendon is the Rosenbrock tendon
        (that of CEINMS with the annealing). With its `hybrid`, sums of synergies drive the MTUs
        that were not recorded, and are calibrated with the subject (`SynergyCalibration`).
    generator : ExcitationGenerator, optional
        Which MTUs were recorded, and by which electrodes, for synergies; that of the folder.
    method : {"lm", "adamw", "lbfgs", "annealing"}, optional
        Levenberg-Marquardt, AdamW (the paper's), L-BFGS-B, or the annealing of CEINMS on the
        model of CEINMS (`Annealing`); that of the options or of the plan, or Levenberg-Marquardt
        when the plan asks for simulated annealing. With synergies L-BFGS-B, which keeps weightings
        and primitives within 0 to 1, or AdamW, where a penalty does.
    options : AdamW, LevenbergMarquardt, Lbfgs or SimulatedAnnealing, optional
        Settings of the optimiser; those of the plan, or the defaults.
    objective : Objective, optional
        Replaces the objective of every step.
    engine : {"fused", "tensor"}
        Compiled loops, or LibTorch autograd (no Levenberg-Marquardt).
    device : str, optional
        Where the tensor engine computes: "cpu" (the default), "cuda", ...
    polish : bool
        Let Levenberg-Marquardt go on from the best point of the other method; not with synergies,
        whose primitives are too many numbers for its matrix.
    start : {"subject", "random"}
        Whether the first start is at the subject's values or at a random point.
    starts : int, optional
        Number of starts, >= 1; all but the first are spread over the ranges by `seed`. By default
        rounds of up to 16, until a round lowers the best objective by less than 1 %, within a
        budget (`Rounds`); but one with `begin_at`, on the tensor engine, with synergies and for an
        annealing. With synergies they differ in the random weightings of MTUs that were not
        recorded, and in parameters only if `start` is random.
    threads : int
        Threads, >= 1: over starts if there are several, else over MTUs and trials.
    seed : int
        Seed of the start points, or of the modern variant of the annealing, >= 0. Results depend on
        it, not on the number of threads.
    begin_at : Subject, optional
        Where the parameters of the first step start, within the ranges about the subject: say what
        another calibration found.
    validation : sequence of Trial, optional
        Trials that nothing is fitted to: among starts whose objectives differ by less than 3 %,
        the one is kept that predicts them best. Not with synergies or an annealing.
    callback : callable, optional
        Called with an `Iteration` after every iteration, from the thread that searches. Ctrl-C (or
        a KeyboardInterrupt it raises) stops the calibration and keeps the best parameters.
    checkpoint : path-like, optional
        A file that is written every few seconds of a long calibration, and is there to be deleted
        when the result is saved.
    resume : bool
        Whether to go on from that file, if it exists, to the same result as without a break.
    verify_in : {"ceinms"}, optional
        Run the calibrated subject in CEINMS 0.9, by the legacy model, on the calibration trials:
        the result's `verification`. With test trials, call its `verified_in` instead.

    Returns
    -------
    CalibrationResult
        A `HybridResult` with synergies.

    Raises
    ------
    DataError
        If trials lack moments, were read with another subject, have the same name, or a moment
        that counts is constant. With synergies also if nothing was recorded or there is nothing to
        synthesise, a recording is zero throughout a trial, or an MTU to synthesise acts on no DOF.
    OptionError
        If the plan asks for a model that has no gradient, there are more synergies than independent
        recordings, options do not fit together, or the checkpoint is one of another calibration.
    FileFormatError
        If files of the folder are missing or faulty.

    Warns
    -----
    CeinmsTorchWarning
        Once for each parameter with start values outside its range: the search begins at the
        nearest ones inside.
    """
    is_annealing = method == SimulatedAnnealing.method or isinstance(options, SimulatedAnnealing)
    if isinstance(source, (str, os.PathLike)):
        source = CalibrationFolder.read(source, legacy=is_annealing)
    if isinstance(source, CalibrationFolder):
        trials = source.trials if trials is None else trials
        plan = plan or source.plan
        generator = generator or source.generator
        source = source.subject
    if trials is None or plan is None:
        raise OptionError(
            where="calibrate", expected="a folder, or subject, trials and plan", got="a subject"
        )
    asked_for: dict[str, Any] = {
        "subject": source,
        "trials": trials,
        "plan": plan,
        "options": choose_method(plan, method, options),
        "objective": objective,
        "engine": engine,
        "device": device,
        "polish": polish,
        "start": start,
        "starts": starts,
        "threads": threads,
        "seed": seed,
        "begin_at": begin_at,
        "validation": tuple(validation),
        "callback": callback,
        "checkpoint": None if checkpoint is None else Path(checkpoint),
        "resume": resume,
    }
    if verify_in is not None:
        check_can_verify(verify_in, source, plan)
    result = _run(asked_for, plan, generator, is_annealing=is_annealing)
    return result if verify_in is None else result.verified_in(verify_in, trials)


def _run(
    asked_for: dict[str, Any],
    plan: CalibrationPlan,
    generator: ExcitationGenerator | None,
    *,
    is_annealing: bool,
) -> CalibrationResult:
    if is_annealing:
        return Annealing(**asked_for).run()
    if plan.synergy_hybrid is None:
        return Calibration(**asked_for).run()
    if generator is None:
        hint = "give the folder, or generator="
        raise OptionError(
            where="generator", expected="one, with <synergyHybrid>", got="none", hint=hint
        )
    return SynergyCalibration(**asked_for, generator=generator).run()
