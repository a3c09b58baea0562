"""``ceinms-torch calibrate``: a CEINMS calibration setup file in, a calibrated subject out."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from ceinms_torch.calibration.result import Start
from ceinms_torch.calibration.verification import Program
from ceinms_torch.cli.bands import check_bands, with_bands
from ceinms_torch.cli.check import show_findings
from ceinms_torch.cli.synergy_hybrid import (
    hybrid_notes,
    n_searches,
    synergies_line,
    synergies_table,
    undriven_notes,
    with_synergy_hybrid,
)
from ceinms_torch.errors import OptionError
from ceinms_torch.inputs.outputs import calibration_outputs
from ceinms_torch.io.interrupts import held
from ceinms_torch.io.paths import check_writable, kind_of
from ceinms_torch.io.results import CHECKPOINT_FILE, RESULT_FILE
from ceinms_torch.plan.objective import Normalisation
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import (
    CalibrationProgress,
    bounds_table,
    fit_table,
    identifiability_table,
    note,
    note_dialect,
    shown_warnings,
    stdout,
    terms_table,
    verification_table,
)
from ceinms_torch.terminal.failures import INTERRUPTED
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from ceinms_torch.calibration.result import CalibrationResult
    from ceinms_torch.inputs.checks.files import Inputs
    from ceinms_torch.inputs.folder import CalibrationFolder
    from ceinms_torch.model.nms_model import SimulatedAnnealing
    from ceinms_torch.model.trial import Trial
    from ceinms_torch.plan.calibration import CalibrationPlan
    from ceinms_torch.plan.options import Optimiser

EXAMPLES = """
[bold]Examples[/]

Calibrate, with results in calibrate_results beside the setup file:
  ceinms-torch calibrate calibrate.xml

Results in a folder of their own, and test trials, which the calibration does not see:
  ceinms-torch calibrate calibrate.xml --out results --test 'trials/run*/inputData.xml'

By the recommended recipe, which overrides ranges, curves and objective of the files and says so:
  ceinms-torch calibrate calibrate.xml --recommended --test 'trials/run*/inputData.xml'

A trial that nothing is fitted to chooses among starts that fit alike:
  ceinms-torch calibrate calibrate.xml --validation-trial trials/walk2/inputData.xml

A number of starts in place of as many as help, on two cores:
  ceinms-torch calibrate calibrate.xml --starts 32 --threads 2

As CEINMScalibrate does it, number for number:
  ceinms-torch calibrate calibrate.xml --method annealing

The same search with other random numbers, which never ends above its start:
  ceinms-torch calibrate calibrate.xml --method annealing --set variant=modern --seed 2

The paper's method, on the paper's formulation:
  ceinms-torch calibrate calibrate.xml --method adamw --engine tensor --set learningRate=0.02

What the calibrated subject is worth in CEINMS 0.9, on test trials, too:
  ceinms-torch calibrate calibrate.xml --test 'trials/run*/inputData.xml' --verify-in ceinms

Muscles without an electrode driven by four synergies of the others, the best of eight starts:
  ceinms-torch calibrate calibrate.xml --hybrid --synergies 4 --starts 8 --threads 2

Bands of forces and moments over parameter sets that fit alike:
  ceinms-torch calibrate calibrate.xml --bands --threads 2

Only the hip flexors without an electrode driven so, the others without one by nothing:
  ceinms-torch calibrate calibrate.xml --synergies 4 --synthesise psoas_r,iliacus_r
"""


def command(
    setup: opt.Setup,
    method: opt.Method = None,
    recommended: opt.Recommended = False,
    out: opt.Out = None,
    test: opt.Test = None,
    validation_trial: opt.Validation = None,
    normalisation: Annotated[
        Normalisation | None,
        typer.Option(help="Moment errors: CEINMS's variance, eq. 4's meanSquare, or rmse."),
    ] = None,
    starts: opt.Starts = None,
    threads: opt.Threads = 1,
    seed: opt.Seed = 0,
    start: Annotated[
        Start, typer.Option(help="First start: the subject's values or a random point.")
    ] = "subject",
    polish: Annotated[
        bool, typer.Option("--polish", help="Let lm go on from the best point of the method.")
    ] = False,
    max_iterations: Annotated[
        int | None, typer.Option(help="Largest number of iterations, of every start.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting of the method by its XML name, such as learningRate=0.02; may be "
            "repeated.",
        ),
    ] = None,
    engine: Annotated[
        Literal["fused", "tensor"],
        typer.Option(help="Compiled loops, or LibTorch autograd (adamw and lbfgs only)."),
    ] = "fused",
    device: Annotated[
        str | None,
        typer.Option(help="Where the tensor engine computes: cpu (the default), cuda, ..."),
    ] = None,
    hybrid: Annotated[
        bool | None,
        typer.Option(
            "--hybrid/--no-hybrid",
            help="Let synergies of the recorded excitations drive MTUs without a recording "
            "(eq. 5; lbfgs or adamw), or not; by default what the calibration file asks for. "
            "--synergies, --synthesise and --ties imply it.",
        ),
    ] = None,
    synergies: opt.Synergies = None,
    synthesise: opt.Synthesise = None,
    ties: opt.Ties = None,
    bands: Annotated[
        bool,
        typer.Option(
            "--bands",
            help=opt.BANDS,
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the checkpoint of a calibration that was killed, with the same files "
            "and options, to the same result.",
        ),
    ] = False,
    verify_in: Annotated[
        Program | None,
        typer.Option(
            "--verify-in",
            help="Also run the calibrated subject in CEINMS 0.9's own model (ceinms: its "
            "equilibrium tendon, number for number) on all trials, and print both errors.",
        ),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Calibrate a subject so that its moments match inverse dynamics.

    Reads the files of an existing CEINMS folder, stops if ceinms-torch check finds errors, fits by
    gradient, and writes the calibrated subject (CEINMS 0.9 XML; without --out where the setup file
    says), result.json, loss_history.csv and, for every trial, activations, fibre lengths, tendon
    strains, forces and moments as .sto; ceinms-torch report makes one page of them. The first start
    is at the subject's values; others follow until the best no longer improves, unless --starts
    says how many, or synergies or the annealing search. Ctrl-C, SIGTERM and SIGHUP stop and keep
    the best parameters found so far; a long calibration writes a checkpoint every few seconds.
    """
    from ceinms_torch.calibration.methods import choose_method  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.inputs.calibrate import calibrate  # noqa: PLC0415
    from ceinms_torch.inputs.checks.check import check_inputs  # noqa: PLC0415
    from ceinms_torch.inputs.checks.files import read_inputs  # noqa: PLC0415
    from ceinms_torch.results.provenance import with_provenance  # noqa: PLC0415
    from ceinms_torch.results.write import save_result  # noqa: PLC0415

    legacy = method == "annealing"
    inputs, faults = read_inputs(setup, test or (), legacy=legacy)
    findings = check_inputs(inputs, faults)
    show_findings(findings)
    if findings.has_errors:
        raise typer.Exit(1)
    with shown_warnings(already=findings.reader_warnings) as warnings:
        folder = inputs.folder()
        note_dialect(folder.dialect)
        subject_file = folder.setup.output_subject_file
        if out is not None:
            subject_file = out / subject_file.name
        directory = results_folder(setup, out)
        judges = tuple(folder.read_tests(validation_trial or ()).values())
        if recommended:
            folder = _recommended(folder, (*inputs.tests, *judges), method)
        plan = with_synergy_hybrid(
            folder.plan, hybrid, opt.synergy_number(synergies), synthesise, ties
        )
        plan = _with_normalisation(plan, normalisation)
        options = choose_method(plan, method)
        options = _changed(options, max_iterations, settings or [])
        check_bands(plan, options.method, wanted=bands)
        _prepare(
            subject_file,
            directory,
            inputs,
            hybrid=plan.synergy_hybrid is not None,
            bands=bands,
        )
        checkpoint = directory / CHECKPOINT_FILE
        _say_checkpoint(checkpoint, resume=resume)
        if options.method != "annealing":
            _say_what_differs(folder, options.method)
        shown = CalibrationProgress(
            len(plan.steps),
            _most_iterations(folder, options),
            n_searches(starts, plan.synergy_hybrid),
            quiet=quiet,
        )
        with held():  # what is found is written, whatever signals come meanwhile
            with shown as progress:
                result = calibrate(
                    folder,
                    plan=plan,
                    options=options,
                    engine=engine,
                    device=device,
                    polish=polish,
                    start=start,
                    starts=starts,
                    threads=threads,
                    seed=seed,
                    validation=judges,
                    callback=None if quiet else progress,
                    checkpoint=checkpoint,
                    resume=resume,
                    verify_in=verify_in,
                )
            result = with_bands(
                _tested(result, folder, inputs, verify_in),
                folder,
                inputs.tests,
                wanted=bands,
                threads=threads,
                seed=seed,
                quiet=quiet,
            )
            result = with_provenance(
                result,
                folder,
                findings=findings,
                warnings=warnings,
                command=_command(),
            )
            copy = subject_file if out is None else None
            save_result(result, directory, subject_file=subject_file.name, copy=copy)
            if result.status != "interrupted":
                checkpoint.unlink(missing_ok=True)
    if not quiet:
        _show(result)
    stdout.print(f"calibrated subject: {escape(str(subject_file))}", soft_wrap=True)
    say_where(directory)
    if result.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _tested(
    result: CalibrationResult, folder: CalibrationFolder, inputs: Inputs, verify_in: Program | None
) -> CalibrationResult:
    """Return the result with its test trials, and what it is worth in another program."""
    for line in (*undriven_notes(result, folder.generator), *hybrid_notes(result)):
        note(line)
    result = result.with_tests(inputs.tests)
    if verify_in is None:
        return result
    return result.verified_in(verify_in, folder.trials, inputs.tests)


def _prepare(
    subject_file: Path, directory: Path, inputs: Inputs, *, hybrid: bool, bands: bool
) -> None:
    """Say what is overwritten, refuse where nothing can be written, and claim the folder."""
    say_overwriting(
        subject_file,
        directory / RESULT_FILE,
        inputs=inputs.files(),
        others=calibration_outputs(
            directory,
            [directory / subject_file.name],
            inputs.roles(),
            hybrid=hybrid,
            bands=bands,
        ),
    )
    check_writable(subject_file.parent)
    claim(directory)


def _recommended(
    folder: CalibrationFolder, others: Sequence[Trial], method: str | None
) -> CalibrationFolder:
    """Return the folder by the recommended recipe, and say what that overrides."""
    if method == "annealing":
        raise OptionError(
            where="--recommended",
            expected="another method than annealing",
            got="annealing",
            hint="the annealing repeats what CEINMS does",
        )
    folder = folder.recommended(tests=others)
    for override in folder.plan.overrides:
        note(f"recommended: {override}")
    return folder


def _command() -> str:
    """Return the command line that gives the result, be it at once or after a break."""
    return shlex.join(["ceinms-torch", *(one for one in sys.argv[1:] if one != "--resume")])


def _say_checkpoint(file: Path, *, resume: bool) -> None:
    """Say what becomes of the checkpoint of an earlier calibration."""
    is_there = kind_of(file) != "nothing"
    if resume and not is_there:
        note(f"there is no checkpoint in {file.parent}: calibrating from the start")
    elif is_there and not resume:
        note(f"the checkpoint {file} is overwritten; --resume goes on from it")


def _most_iterations(folder: CalibrationFolder, options: Optimiser | SimulatedAnnealing) -> int:
    from ceinms_torch.calibration.annealing import most_temperatures  # noqa: PLC0415
    from ceinms_torch.model.nms_model import SimulatedAnnealing  # noqa: PLC0415

    if isinstance(options, SimulatedAnnealing):
        return most_temperatures(folder.subject, folder.plan, options)
    return options.max_iterations


def _changed(
    options: Optimiser | SimulatedAnnealing, max_iterations: int | None, settings: list[str]
) -> Optimiser | SimulatedAnnealing:
    """Return the options with those changes that the user asked for."""
    values = options.to_dict()
    if max_iterations is not None:
        values["maxIterations"] = max_iterations
    for setting in settings:
        name, _, text = setting.partition("=")
        if not text.strip():
            raise OptionError(where="--set", expected="NAME=VALUE", got=repr(setting))
        values[name.strip()] = _number_or_word(text.strip())
    return type(options).from_dict(values)


def _number_or_word(text: str) -> float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _with_normalisation(
    plan: CalibrationPlan, normalisation: Normalisation | None
) -> CalibrationPlan:
    """Return the plan, every step with the normalisation that the user asked for."""
    if normalisation is None:
        return plan
    steps = tuple(
        dataclasses.replace(
            step, objective=dataclasses.replace(step.objective, normalisation=normalisation)
        )
        for step in plan.steps
    )
    return dataclasses.replace(plan, steps=steps)


def _say_what_differs(folder: CalibrationFolder, method: str) -> None:
    """Say where the calibration departs from what the files ask for."""
    from ceinms_torch.model.nms_model import SimulatedAnnealing  # noqa: PLC0415

    for difference in folder.plan.differences:
        note(difference)
    if isinstance(folder.plan.algorithm, SimulatedAnnealing):
        note(f"the calibration file asks for simulatedAnnealing; calibrating with {method}")
    if folder.plan.tendon.kind == "equilibriumElastic":
        note("equilibriumElastic is solved with the Rosenbrock elastic tendon, which has gradients")


def _show(result: CalibrationResult) -> None:
    from ceinms_torch.optimisers.minimum import STATUS_SENTENCES  # noqa: PLC0415
    from ceinms_torch.report.summary import (  # noqa: PLC0415
        band_points,
        delay_points,
        identifiability_points,
        quantity_points,
        start_points,
    )
    from ceinms_torch.synergies.result import HybridResult  # noqa: PLC0415

    stdout.print(fit_table("calibration trials", result.fit))
    if result.tests:
        stdout.print(fit_table("test trials", result.test_fit))
    if (found := result.verification) is not None:
        for title, here, there in (
            ("calibration trials", result.fit, found.fit),
            ("test trials", result.test_fit, found.test_fit),
        ):
            if here:
                stdout.print(verification_table(f"{title}, {found.tendon} in CEINMS", here, there))
    if isinstance(result, HybridResult):
        stdout.print(escape(synergies_line(result)))
        stdout.print(synergies_table(result))
    stdout.print(terms_table(result))
    bounds = bounds_table(result)
    stdout.print("No parameter is at a bound of its range." if bounds is None else bounds)
    kinds = (delay_points, quantity_points, identifiability_points, band_points, start_points)
    for points in kinds:
        for point in points(result):
            stdout.print(escape(point.text), soft_wrap=True)
    if result.identifiability is not None:
        open_ones = identifiability_table(result.identifiability)
        if open_ones is not None:
            stdout.print(open_ones)
    place = "" if result.device == "cpu" else f" on {result.device}"
    stdout.print(
        f"{result.method}, {result.engine} engine{place}: objective {result.objective:.6g} after "
        f"{result.iterations} iterations, {result.seconds:.2f} s. "
        f"{STATUS_SENTENCES[result.status]}",
        soft_wrap=True,
    )
