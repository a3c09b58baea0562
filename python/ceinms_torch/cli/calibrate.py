"""``ceinms-torch calibrate``: a CEINMS calibration setup file in, a calibrated subject out."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.display import (
    CalibrationProgress,
    bounds_table,
    fit_table,
    note,
    shown_warnings,
    stdout,
    terms_table,
)

if TYPE_CHECKING:
    from ceinms_torch.model.calibration import CalibrationPlan
    from ceinms_torch.model.options import AdamW, Objective
    from ceinms_torch.model.trial import Trial
    from ceinms_torch.workflows.calibrate import CalibrationResult
    from ceinms_torch.workflows.fit import Fit
    from ceinms_torch.workflows.folder import CalibrationFolder

EXAMPLES = """
[bold]Examples[/]

Calibrate, with results beside the subject file that the setup names:
  ceinms-torch calibrate calibrate.xml

Results in a folder of their own, and two trials the calibration has not seen:
  ceinms-torch calibrate calibrate.xml --out results --test trials/walk5/inputData.xml
    --test trials/walk6/inputData.xml

A quick look:
  ceinms-torch calibrate calibrate.xml --max-iterations 50
"""

INTERRUPTED = 130  # what shells report for Ctrl-C


class Method(StrEnum):
    """Optimisers."""

    adamw = "adamw"


class NormalisationName(StrEnum):
    """How moment errors are made comparable."""

    variance = "variance"
    meanSquare = "meanSquare"  # noqa: N815  as in the XML
    rmse = "rmse"


class StartName(StrEnum):
    """Where the search begins."""

    subject = "subject"
    random = "random"


def calibrate_command(
    setup: Annotated[
        Path, typer.Argument(help="Calibration setup file, as for CEINMScalibrate -S.")
    ],
    method: Annotated[Method, typer.Option(help="Optimiser.")] = Method.adamw,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for all results. Without it the subject goes where the setup file says "
            "and the rest into a folder NAME_results beside it."
        ),
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="inputData.xml of an unseen trial to test on; may be repeated."),
    ] = None,
    normalisation: Annotated[
        NormalisationName | None,
        typer.Option(help="Moment errors: CEINMS's variance, eq. 4's meanSquare, or rmse."),
    ] = None,
    max_iterations: Annotated[
        int | None, typer.Option(help="Largest number of iterations.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="First step, in units of each parameter's range.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Iterations without improvement before it stops.")
    ] = None,
    start: Annotated[
        StartName, typer.Option(help="Begin at the subject's values or at a random point.")
    ] = StartName.subject,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random point.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")] = False,
) -> None:
    """Calibrate a subject so that its moments match inverse dynamics.

    Reads the files of an existing CEINMS folder, fits by gradient, and writes the calibrated
    subject (CEINMS 0.9 XML), result.json, loss_history.csv and, for every trial, activations,
    fibre lengths, tendon strains, forces and moments as .sto. Ctrl-C stops and keeps the best
    parameters found so far.
    """
    from ceinms_torch.model.options import AdamW  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.workflows.calibrate import calibrate  # noqa: PLC0415
    from ceinms_torch.workflows.folder import CalibrationFolder  # noqa: PLC0415
    from ceinms_torch.workflows.results import check_writable  # noqa: PLC0415

    with shown_warnings() as warnings:
        folder = CalibrationFolder.read(setup)
        tests = {trial.name: trial for trial in (folder.read_trial(path) for path in test or ())}
        subject_file = folder.setup.output_subject_file
        directory = subject_file.parent / f"{setup.stem}_results"
        if out is not None:
            subject_file, directory = out / subject_file.name, out
        check_writable(directory)
        check_writable(subject_file.parent)

        planned = folder.plan.algorithm
        base = planned if isinstance(planned, AdamW) else AdamW()
        options = _changed(
            base, max_iterations=max_iterations, learning_rate=learning_rate, patience=patience
        )
        _say_what_differs(folder, method)
        with CalibrationProgress(
            len(folder.plan.steps), options.max_iterations, quiet=quiet
        ) as progress:
            result = calibrate(
                folder.subject,
                folder.trials,
                _with_normalisation(folder, normalisation),
                options=options,
                start=start.value,
                seed=seed,
                callback=progress,
            )
        test_fit = _finish(result, folder, tests, warnings, directory, subject_file)
    if not quiet:
        _show(result, test_fit)
    stdout.print(f"calibrated subject: {subject_file}", soft_wrap=True)
    stdout.print(f"results:            {directory}", soft_wrap=True)
    if result.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _changed(options: AdamW, **changes: float | None) -> AdamW:
    """Return the options with those changes that the user asked for."""
    wanted = {name: value for name, value in changes.items() if value is not None}
    return dataclasses.replace(options, **wanted)  # type: ignore[arg-type]  # typed by the CLI


def _objective(base: Objective, normalisation: NormalisationName) -> Objective:
    return dataclasses.replace(base, normalisation=normalisation.value)


def _with_normalisation(
    folder: CalibrationFolder, normalisation: NormalisationName | None
) -> CalibrationPlan:
    """Return the plan, every step with the normalisation that the user asked for."""
    if normalisation is None:
        return folder.plan
    steps = tuple(
        dataclasses.replace(step, objective=_objective(step.objective, normalisation))
        for step in folder.plan.steps
    )
    return dataclasses.replace(folder.plan, steps=steps)


def _say_what_differs(folder: CalibrationFolder, method: Method) -> None:
    """Say where the calibration departs from what the files ask for."""
    from ceinms_torch.model.nms_model import SimulatedAnnealing  # noqa: PLC0415

    if isinstance(folder.plan.algorithm, SimulatedAnnealing):
        note(f"the calibration file asks for simulatedAnnealing; calibrating with {method.value}")
    if folder.plan.tendon.kind == "equilibriumElastic":
        note("equilibriumElastic is solved with the Rosenbrock elastic tendon, which has gradients")


def _finish(
    result: CalibrationResult,
    folder: CalibrationFolder,
    tests: dict[str, Trial],
    warnings: list[str],
    directory: Path,
    subject_file: Path,
) -> Fit:
    """Simulate the unseen trials, write everything, and return their fit."""
    from ceinms_torch.workflows.fit import moment_fit  # noqa: PLC0415
    from ceinms_torch.workflows.results import result_dict, write_calibration  # noqa: PLC0415
    from ceinms_torch.workflows.simulate import simulate  # noqa: PLC0415

    simulations = {
        name: simulate(result.subject, trial, tendon=result.tendon) for name, trial in tests.items()
    }
    test_fit = {name: moment_fit(trial, simulations[name]) for name, trial in tests.items()}
    summary = result_dict(
        result,
        folder,
        test_fit=test_fit,
        warnings=warnings,
        extra_files=[file for trial in tests.values() for file in trial.files],
    )
    write_calibration(
        result,
        folder,
        summary,
        directory=directory,
        subject_file=subject_file,
        test_simulations=simulations,
    )
    return test_fit


def _show(result: CalibrationResult, test_fit: Fit) -> None:
    from ceinms_torch.workflows.calibrate import STATUS_SENTENCES  # noqa: PLC0415

    stdout.print(fit_table("calibration trials", result.fit))
    if test_fit:
        stdout.print(fit_table("unseen trials", test_fit))
    stdout.print(terms_table(result))
    bounds = bounds_table(result)
    stdout.print("No parameter is at a bound of its range." if bounds is None else bounds)
    stdout.print(
        f"{result.method}, {result.engine} engine: objective {result.objective:.6g} after "
        f"{result.iterations} iterations, {result.seconds:.2f} s. "
        f"{STATUS_SENTENCES[result.status]}",
        soft_wrap=True,
    )
