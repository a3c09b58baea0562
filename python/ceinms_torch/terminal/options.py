"""The options that several commands have: one meaning, one text and one default for each name."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from ceinms_torch.errors import OptionError
from ceinms_torch.plan.options import MethodName

if TYPE_CHECKING:
    from ceinms_torch.simulation.engine import EngineName

_SETUP = "Calibration setup file, as for CEINMScalibrate -S."
Setup = Annotated[Path, typer.Argument(help=_SETUP)]
SetupOfStudy = Annotated[Path | None, typer.Argument(help=_SETUP)]

Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the results; by default where the setup file says, or NAME_results beside "
        "the file NAME.xml that is worked on."
    ),
]
Source = Annotated[
    Path | None,
    typer.Option("--from", help="Folder of earlier results, to draw once more without a setup."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")]
Legacy = Annotated[
    bool,
    typer.Option("--legacy", help="The model of CEINMS 0.9, with any execution and activation."),
]
SubjectFile = Annotated[
    Path | None, typer.Option("--subject", help="Subject file (subject.xml) to simulate with.")
]
Method = Annotated[
    MethodName | None,
    typer.Option(
        help="Levenberg-Marquardt, AdamW, L-BFGS-B, or the annealing and model of CEINMS; by "
        "default what the calibration file asks for, and lm instead of simulated annealing.",
    ),
]
Recommended = Annotated[
    bool,
    typer.Option(
        "--recommended",
        help="Override the files where better is known: smooth curves, C1 and C2 by delay, one "
        "emDelay, wider lengths, a prior, a floor of the variance. Every override is said.",
    ),
]
Methods = Annotated[
    str,
    typer.Option(
        help="Of annealing, adamw, lbfgs, lm, adamw-hybrid and lbfgs-hybrid (with synergies), with "
        "commas between; by default annealing, adamw and lm, the annealing only where the "
        "calibration file has settings for it, and lbfgs-hybrid where it has synergies."
    ),
]
Engines = Annotated[
    str,
    typer.Option(
        help="fused, tensor or both, with a comma between: every method on each that can it, the "
        "tensor engine (LibTorch autograd) adamw and lbfgs."
    ),
]
Synergies = Annotated[
    str | None, typer.Option(metavar="N|auto", help="Number of synergies, or auto to choose it.")
]
Synthesise = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...|all",
        help="MTUs that synergies drive: those named, with commas between, or all without a "
        "recording that act on a DOF of the step. Implies --hybrid.",
    ),
]
Ties = Annotated[
    str | None,
    typer.Option(
        metavar="neighbours|none|MTU:MTU+MTU,...",
        help="Recordings that synthesised excitations are held to, softly: of the MTUs whose "
        "moment arms are most alike (default), none, or as named, such as psoas_r:tfl_r; "
        "psoas_r:mean for the mean of all recordings. Implies --hybrid.",
    ),
]
Starts = Annotated[
    int | None,
    typer.Option(
        min=1, help="Number of starts, the best of which is kept; by default as the command says."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")]
Seeds = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Repeat with the seeds 0 to N - 1.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads; results do not depend on it.")]
Folds = Annotated[
    int | None,
    typer.Option(min=2, help="Folds over trials; one trial is left out at a time by default."),
]
Conditions = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="What in a trial's name is its condition (the first group, else the match); by "
        "default the name without its last part after an underscore, or its last digits.",
    ),
]
# What options of the same name mean in every command, whether they must be given or not.
MODEL = "The scaled OpenSim model (.osim)."
EMG_MAP = "Which channel drives which MTUs (emg.toml)."
FORWARD = (
    "Horizontal axis of a C3D file's laboratory that becomes x, such as y or -x; by default the "
    "first."
)
FEET = (
    "The foot on a plate, such as 1=right; by default what labels, bodies or the markers nearest "
    "to the force say. May be repeated."
)
MASS = "The person's mass, in kg."
BANDS = "95 % bands over parameter sets that fit alike (lm, adamw and lbfgs without synergies)."
DOFS = "DOFs, coordinates of the model, with commas between."
MTUS = "MTUs, with commas between; by default all."
LENGTHS = "MTU lengths over the movement, in m: MuscleAnalysis's _Length.sto."
ARMS = (
    "Moment arms over the movement, in m: MuscleAnalysis's _MomentArm_DOF.sto, or DOF=FILE; once "
    "for every DOF."
)
TENDON = "Tendon model; by default that of the file, or equilibriumElastic of a new folder."
MaximaFile = Annotated[
    Path | None, typer.Option(help="CSV file with what is 1 in EMG: columns channel and maximum.")
]
BandPass = Annotated[
    str, typer.Option(metavar="LOW,HIGH", help="-3 dB points of EMG's band-pass filter, in Hz.")
]
LowPass = Annotated[
    float,
    typer.Option(help="-3 dB point of EMG's low-pass filter, behind rectification, in Hz."),
]
Notch = Annotated[
    float | None,
    typer.Option(help="Take the mains out of EMG: 50 or 60 Hz, and multiples."),
]

OpenSimPython = Annotated[
    Path | None,
    typer.Option(
        metavar="PYTHON",
        help="Interpreter that has the package opensim, such as a conda environment's; by default "
        "the one that CEINMS_TORCH_OPENSIM_PYTHON names, or this one.",
    ),
]
Jobs = Annotated[int, typer.Option(min=1, help="Processes side by side; only times depend on it.")]


AngleUnit = Annotated[
    Literal["degrees", "radians"] | None,
    typer.Option("--angles", help="Unit of the angles, where the file does not say it."),
]


def arms_by_dof(files: list[Path]) -> dict[str, Path]:
    """Return files of moment arms by DOF, which is in their names or stands before the name.

    Parameters
    ----------
    files : list of Path
        Such as ``walk_MomentArm_knee_angle_r.sto``, ``ma_knee_angle_r.sto`` or
        ``knee_angle_r=arms.csv``.

    Returns
    -------
    dict of str to Path

    Raises
    ------
    OptionError
        If a name does not say the DOF, or two files are of one.
    """
    from ceinms_torch.geometry.pose_files import dof_of_file  # noqa: PLC0415  keeps --help fast

    result: dict[str, Path] = {}
    for file in files:
        before, sign, behind = str(file).partition("=")
        path = Path(behind if sign else before)
        dof = before if sign else dof_of_file(path)
        if not dof or dof in result:
            got = f"'{file}'" if not dof else f"two files of {dof}"
            hint = "Write DOF=FILE, such as knee_angle_r=arms.csv"
            raise OptionError(where="--arms", expected="one file of every DOF", got=got, hint=hint)
        result[dof] = path
    return result


def trial_files(patterns: list[Path] | None) -> list[Path]:
    """Return the files that ``--test`` names.

    Parameters
    ----------
    patterns : list of Path or None
        Files, folders with ``inputData.xml`` files anywhere in them, and patterns of both.

    Returns
    -------
    list of Path
        Of each pattern sorted. A file without wildcards may be missing: its reader says so.

    Raises
    ------
    OptionError
        If a folder or a pattern yields no file.
    """
    return [file for pattern in patterns or () for file in _matches(pattern)]


def _matches(pattern: Path) -> list[Path]:
    found = [pattern]
    if not pattern.exists() and glob.has_magic(str(pattern)):
        names = glob.glob(str(pattern), recursive=True)  # noqa: PTH207  takes any pattern
        found = [Path(name) for name in sorted(names)]
    files = [
        file
        for path in found
        for file in (sorted(path.rglob("inputData.xml")) if path.is_dir() else [path])
    ]
    if not files:
        raise OptionError(
            where="--test", expected="at least one inputData.xml", got=f"none in '{pattern}'"
        )
    return files


Test = Annotated[
    list[Path] | None,
    typer.Option(
        callback=trial_files,
        help="inputData.xml of a test trial, a folder with such files, or a pattern in quotes such "
        "as 'trials/*/inputData.xml'; may be repeated.",
    ),
]
Validation = Annotated[
    list[Path] | None,
    typer.Option(
        callback=trial_files,
        help="The same of a trial that nothing is fitted to, and that chooses among starts that "
        "fit alike; may be repeated.",
    ),
]


def synergy_number(text: str | None) -> int | Literal["auto"] | None:
    """Return what ``--synergies`` asks for; another text is an `OptionError`."""
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) == 0:
        raise OptionError(
            where="--synergies", expected="a whole number >= 1, or auto", got=repr(text)
        )
    return int(text)


def synthesised_names(text: str) -> tuple[str, ...] | None:
    """Return the MTUs that ``--synthesise`` names, or None for all; no name is an `OptionError`."""
    names = tuple(words(text))
    if not names:
        raise OptionError(where="--synthesise", expected="names of MTUs, or all", got=repr(text))
    return None if names == ("all",) else names


def stated_ties(text: str) -> tuple[str, ...] | Literal["neighbours", "none"]:
    """Return what ``--ties`` says."""
    if text == "neighbours":
        return "neighbours"
    return "none" if text == "none" else tuple(words(text))


def words(text: str) -> list[str]:
    """Return the words of an option that takes several, with commas or blanks between."""
    return text.replace(",", " ").split()


def engines(text: str) -> tuple[EngineName, ...]:
    """Return the names of engines in a text, whatever they are: `candidates_of` checks them."""
    return cast("tuple[EngineName, ...]", tuple(words(text)))


def given(**values: Any) -> dict[str, Any]:
    """Return what is not None, which is what the user gave, to leave the rest to its default."""
    return {name: value for name, value in values.items() if value is not None}
