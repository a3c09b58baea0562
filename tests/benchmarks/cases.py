"""What the Python benchmarks calibrate."""

import dataclasses
import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import ceinms_torch as ct
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.build import build_problem

REPOSITORY = Path(__file__).resolve().parents[2]
_SHARED = Path(os.environ.get("CEINMS_TORCH_SHARED", REPOSITORY.parent / "shared"))
_LOWER_LIMB = _SHARED / "data" / "lower_limb" / "ceinms"
_SETUP_FILES = {
    "gait": REPOSITORY / "subjects" / "gait" / "calibrate.xml",
    "lower_limb": _LOWER_LIMB / "calibrate_elastic.xml",
}
SUBJECTS = tuple(_SETUP_FILES)

# The final objective of CEINMS 0.9 on the lower limb data, elastic tendon (204.7 s there).
CEINMS_OBJECTIVE = {"lower_limb": 3.4645}

_TESTS = {
    "gait": [
        REPOSITORY / "subjects" / "gait" / "trials" / name / "inputData.xml"
        for name in ("walk_115",)
    ],
    "lower_limb": [
        _LOWER_LIMB / "trials" / f"{speed}_{number}" / "inputData.xml"
        for number in ("c02", "c08")
        for speed in ("walk36", "walk45", "run81")
    ],
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A calibration, read."""

    name: str
    folder: ct.CalibrationFolder
    space: ParameterSpace

    def problem(self, *, engine="fused", threads=1, trials=None):
        """Return the first calibration step as an optimiser sees it."""
        return build_problem(
            self.folder.subject,
            self.folder.trials if trials is None else trials,
            self.folder.plan.steps[0],
            self.space,
            tendon="rosenbrockElastic",
            engine=engine,
            threads=threads,
        )

    def repeated_trials(self, number):
        """Return the calibration trials again and again, ``number`` in all."""
        given = self.folder.trials
        return [
            dataclasses.replace(given[i % len(given)], name=f"trial {i}") for i in range(number)
        ]

    def test_rmse(self, subject):
        """Return the RMSE of each DOF [N m], averaged over trials that were not calibrated on."""
        trials = [self.folder.read_trial(path) for path in _TESTS[self.name]]
        fits = [
            ct.moment_fit(t, ct.simulate(subject, t, tendon="rosenbrockElastic")) for t in trials
        ]
        return {dof: float(np.mean([fit[dof].rmse for fit in fits])) for dof in fits[0]}


@functools.cache
def read_case(name):
    """Return a case, or None where its data are not on this machine."""
    path = _SETUP_FILES[name]
    if not path.is_file():
        return None
    folder = ct.CalibrationFolder.read(path)
    space = ParameterSpace.of(folder.subject, folder.plan.steps[0], folder.plan)
    return Case(name=name, folder=folder, space=space)
