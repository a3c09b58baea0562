"""Calibrate and run EMG-informed neuromusculoskeletal models from CEINMS's own files.

    import ceinms_torch as ct

    folder = ct.CalibrationFolder.read("calibrate.xml")
    result = ct.calibrate(folder)
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
    from ceinms_torch.calibration.identifiability import Identifiability, identifiability
    from ceinms_torch.calibration.loss import LossResult, calibrate_with_loss
    from ceinms_torch.calibration.optimisers.minimise import minimise
    from ceinms_torch.calibration.optimisers.minimum import Minimum
    from ceinms_torch.calibration.parameter_space import ParameterSpace
    from ceinms_torch.calibration.problems.build import build_problem
    from ceinms_torch.calibration.problems.fused import FusedProblem
    from ceinms_torch.calibration.problems.loss import ModelState
    from ceinms_torch.calibration.problems.tensor import TensorProblem
    from ceinms_torch.calibration.result import (
        CalibratedParameter,
        CalibrationResult,
        Iteration,
        Provenance,
    )
    from ceinms_torch.calibration.windowed import WindowedCalibrator, WindowFit
    from ceinms_torch.conversion.rt_subject import read_rt_subject
    from ceinms_torch.errors import (
        CeinmsTorchError,
        CeinmsTorchWarning,
        DataError,
        FileFormatError,
        OptionError,
        Place,
        UnknownNameError,
    )
    from ceinms_torch.excitations.search import ExcitationResult, TrialSearch
    from ceinms_torch.excitations.weights import WeightChoice, choose_weights
    from ceinms_torch.inputs.calibrate import calibrate
    from ceinms_torch.inputs.checks.check import check_folder
    from ceinms_torch.inputs.checks.findings import CheckReport, Finding
    from ceinms_torch.inputs.folder import CalibrationFolder, RunFolder
    from ceinms_torch.io.storage import Storage, read_storage, write_storage
    from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
    from ceinms_torch.model.composites import RangePenalty, TorqueError
    from ceinms_torch.model.excitation_generator import ExcitationGenerator
    from ceinms_torch.model.execution import Execution, Hybrid
    from ceinms_torch.model.input_data import InputData
    from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon
    from ceinms_torch.model.objective import Objective
    from ceinms_torch.model.options import AdamW, Lbfgs, LevenbergMarquardt
    from ceinms_torch.model.parameters import PARAMETER_KINDS, parameter_row
    from ceinms_torch.model.setup import CalibrationSetup, RunSetup
    from ceinms_torch.model.subject import Curve, Dof, Mtu, Subject
    from ceinms_torch.model.synergy_hybrid import SynergyHybrid
    from ceinms_torch.model.trial import Trial
    from ceinms_torch.preoptimisation.muscle_volume import scale_max_isometric_force
    from ceinms_torch.preoptimisation.operating_range import (
        OperatingRange,
        RangeFit,
        preserve_operating_range,
        read_pose_lengths,
    )
    from ceinms_torch.report.html import write_report
    from ceinms_torch.results.read import load_result, load_results
    from ceinms_torch.results.write import save_result
    from ceinms_torch.simulation.batch import trial_batch
    from ceinms_torch.simulation.fit import MomentFit, mean_fit, moment_fit
    from ceinms_torch.simulation.simulate import Simulation, simulate
    from ceinms_torch.simulation.stream import Stream, StreamStep
    from ceinms_torch.simulation.tensors import simulate_tensors
    from ceinms_torch.simulation.time_series import TimeSeries
    from ceinms_torch.simulation.trial_result import TrialResult
    from ceinms_torch.synergies.extraction import Synergies, extract_synergies
    from ceinms_torch.synergies.number import choose_n_synergies
    from ceinms_torch.synergies.recording import Recording
    from ceinms_torch.synergies.result import HybridResult, TrialSynergies
    from ceinms_torch.synergies.synthesise import synthesise_excitations
    from ceinms_torch.synergies.weightings import Weightings

_HOMES = {
    "errors": (
        "CeinmsTorchError",
        "CeinmsTorchWarning",
        "DataError",
        "FileFormatError",
        "OptionError",
        "Place",
        "UnknownNameError",
    ),
    "io.storage": ("Storage", "read_storage", "write_storage"),
    "model.calibration": ("CalibrationPlan", "CalibrationStep", "ParameterSpec"),
    "model.composites": ("RangePenalty", "TorqueError"),
    "model.excitation_generator": ("ExcitationGenerator",),
    "model.execution": ("Execution", "Hybrid"),
    "model.input_data": ("InputData",),
    "model.nms_model": ("SimulatedAnnealing", "Tendon"),
    "model.objective": ("Objective",),
    "model.options": ("AdamW", "Lbfgs", "LevenbergMarquardt"),
    "model.parameters": ("PARAMETER_KINDS", "parameter_row"),
    "conversion.rt_subject": ("read_rt_subject",),
    "model.setup": ("CalibrationSetup", "RunSetup"),
    "model.subject": ("Curve", "Dof", "Mtu", "Subject"),
    "model.synergy_hybrid": ("SynergyHybrid",),
    "model.trial": ("Trial",),
    "simulation.batch": ("trial_batch",),
    "calibration.result": ("CalibratedParameter", "CalibrationResult", "Iteration", "Provenance"),
    "calibration.problems.build": ("build_problem",),
    "calibration.problems.fused": ("FusedProblem",),
    "calibration.problems.tensor": ("TensorProblem",),
    "calibration.loss": ("LossResult", "calibrate_with_loss"),
    "calibration.problems.loss": ("ModelState",),
    "calibration.optimisers.minimise": ("minimise",),
    "calibration.optimisers.minimum": ("Minimum",),
    "excitations.search": ("ExcitationResult", "TrialSearch"),
    "simulation.fit": ("MomentFit", "mean_fit", "moment_fit"),
    "inputs.calibrate": ("calibrate",),
    "inputs.folder": ("CalibrationFolder", "RunFolder"),
    "calibration.identifiability": ("Identifiability", "identifiability"),
    "calibration.parameter_space": ("ParameterSpace",),
    "inputs.checks.check": ("check_folder",),
    "inputs.checks.findings": ("CheckReport", "Finding"),
    "preoptimisation.muscle_volume": ("scale_max_isometric_force",),
    "preoptimisation.operating_range": (
        "OperatingRange",
        "RangeFit",
        "preserve_operating_range",
        "read_pose_lengths",
    ),
    "report.html": ("write_report",),
    "results.read": ("load_result", "load_results"),
    "results.write": ("save_result",),
    "simulation.simulate": ("Simulation", "simulate"),
    "simulation.stream": ("Stream", "StreamStep"),
    "synergies.extraction": ("Synergies", "extract_synergies"),
    "synergies.number": ("choose_n_synergies",),
    "synergies.recording": ("Recording",),
    "synergies.result": ("HybridResult", "TrialSynergies"),
    "synergies.synthesise": ("synthesise_excitations",),
    "synergies.weightings": ("Weightings",),
    "simulation.tensors": ("simulate_tensors",),
    "simulation.time_series": ("TimeSeries",),
    "simulation.trial_result": ("TrialResult",),
    "excitations.weights": ("WeightChoice", "choose_weights"),
    "calibration.windowed": ("WindowFit", "WindowedCalibrator"),
}
_MODULES = ("plots",)
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: PLE0604, RUF100  strings, all of them
    "PARAMETER_KINDS",
    "AdamW",
    "CalibratedParameter",
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
    "Provenance",
    "RangeFit",
    "RangePenalty",
    "Recording",
    "RunFolder",
    "RunSetup",
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
    "TorqueError",
    "Trial",
    "TrialResult",
    "TrialSearch",
    "TrialSynergies",
    "UnknownNameError",
    "WeightChoice",
    "Weightings",
    "WindowFit",
    "WindowedCalibrator",
    "build_problem",
    "calibrate",
    "calibrate_with_loss",
    "check_folder",
    "choose_n_synergies",
    "choose_weights",
    "extract_synergies",
    "identifiability",
    "load_result",
    "load_results",
    "mean_fit",
    "minimise",
    "moment_fit",
    "parameter_row",
    "plots",
    "preserve_operating_range",
    "read_pose_lengths",
    "read_rt_subject",
    "read_storage",
    "save_result",
    "scale_max_isometric_force",
    "simulate",
    "simulate_tensors",
    "synthesise_excitations",
    "trial_batch",
    "write_report",
    "write_storage",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("ceinms-torch")
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
