"""One calibration of the calibration study, in a process of its own and on file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ceinms_torch.studies.cells import StudyCell
from ceinms_torch.studies.compare import compare
from ceinms_torch.studies.comparison import Candidate, Comparison


@dataclass(frozen=True, kw_only=True)
class CalibrationCell(StudyCell):
    """A calibration of the study.

    Parameters
    ----------
    setup, tests
        As for `StudyCell`.
    calibration, test : tuple of str
        Trials to calibrate on, and to judge on, by name.
    candidate : Candidate
        How it is calibrated.
    max_evaluations : int or None
        Largest budget of the annealing; None for that of its file.
    """

    calibration: tuple[str, ...]
    test: tuple[str, ...]
    candidate: Candidate
    max_evaluations: int | None

    version: ClassVar[int] = 3

    @property
    def name(self) -> str:
        """What its file is called, for people."""
        one = self.candidate
        words = one.label.replace(", ", "_").replace(" ", "-")
        return f"{words}_seed{one.seed}_{len(self.calibration):02d}trials"

    @property
    def label(self) -> str:
        """What it is, for a progress bar."""
        n_trial = len(self.calibration)
        trials = f"{n_trial} trial{'s' if n_trial > 1 else ''}"
        return f"{self.candidate.label}, seed {self.candidate.seed}, {trials}"

    def compute(self, checkpoint: Path | None = None) -> Comparison:
        """Calibrate, and return a comparison of one candidate and its control."""
        folder, others = self.inputs()
        trials = {trial.name: trial for trial in folder.trials} | others
        comparison = compare(
            dataclasses.replace(folder, trials=tuple(trials[name] for name in self.calibration)),
            [self.candidate],
            tests={name: trials[name] for name in self.test},
            max_evaluations=self.max_evaluations,
            checkpoint=checkpoint,
        )
        if not comparison.is_complete:
            raise KeyboardInterrupt
        return comparison
