"""The programs ``CEINMS`` and ``CEINMScalibrate``: the command lines of the originals.

They run CEINMS 0.9's own model, number for number, and write its files (reference A.2, B, D, E).
Labs start them thousands of times from scripts, so that they do without the libraries that draw
tables and parse options: a start must cost no more than the work.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from ceinms_torch.errors import told_warnings
from ceinms_torch.io.paths import check_is_no_folder, check_overwrites_none, check_writable
from ceinms_torch.terminal.failures import INTERRUPTED, as_process, status_of
from ceinms_torch.terminal.streams import complain, say

if TYPE_CHECKING:
    from ceinms_torch.calibration.result import CalibrationResult, Iteration
    from ceinms_torch.inputs.folder import CalibrationFolder, RunFolder

SUCCESS = 0
WRONG_USAGE = 255  # -1 to the original's shell

HELP = ("-help", "-h", "-Help", "-H", "-usage", "-u", "-Usage", "-U")
SETUP = ("-S", "-Setup")
TEMPLATE = ("-PS", "-PrintSetup")

_USAGE = """
{name}: {purpose}

Option            Argument          Action / Notes
------            --------          --------------
-Help, -H                           Print the command-line options for {name}.
-PrintSetup, -PS                    Write a template setup file, {template}.
-Setup, -S        SetupFileName     Specify an xml setup file, or several.
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One of the two programs.

    Parameters
    ----------
    name : str
        As users type it.
    purpose : str
        What it does, for the usage.
    template : str
        Name of the setup file that ``-PrintSetup`` writes.
    write_template : callable
        Writes it.
    run : callable
        Does the work of a setup file and returns the exit status.
    """

    name: str
    purpose: str
    template: str
    write_template: Callable[[str], None]
    run: Callable[[Path], int]

    def main(self, arguments: Sequence[str]) -> int:
        """Do what a command line asks for.

        Parameters
        ----------
        arguments : sequence of str
            Without the name of the program. As in the originals, the first one decides.

        Returns
        -------
        int
            Exit status: 0, 1 for an error in the input, 130 after Ctrl-C, 255 for wrong usage. Of
        several setup files each is run, and the first failure counts.
        """
        return status_of(lambda: self._obey(arguments), complain)

    def run_as_process(self) -> int:
        """Do what the command line of this process asks for, and return the exit status."""
        return as_process(lambda: self._obey(sys.argv[1:]), complain)

    def _obey(self, arguments: Sequence[str]) -> int:
        option = arguments[0] if arguments else HELP[0]
        if option in HELP:
            return self._usage(SUCCESS)
        if option in TEMPLATE:
            self.write_template(self.template)
            say(f"Wrote template setup file to {self.template}")
            return SUCCESS
        if option not in SETUP:
            complain(f"unrecognized option {option}")
            return self._usage(WRONG_USAGE)
        if len(arguments) < 2:
            complain("no setup file specified")
            return self._usage(WRONG_USAGE)
        # As in the originals, another option ends them, and is ignored.
        return self._run_all([arguments[1], *takewhile(_is_no_option, arguments[2:])])

    def _run_all(self, setups: Sequence[str]) -> int:
        """Run setup files as if each had a process of its own; the first failure is the status."""
        status = SUCCESS
        for setup in setups:
            own = status_of(partial(self._run_and_warn, Path(setup)), complain)
            status = status or own
            if own >= INTERRUPTED:  # the user wants no more of them
                break
        return status

    def _run_and_warn(self, setup: Path) -> int:
        with told_warnings(partial(complain, kind="warning")):
            return self.run(setup)

    def _usage(self, status: int) -> int:
        usage = _USAGE.format(name=self.name, purpose=self.purpose, template=self.template)
        say(usage.rstrip("\n"))
        return status


def _is_no_option(argument: str) -> bool:
    return not argument.startswith("-")


# ---- CEINMS -----------------------------------------------------------------------------


def _write_run_template(path: str) -> None:
    from ceinms_torch.model.setup import RunSetup  # noqa: PLC0415  the usage needs no libraries

    RunSetup(
        subject_file=Path("subject.xml"),
        input_data_file=Path("inputData.xml"),
        execution_file=Path("execution.xml"),
        excitation_generator_file=Path("excitationGenerator.xml"),
        output_directory=Path("Output"),
    ).write(path)


def _run(setup: Path) -> int:
    from ceinms_torch.inputs.folder import RunFolder  # noqa: PLC0415
    from ceinms_torch.inputs.outputs import run_outputs  # noqa: PLC0415
    from ceinms_torch.results.legacy import write_legacy  # noqa: PLC0415
    from ceinms_torch.simulation.legacy.run import run_legacy  # noqa: PLC0415

    folder = RunFolder.read(setup, legacy=True)
    directory = folder.setup.output_directory
    hint = "name another <outputDirectory> in the setup file"
    check_writable(directory, hint)
    hybrid = folder.execution.hybrid is not None
    outputs = run_outputs(directory, legacy=True, hybrid=hybrid)
    check_overwrites_none(outputs, folder.files(), hint)
    _say_dialect(folder)
    say(_what_is_run(folder))
    write_legacy(run_legacy(folder.subject, folder.trial, folder.execution), directory)
    say(f"Results: {directory}")
    return SUCCESS


def _say_dialect(folder: RunFolder | CalibrationFolder) -> None:
    if not folder.dialect.is_plain:
        say(f"Files of {folder.dialect}")


def _what_is_run(folder: RunFolder) -> str:
    execution, trial = folder.execution, folder.trial
    hybrid = execution.hybrid
    how = "open loop"
    if hybrid is not None:
        how = (
            f"{len(hybrid.adjust_mtus)} excitations adjusted, {len(hybrid.synth_mtus)} synthesised"
        )
    return (
        f"Trial {trial.name}: {len(trial.time)} frames, {len(trial.mtu_names)} MTUs, "
        f"{len(trial.dof_names)} DOFs; {how}, {execution.tendon.kind} tendon, "
        f"{execution.activation} activation, {'online' if execution.is_online else 'offline'}"
    )


# ---- CEINMScalibrate --------------------------------------------------------------------


def _write_calibration_template(path: str) -> None:
    from ceinms_torch.model.setup import CalibrationSetup  # noqa: PLC0415  as above

    CalibrationSetup(
        subject_file=Path("subjectUncalibrated.xml"),
        excitation_generator_file=Path("excitationGenerator.xml"),
        calibration_file=Path("calibration.xml"),
        output_subject_file=Path("subjectCalibrated.xml"),
    ).write(path)


def _calibrate(setup: Path) -> int:
    from ceinms_torch.inputs.calibrate import calibrate  # noqa: PLC0415
    from ceinms_torch.inputs.folder import CalibrationFolder  # noqa: PLC0415

    folder = CalibrationFolder.read(setup, legacy=True)
    subject_file = folder.setup.output_subject_file
    check_is_no_folder(subject_file)
    hint = "name another <outputSubjectFile> in the setup file"
    check_overwrites_none([subject_file], (one.path for one in folder.sources() if one.path), hint)
    check_writable(subject_file.parent, hint)
    _say_dialect(folder)
    say(_what_is_calibrated(folder))
    begin = time.perf_counter()
    result = calibrate(
        folder,
        method="annealing",
        threads=min(len(folder.trials), os.cpu_count() or 1),
        callback=_tell_temperature,
    )
    milliseconds = round(1000.0 * (time.perf_counter() - begin))
    result.subject.write(
        subject_file, calibrated_from=folder.subject.path, calibration_file=folder.plan.path
    )
    _tell_result(result)
    say(f"Calibration time: {milliseconds}ms")
    say(f"Calibrated subject: {subject_file}")
    if result.status == "interrupted":
        complain("interrupted; the best parameters found so far are in the calibrated subject")
        return INTERRUPTED
    return SUCCESS


def _what_is_calibrated(folder: CalibrationFolder) -> str:
    plan = folder.plan
    counts = f"Trials: {len(folder.trials)}; MTUs: {len(folder.subject.mtus)}"
    model = f"{plan.tendon.kind} tendon, {plan.activation} activation"
    return f"{counts}; steps: {len(plan.steps)}; {model}"


def _tell_temperature(item: Iteration) -> None:
    say(
        f"step {item.step + 1}, temperature {item.iteration}: {item.evaluations} evaluations, "
        f"fOpt_ = {item.objective:g}"
    )


def _tell_result(result: CalibrationResult) -> None:
    """Say in the original's words whether each step converged, and where."""
    for step in result.steps:
        say("Return true!" if step.status == "converged" else "Return false")
        say(f"fOpt_ = {step.objective:g}")


# ---- The programs -----------------------------------------------------------------------

CEINMS = Program(
    name="CEINMS",
    purpose="run the model of CEINMS 0.9 on one trial.",
    template="defaultCeinmsSetupFile.xml",
    write_template=_write_run_template,
    run=_run,
)
CEINMS_CALIBRATE = Program(
    name="CEINMScalibrate",
    purpose="calibrate a subject as CEINMS 0.9 does.",
    template="defaultCeinmsCalibrationSetupFile.xml",
    write_template=_write_calibration_template,
    run=_calibrate,
)
