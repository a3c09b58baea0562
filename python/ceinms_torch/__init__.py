"""Calibrate and run EMG-informed neuromusculoskeletal models from CEINMS's own files.

    import ceinms_torch as ct

    folder = ct.CalibrationFolder.read("calibrate.xml")
    result = ct.calibrate(folder.subject, folder.trials, folder.plan)
    result.subject.write("subjectCalibrated.xml")
    forces = ct.simulate(result.subject, folder.trials[0]).mtu_force

Names are resolved when first used, so that importing the package costs next to nothing; torch is
loaded by the first calibration and not before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ceinms_torch import plots
    from ceinms_torch.errors import (
        CeinmsTorchError,
        CeinmsTorchWarning,
        DataError,
        FileFormatError,
        OptionError,
    )
    from ceinms_torch.io.storage import Storage, read_storage, write_storage
    from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
    from ceinms_torch.model.excitation_generator import ExcitationGenerator
    from ceinms_torch.model.execution import Execution, Hybrid
    from ceinms_torch.model.input_data import InputData
    from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon
    from ceinms_torch.model.objective import Objective
    from ceinms_torch.model.options import AdamW, Lbfgs, LevenbergMarquardt
    from ceinms_torch.model.parameters import PARAMETER_KINDS
    from ceinms_torch.model.rt_subject import read_rt_subject
    from ceinms_torch.model.setup import CalibrationSetup, RunSetup
    from ceinms_torch.model.subject import Curve, Dof, Mtu, Subject
    from ceinms_torch.model.synergy_hybrid import SynergyHybrid
    from ceinms_torch.model.trial import Trial
    from ceinms_torch.workflows.batch import trial_batch
    from ceinms_torch.workflows.calibrate import build_problem, calibrate
    from ceinms_torch.workflows.calibration_result import CalibrationResult, Iteration
    from ceinms_torch.workflows.engines import FusedProblem, TensorProblem
    from ceinms_torch.workflows.excitations import ExcitationResult, TrialSearch
    from ceinms_torch.workflows.fit import MomentFit, mean_fit, moment_fit
    from ceinms_torch.workflows.folder import CalibrationFolder, RunFolder
    from ceinms_torch.workflows.identifiability import Identifiability, identifiability
    from ceinms_torch.workflows.loss_calibration import LossResult, calibrate_with_loss
    from ceinms_torch.workflows.loss_problem import ModelState
    from ceinms_torch.workflows.minimum import Minimum
    from ceinms_torch.workflows.parameter_space import ParameterSpace
    from ceinms_torch.workflows.preflight.check import check_folder
    from ceinms_torch.workflows.preflight.findings import CheckReport, Finding, Place
    from ceinms_torch.workflows.preoptimisation.muscle_volume import scale_max_isometric_force
    from ceinms_torch.workflows.preoptimisation.operating_range import (
        OperatingRange,
        RangeFit,
        preserve_operating_range,
        read_pose_lengths,
    )
    from ceinms_torch.workflows.result_reading import read_result, read_results
    from ceinms_torch.workflows.saved_result import SavedResult
    from ceinms_torch.workflows.simulate import Simulation, simulate
    from ceinms_torch.workflows.stream import Stream, StreamStep
    from ceinms_torch.workflows.synergies.extraction import Synergies, extract_synergies
    from ceinms_torch.workflows.synergies.hybrid import calibrate_hybrid
    from ceinms_torch.workflows.synergies.number import choose_n_synergies
    from ceinms_torch.workflows.synergies.recording import Recording
    from ceinms_torch.workflows.synergies.result import HybridResult, TrialSynergies
    from ceinms_torch.workflows.synergies.synthesise import synthesise_excitations
    from ceinms_torch.workflows.synergies.weightings import Weightings
    from ceinms_torch.workflows.tensor_simulation import simulate_tensors
    from ceinms_torch.workflows.time_series import TimeSeries
    from ceinms_torch.workflows.weights import WeightChoice, choose_weights
    from ceinms_torch.workflows.windowed import WindowedCalibrator, WindowFit

_HOMES = {
    "errors": (
        "CeinmsTorchError",
        "CeinmsTorchWarning",
        "DataError",
        "FileFormatError",
        "OptionError",
    ),
    "io.storage": ("Storage", "read_storage", "write_storage"),
    "model.calibration": ("CalibrationPlan", "CalibrationStep", "ParameterSpec"),
    "model.excitation_generator": ("ExcitationGenerator",),
    "model.execution": ("Execution", "Hybrid"),
    "model.input_data": ("InputData",),
    "model.nms_model": ("SimulatedAnnealing", "Tendon"),
    "model.objective": ("Objective",),
    "model.options": ("AdamW", "Lbfgs", "LevenbergMarquardt"),
    "model.parameters": ("PARAMETER_KINDS",),
    "model.rt_subject": ("read_rt_subject",),
    "model.setup": ("CalibrationSetup", "RunSetup"),
    "model.subject": ("Curve", "Dof", "Mtu", "Subject"),
    "model.synergy_hybrid": ("SynergyHybrid",),
    "model.trial": ("Trial",),
    "workflows.batch": ("trial_batch",),
    "workflows.calibrate": ("build_problem", "calibrate"),
    "workflows.calibration_result": ("CalibrationResult", "Iteration"),
    "workflows.engines": ("FusedProblem", "TensorProblem"),
    "workflows.loss_calibration": ("LossResult", "calibrate_with_loss"),
    "workflows.loss_problem": ("ModelState",),
    "workflows.minimum": ("Minimum",),
    "workflows.excitations": ("ExcitationResult", "TrialSearch"),
    "workflows.fit": ("MomentFit", "mean_fit", "moment_fit"),
    "workflows.folder": ("CalibrationFolder", "RunFolder"),
    "workflows.identifiability": ("Identifiability", "identifiability"),
    "workflows.parameter_space": ("ParameterSpace",),
    "workflows.preflight.check": ("check_folder",),
    "workflows.preflight.findings": ("CheckReport", "Finding", "Place"),
    "workflows.preoptimisation.muscle_volume": ("scale_max_isometric_force",),
    "workflows.preoptimisation.operating_range": (
        "OperatingRange",
        "RangeFit",
        "preserve_operating_range",
        "read_pose_lengths",
    ),
    "workflows.result_reading": ("read_result", "read_results"),
    "workflows.saved_result": ("SavedResult",),
    "workflows.simulate": ("Simulation", "simulate"),
    "workflows.stream": ("Stream", "StreamStep"),
    "workflows.synergies.extraction": ("Synergies", "extract_synergies"),
    "workflows.synergies.number": ("choose_n_synergies",),
    "workflows.synergies.recording": ("Recording",),
    "workflows.synergies.hybrid": ("calibrate_hybrid",),
    "workflows.synergies.result": ("HybridResult", "TrialSynergies"),
    "workflows.synergies.synthesise": ("synthesise_excitations",),
    "workflows.synergies.weightings": ("Weightings",),
    "workflows.tensor_simulation": ("simulate_tensors",),
    "workflows.time_series": ("TimeSeries",),
    "workflows.weights": ("WeightChoice", "choose_weights"),
    "workflows.windowed": ("WindowFit", "WindowedCalibrator"),
}
_MODULES = ("plots",)
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: PLE0604, RUF100  strings, all of them
    "PARAMETER_KINDS",
    "AdamW",
    "CalibrationFolder",
    "CalibrationPlan",
    "CalibrationResult",
    "CalibrationSetup",
    "CalibrationStep",
    "CeinmsTorchError",
    "CeinmsTorchWarning",
    "CheckReport",
    "Curve",
    "DataError",
    "Dof",
    "ExcitationGenerator",
    "ExcitationResult",
    "Execution",
    "FileFormatError",
    "Finding",
    "FusedProblem",
    "Hybrid",
    "HybridResult",
    "Identifiability",
    "InputData",
    "Iteration",
    "Lbfgs",
    "LevenbergMarquardt",
    "LossResult",
    "Minimum",
    "ModelState",
    "MomentFit",
    "Mtu",
    "Objective",
    "OperatingRange",
    "OptionError",
    "ParameterSpace",
    "ParameterSpec",
    "Place",
    "RangeFit",
    "Recording",
    "RunFolder",
    "RunSetup",
    "SavedResult",
    "SimulatedAnnealing",
    "Simulation",
    "Storage",
    "Stream",
    "StreamStep",
    "Subject",
    "Synergies",
    "SynergyHybrid",
    "Tendon",
    "TensorProblem",
    "TimeSeries",
    "Trial",
    "TrialSearch",
    "TrialSynergies",
    "WeightChoice",
    "Weightings",
    "WindowFit",
    "WindowedCalibrator",
    "build_problem",
    "calibrate",
    "calibrate_hybrid",
    "calibrate_with_loss",
    "check_folder",
    "choose_n_synergies",
    "choose_weights",
    "extract_synergies",
    "identifiability",
    "mean_fit",
    "moment_fit",
    "plots",
    "preserve_operating_range",
    "read_pose_lengths",
    "read_result",
    "read_results",
    "read_rt_subject",
    "read_storage",
    "scale_max_isometric_force",
    "simulate",
    "simulate_tensors",
    "synthesise_excitations",
    "trial_batch",
    "write_storage",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"ceinms_torch.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ceinms_torch' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"ceinms_torch.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
