"""One calibration of the calibration study, in a process of its own and on file."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.model.trial import Trial
from ceinms_torch.studies.cells import cell_file, write_cell
from ceinms_torch.studies.compare import compare
from ceinms_torch.studies.comparison import Candidate

# A file of an earlier version of this study has another one.
_FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class CalibrationCell:
    """A calibration of the study.

    Parameters
    ----------
    setup : Path
        The calibration setup file.
    tests : tuple of Path
        ``inputData.xml`` of the trials that it does not name.
    calibration, test : tuple of str
        Trials to calibrate on, and to judge on, by name.
    candidate : Candidate
        How it is calibrated.
    max_evaluations : int or None
        Largest budget of the annealing; None for that of its file.
    """

    setup: Path
    tests: tuple[Path, ...]
    calibration: tuple[str, ...]
    test: tuple[str, ...]
    candidate: Candidate
    max_evaluations: int | None

    def file(self, directory: Path, inputs: Mapping[str, str]) -> Path:
        """Return where the result of this calibration is kept.

        Parameters
        ----------
        directory : Path
            Folder of the study.
        inputs : mapping of str to str
            Hashes of all input files: another input is another calibration.

        Returns
        -------
        Path
        """
        key = {**asdict(self), "setup": "", "tests": len(self.tests), "format": _FORMAT}
        one = self.candidate
        name = f"{one.method}_{one.starts}_seed{one.seed}_{len(self.calibration):02d}trials"
        return cell_file(directory, name, key, inputs)

    @property
    def label(self) -> str:
        """What it is, for a progress bar."""
        n_trial = len(self.calibration)
        trials = f"{n_trial} trial{'s' if n_trial > 1 else ''}"
        return f"{self.candidate.label}, seed {self.candidate.seed}, {trials}"


def compute_cell(cell: CalibrationCell, file: Path) -> dict[str, Any]:
    """Calibrate, judge, and keep what came out.

    Parameters
    ----------
    cell : CalibrationCell
        What to do.
    file : Path
        Where to keep it.

    Returns
    -------
    dict
        A comparison of one candidate and its control, see `Comparison.to_dict`.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended it; nothing is kept.
    """
    with warnings.catch_warnings():
        # What is doubtful in the input has been said when the study began.
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        folder, trials = _inputs(cell.setup, cell.tests)
        part = dataclasses.replace(folder, trials=tuple(trials[name] for name in cell.calibration))
        tests = {name: trials[name] for name in cell.test}
        comparison = compare(
            part, [cell.candidate], tests=tests, max_evaluations=cell.max_evaluations
        )
    if not comparison.is_complete:
        raise KeyboardInterrupt
    return write_cell(file, comparison)


@lru_cache(maxsize=1)
def _inputs(setup: Path, tests: tuple[Path, ...]) -> tuple[CalibrationFolder, dict[str, Trial]]:
    folder = CalibrationFolder.read(setup)
    return folder, {trial.name: trial for trial in folder.trials} | folder.read_tests(tests)
