"""``ceinms-torch loads``: muscle forces in, joint contact forces out."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from ceinms_torch.errors import OptionError
from ceinms_torch.io.paths import kind_of
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import counted, new_table, note, shown_warnings, stdout
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from rich.table import Table

    from ceinms_torch.io.source import Source
    from ceinms_torch.io.storage import Storage
    from ceinms_torch.loads.cases import LoadCase
    from ceinms_torch.loads.joint_loads import JointLoads
    from ceinms_torch.loads.others import Others

_FIGURE = "joint_loads"
_WORDS: dict[str | None, Others | None] = {
    None: None,
    "silent": "silent",
    "optimise": "optimise",
}

EXAMPLES = """
[bold]Examples[/]

Of every trial of a calibration, the muscles without a calculated force by static optimisation:
  ceinms-torch loads calibrate.xml --model scaled.osim --others optimise

Of a run, with the motion and external loads that its inputData.xml does not name:
  ceinms-torch loads run_walk5.xml --model scaled.osim --motion walk5_ik.mot
    --external-loads walk5_grf.xml --others silent

Of forces that something else has computed, such as OpenSim's StaticOptimization:
  ceinms-torch loads walk5_StaticOptimization_force.sto --model scaled.osim --motion walk5_ik.mot
    --external-loads walk5_grf.xml --joints hip_r,walker_knee_r,ankle_r

With a 95 % band over parameter sets that fit the moments alike:
  ceinms-torch loads calibrate.xml --model scaled.osim --others optimise --bands
"""


def command(
    what: Annotated[
        list[Path],
        typer.Argument(
            metavar="SETUP.xml|FORCES.sto...",
            help="Setup file of a calibration or a run whose results are there, or storage files "
            "with muscle forces in N (of several, the others make a band).",
        ),
    ],
    model: Annotated[Path, typer.Option(help=opt.MODEL)],
    out: opt.Out = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of the calibration's or the run's results, by default where its command "
            "writes them; may be repeated for a band over several."
        ),
    ] = None,
    test: opt.Test = None,
    motion: Annotated[
        Path | None,
        typer.Option(help="Coordinates over time, instead of inputData.xml's motionFile."),
    ] = None,
    external_loads: Annotated[
        Path | None,
        typer.Option(help="External loads (.xml), instead of inputData.xml's externalLoadsFile."),
    ] = None,
    ground_forces: Annotated[
        Path | None,
        typer.Option(help="Measured forces, instead of the file that the external loads name."),
    ] = None,
    others: Annotated[
        str | None,
        typer.Option(
            metavar="silent|optimise|FILE",
            help="What all other muscles do on which the loads depend: nothing, static "
            "optimisation of the moments that are left, or the forces of a storage file. Without "
            "it there must be none.",
        ),
    ] = None,
    joints: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Joints of the model; by default those of the subject's DOFs, or all that the "
            "forces act on.",
        ),
    ] = None,
    on: Annotated[
        Literal["child", "parent"], typer.Option(help="The side of the joint that bears.")
    ] = "child",
    frame: Annotated[
        Literal["child", "parent", "ground"],
        typer.Option("--in", help="Whose axes the components are along."),
    ] = "child",
    lowpass: Annotated[
        float,
        typer.Option(
            metavar="HZ", min=0.0, help="Cut-off of OpenSim's filter of the motion; 0 for none."
        ),
    ] = 6.0,
    mass: Annotated[
        float | None,
        typer.Option(help=opt.MASS),
    ] = None,
    bands: Annotated[
        bool,
        typer.Option("--bands", help=opt.BANDS),
    ] = False,
    threads: opt.Threads = 1,
    seed: opt.Seed = 0,
    opensim_python: opt.OpenSimPython = None,
    quiet: opt.Quiet = False,
) -> None:
    """Compute joint contact forces from muscle forces, by OpenSim's dynamics of the skeleton.

    Reads the muscle forces of a calibration or a run, moves the model as the trial's motion does,
    and writes what the joints bear, in N and in body weights, as .sto, with a table, a figure and
    study.json. What moments muscles miss is provided by reserves, which are written, too. It warns
    of resultants above 6 body weights and of reserves above 10 % of a DOF's moment. Needs OpenSim:
    pip install 'ceinms-torch[opensim]'.
    """
    from ceinms_torch.loads.of_case import loads_of_case  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.loads.write import save_loads  # noqa: PLC0415
    from ceinms_torch.osim.model_file import read_model  # noqa: PLC0415
    from ceinms_torch.osim.process import OpenSim  # noqa: PLC0415

    directory = results_folder(what[0], out, "loads")
    with shown_warnings():
        osim = read_model(model)
        others_do = _others(others)
        opensim = OpenSim.find(opensim_python)
        cases = _cases(what, results or [], test or [], bands, threads, seed, quiet)
        cases = [
            _with_files(one, len(cases), motion, external_loads, ground_forces) for one in cases
        ]
        given = [] if others is None or others in _WORDS else [Path(others)]
        sources = _sources([model, *given], cases)
        folders = _prepare(directory, cases, sources)
        found = []
        for case in cases:
            with counted(f"frames of {case.name}", quiet=quiet) as progress:
                loads = loads_of_case(
                    opensim,
                    osim,
                    case,
                    others=others_do,
                    joints=None if joints is None else opt.words(joints),
                    on=on,
                    frame=frame,
                    lowpass=lowpass or None,
                    mass=mass,
                    progress=progress,
                )
                found.append(loads)
        settings = {
            "what": what,
            "model": model,
            "results": results,
            "others": others,
            "joints": [peak.joint for peak in found[0].peaks],
            "on": on,
            "in": frame,
            "lowpass [Hz]": lowpass or None,
            "mass [kg]": mass,
            "bands": bands,
            "seed": seed,
            "motion": {case.name: case.motion for case in cases},
            "external_loads": {case.name: case.external_loads for case in cases},
            "ground_forces": ground_forces,
        }
        save_loads(
            [(case.role, one) for case, one in zip(cases, found, strict=True)],
            directory,
            settings=settings,
            sources=sources,
            opensim=opensim,
            beside=lambda: _draw(folders, found),
        )
    if not quiet:
        stdout.print(_table(found))
        whose = "of the model; --mass states the person's" if mass is None else "as stated"
        stdout.print(f"body weight: {found[0].body_weight:.0f} N, {whose}")
        for words in dict.fromkeys(one.others for one in found):
            stdout.print(f"muscles without a calculated force: {escape(words)}", soft_wrap=True)
    say_where(directory)


def _sources(files: list[Path], cases: list[LoadCase]) -> list[Source]:
    """Return every file that is read."""
    from ceinms_torch.io.source import read_source  # noqa: PLC0415
    from ceinms_torch.recordings.external_loads import read_external_loads  # noqa: PLC0415

    for case in cases:
        files += filter(None, (case.motion, case.external_loads, case.ground_forces))
        if case.external_loads is not None and case.ground_forces is None:
            files += filter(None, [read_external_loads(case.external_loads).data_file])
    read = [read_source(path, "a file")[1] for path in dict.fromkeys(files)]
    return [*read, *(one for case in cases for one in case.sources)]


def _prepare(directory: Path, cases: list[LoadCase], sources: list[Source]) -> list[Path]:
    """Say what is overwritten, claim the folder, and return those of the trials."""
    from ceinms_torch.loads.write import STUDY_FILE, loads_folder, loads_outputs  # noqa: PLC0415

    folders = [loads_folder(directory, case.role, case.name) for case in cases]
    outputs = loads_outputs(directory, folders, bands=any(case.alike for case in cases))
    figures = (folder / f"{_FIGURE}.{ending}" for folder in folders for ending in ("png", "svg"))
    say_overwriting(
        directory / STUDY_FILE,
        inputs=[one.path for one in sources if one.path],
        others=(*outputs, *figures),
    )
    claim(directory)
    return folders


def _cases(
    what: list[Path],
    results: list[Path],
    tests: list[Path],
    bands: bool,
    threads: int,
    seed: int,
    quiet: bool,
) -> list[LoadCase]:
    """Return the trials that are asked for."""
    from ceinms_torch.loads.cases import (  # noqa: PLC0415  keeps --help fast
        case_of_files,
        case_of_run,
        cases_of_calibration,
    )
    from ceinms_torch.model.setup import CalibrationSetup, read_setup  # noqa: PLC0415

    setup = None
    if what[0].suffix.casefold() == ".xml":
        if len(what) > 1:
            raise OptionError(where="loads", expected="one setup file", got=str(len(what)))
        setup = read_setup(what[0])
    is_calibration = isinstance(setup, CalibrationSetup)
    for is_wrong, name, expected in (
        (results and setup is None, "--results", "a setup file"),
        (tests and not is_calibration, "--test", "the setup file of a calibration"),
        (bands and not is_calibration, "--bands", "the setup file of a calibration"),
    ):
        if is_wrong:
            raise OptionError(where=name, expected=expected, got=str(what[0]))
    if bands and len(results) > 1:
        raise OptionError(where="--bands", expected="one --results", got=str(len(results)))
    if setup is None:
        return [case_of_files(what)]
    if not is_calibration:
        return [case_of_run(what[0], results)]
    with ExitStack() as stack:
        progress = stack.enter_context(counted("fitting again", quiet=quiet)) if bands else None
        return cases_of_calibration(
            what[0],
            results or [results_folder(what[0], None)],
            tests=tests,
            bands=bands,
            threads=threads,
            seed=seed,
            progress=progress,
        )


def _with_files(
    case: LoadCase,
    n_case: int,
    motion: Path | None,
    external_loads: Path | None,
    ground_forces: Path | None,
) -> LoadCase:
    """Return a trial with the motion and the external loads that options name."""
    for name, file in (
        ("--motion", motion),
        ("--external-loads", external_loads),
        ("--ground-forces", ground_forces),
    ):
        if file is not None and n_case > 1:
            raise OptionError(
                where=name,
                expected="one trial",
                got=f"{n_case}",
                hint="write <motionFile> and <externalLoadsFile> into each inputData.xml",
            )
    external_loads = external_loads or case.external_loads
    if ground_forces is not None and external_loads is None:
        raise OptionError(
            where="--ground-forces",
            expected="--external-loads, too, which says on what the forces act",
            got="none",
        )
    if external_loads is None:
        note(
            f"trial {case.name}: there are no external loads; that is right if nothing holds the "
            "body but its joint to the ground"
        )
    return dataclasses.replace(
        case,
        motion=motion or case.motion,
        external_loads=external_loads,
        ground_forces=ground_forces,
    )


def _others(text: str | None) -> Others | Storage | None:
    """Return what ``--others`` says."""
    from ceinms_torch.io.storage import read_storage  # noqa: PLC0415

    if text is None or text in _WORDS:
        return _WORDS[text]
    if kind_of(Path(text)) != "file":
        raise OptionError(
            where="--others", expected="silent, optimise, or a storage file", got=repr(text)
        )
    return read_storage(text)


def _draw(folders: list[Path], found: list[JointLoads]) -> None:
    from ceinms_torch.plots.loads import plot_joint_loads  # noqa: PLC0415
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415

    for folder, loads in zip(folders, found, strict=True):
        save_figure(plot_joint_loads(loads), folder, _FIGURE)


def _table(found: list[JointLoads]) -> Table:
    """Return the peaks of every trial and joint."""
    from ceinms_torch.loads.write import muscles_in_words  # noqa: PLC0415

    band = next((one.band for one in found if one.band is not None), None)
    texts = ("trial", "joint", "most of it by [body weights]")
    numbers = ["peak [N]", "peak [body weights]", "at [s]", "without muscles [body weights]"]
    if band is not None:
        name = "range" if band.level == 1.0 else band.percentage
        numbers.insert(2, f"{name} of {found[0].n_set} sets [body weights]")
    table = new_table(f"joint contact forces on the {found[0].on}", texts, tuple(numbers))
    for one in found:
        for peak in one.peaks:
            cells = [f"{peak.force:.0f}", f"{peak.body_weights:.2f}"]
            if band is not None:
                lower, upper = peak.ends or (0.0, 0.0)
                cells.append(f"{lower:.2f} to {upper:.2f}")
            cells += [f"{peak.time:.3f}", f"{peak.without_muscles:.2f}"]
            table.add_row(escape(one.name), escape(peak.joint), muscles_in_words(peak, 2), *cells)
    return table
