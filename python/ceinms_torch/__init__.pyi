"""The public names and where they are defined: `__init__.py` reads them here, too."""

from ceinms_torch import plots as plots
from ceinms_torch.bands.uncertainty import (
    subjects_that_fit_alike as subjects_that_fit_alike,
    uncertainty as uncertainty,
)
from ceinms_torch.cohort.run import (
    Cohort as Cohort,
    CohortTable as CohortTable,
    read_cohort as read_cohort,
    run_cohort as run_cohort,
)
from ceinms_torch.cohort.study import CohortStudy as CohortStudy
from ceinms_torch.cohort.task import CohortOptions as CohortOptions
from ceinms_torch.cohort.workers import DaskWorkers as DaskWorkers, SlurmJobs as SlurmJobs
from ceinms_torch.loads.cases import (
    LoadCase as LoadCase,
    case_of_files as case_of_files,
    case_of_run as case_of_run,
    cases_of_calibration as cases_of_calibration,
)
from ceinms_torch.loads.joint_loads import JointLoads as JointLoads, joint_loads as joint_loads
from ceinms_torch.loads.maps import LoadMaps as LoadMaps, load_maps as load_maps
from ceinms_torch.loads.of_case import loads_of_case as loads_of_case
from ceinms_torch.loads.write import save_loads as save_loads
from ceinms_torch.osim.process import OpenSim as OpenSim
from ceinms_torch.calibration.identifiability import (
    Identifiability as Identifiability,
)
from ceinms_torch.calibration.identifiability import (
    identifiability as identifiability,
)
from ceinms_torch.calibration.loss import (
    LossResult as LossResult,
)
from ceinms_torch.calibration.loss import (
    calibrate_with_loss as calibrate_with_loss,
)
from ceinms_torch.calibration.parameter_space import ParameterSpace as ParameterSpace
from ceinms_torch.calibration.problems.build import build_problem as build_problem
from ceinms_torch.calibration.problems.fused import FusedProblem as FusedProblem
from ceinms_torch.calibration.problems.loss import ModelState as ModelState
from ceinms_torch.calibration.problems.tensor import TensorProblem as TensorProblem
from ceinms_torch.calibration.result import (
    CalibratedParameter as CalibratedParameter,
)
from ceinms_torch.calibration.result import (
    CalibrationResult as CalibrationResult,
)
from ceinms_torch.calibration.result import (
    Iteration as Iteration,
)
from ceinms_torch.calibration.result import (
    Provenance as Provenance,
)
from ceinms_torch.calibration.uncertainty import (
    Band as Band,
)
from ceinms_torch.calibration.uncertainty import (
    TrialBands as TrialBands,
)
from ceinms_torch.calibration.uncertainty import (
    Uncertainty as Uncertainty,
)
from ceinms_torch.conversion.rt_subject import read_rt_subject as read_rt_subject
from ceinms_torch.emg.emg_map import EmgMap as EmgMap
from ceinms_torch.emg.emg_quality import (
    ChannelPair as ChannelPair,
)
from ceinms_torch.emg.emg_quality import (
    ChannelQuality as ChannelQuality,
)
from ceinms_torch.emg.emg_quality import (
    EmgDoubt as EmgDoubt,
)
from ceinms_torch.emg.emg_quality import (
    EmgQuality as EmgQuality,
)
from ceinms_torch.emg.emg_quality import (
    emg_quality as emg_quality,
)
from ceinms_torch.emg.emg_timing import check_timing as check_timing
from ceinms_torch.emg.envelopes import (
    EmgProcessing as EmgProcessing,
)
from ceinms_torch.emg.envelopes import (
    Envelopes as Envelopes,
)
from ceinms_torch.emg.envelopes import (
    envelopes as envelopes,
)
from ceinms_torch.emg.envelopes import (
    greatest_of as greatest_of,
)
from ceinms_torch.emg.envelopes import (
    normalised as normalised,
)
from ceinms_torch.emg.process import (
    EmgResult as EmgResult,
)
from ceinms_torch.emg.process import (
    process_emg as process_emg,
)
from ceinms_torch.emg.process import (
    read_maxima as read_maxima,
)
from ceinms_torch.emg.raw_emg import RawEmg as RawEmg
from ceinms_torch.emg.raw_emg import read_raw_emg as read_raw_emg
from ceinms_torch.emg.suggested_map import (
    SuggestedMap as SuggestedMap,
)
from ceinms_torch.emg.suggested_map import (
    suggest_map as suggest_map,
)
from ceinms_torch.errors import (
    CeinmsTorchError as CeinmsTorchError,
)
from ceinms_torch.errors import (
    CeinmsTorchWarning as CeinmsTorchWarning,
)
from ceinms_torch.errors import (
    DataError as DataError,
)
from ceinms_torch.errors import (
    FileFormatError as FileFormatError,
)
from ceinms_torch.errors import (
    OptionError as OptionError,
)
from ceinms_torch.errors import (
    Place as Place,
)
from ceinms_torch.errors import (
    UnknownNameError as UnknownNameError,
)
from ceinms_torch.excitations.search import (
    ExcitationResult as ExcitationResult,
)
from ceinms_torch.excitations.search import (
    TrialSearch as TrialSearch,
)
from ceinms_torch.excitations.weights import (
    WeightChoice as WeightChoice,
)
from ceinms_torch.excitations.weights import (
    choose_weights as choose_weights,
)
from ceinms_torch.geometry.contradictions import check_moment_arms as check_moment_arms
from ceinms_torch.geometry.coordinates import (
    Coordinates as Coordinates,
)
from ceinms_torch.geometry.coordinates import (
    read_coordinates as read_coordinates,
)
from ceinms_torch.geometry.fit import (
    PathFit as PathFit,
)
from ceinms_torch.geometry.fit import (
    fit_paths as fit_paths,
)
from ceinms_torch.geometry.fit import (
    path_errors as path_errors,
)
from ceinms_torch.geometry.path_files import read_paths as read_paths
from ceinms_torch.geometry.path_files import write_paths as write_paths
from ceinms_torch.geometry.path_set import (
    PathSet as PathSet,
)
from ceinms_torch.geometry.path_set import (
    PolynomialPath as PolynomialPath,
)
from ceinms_torch.geometry.pose_files import read_samples as read_samples
from ceinms_torch.geometry.samples import PoseSamples as PoseSamples
from ceinms_torch.inputs.calibrate import calibrate as calibrate
from ceinms_torch.inputs.checks.check import check_folder as check_folder
from ceinms_torch.inputs.checks.findings import CheckReport as CheckReport
from ceinms_torch.inputs.checks.findings import Finding as Finding
from ceinms_torch.inputs.folder import (
    CalibrationFolder as CalibrationFolder,
)
from ceinms_torch.inputs.folder import (
    RunFolder as RunFolder,
)
from ceinms_torch.io.storage import (
    Storage as Storage,
)
from ceinms_torch.io.storage import (
    read_storage as read_storage,
)
from ceinms_torch.io.storage import (
    write_storage as write_storage,
)
from ceinms_torch.model.excitation_generator import ExcitationGenerator as ExcitationGenerator
from ceinms_torch.model.execution import Execution as Execution
from ceinms_torch.model.execution import Hybrid as Hybrid
from ceinms_torch.model.input_data import InputData as InputData
from ceinms_torch.model.nms_model import SimulatedAnnealing as SimulatedAnnealing
from ceinms_torch.model.nms_model import Tendon as Tendon
from ceinms_torch.model.parameters import (
    PARAMETER_KINDS as PARAMETER_KINDS,
)
from ceinms_torch.model.parameters import (
    parameter_row as parameter_row,
)
from ceinms_torch.model.setup import CalibrationSetup as CalibrationSetup
from ceinms_torch.model.setup import RunSetup as RunSetup
from ceinms_torch.model.subject import Curve as Curve
from ceinms_torch.model.subject import Dof as Dof
from ceinms_torch.model.subject import Mtu as Mtu
from ceinms_torch.model.subject import Subject as Subject
from ceinms_torch.model.trial import Trial as Trial
from ceinms_torch.optimisers.minimise import minimise as minimise
from ceinms_torch.optimisers.minimum import Minimum as Minimum
from ceinms_torch.osim.model_file import OsimModel as OsimModel
from ceinms_torch.osim.model_file import read_model as read_model
from ceinms_torch.osim.process import OpenSim as OpenSim
from ceinms_torch.plan.calibration import (
    CalibrationPlan as CalibrationPlan,
)
from ceinms_torch.plan.calibration import (
    CalibrationStep as CalibrationStep,
)
from ceinms_torch.plan.calibration import (
    ParameterSpec as ParameterSpec,
)
from ceinms_torch.plan.calibration import (
    activation_delay_parameters as activation_delay_parameters,
)
from ceinms_torch.plan.composites import RangePenalty as RangePenalty
from ceinms_torch.plan.composites import TorqueError as TorqueError
from ceinms_torch.plan.objective import Objective as Objective
from ceinms_torch.plan.options import (
    AdamW as AdamW,
)
from ceinms_torch.plan.options import (
    Lbfgs as Lbfgs,
)
from ceinms_torch.plan.options import (
    LevenbergMarquardt as LevenbergMarquardt,
)
from ceinms_torch.plan.override import Override as Override
from ceinms_torch.plan.prior import Prior as Prior
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid as SynergyHybrid
from ceinms_torch.preoptimisation.muscle_volume import (
    scale_max_isometric_force as scale_max_isometric_force,
)
from ceinms_torch.preoptimisation.operating_range import (
    OperatingRange as OperatingRange,
)
from ceinms_torch.preoptimisation.operating_range import (
    RangeFit as RangeFit,
)
from ceinms_torch.preoptimisation.operating_range import (
    preserve_operating_range as preserve_operating_range,
)
from ceinms_torch.preoptimisation.operating_range import (
    read_pose_lengths as read_pose_lengths,
)
from ceinms_torch.realtime.windowed import (
    WindowedCalibrator as WindowedCalibrator,
)
from ceinms_torch.realtime.windowed import (
    WindowFit as WindowFit,
)
from ceinms_torch.recordings.filters import butterworth as butterworth
from ceinms_torch.recordings.c3d import (
    Analogs as Analogs,
    C3d as C3d,
    Event as Event,
    read_c3d as read_c3d,
)
from ceinms_torch.recordings.contacts import (
    Contact as Contact,
    ContactOptions as ContactOptions,
    Contacts as Contacts,
    Doubt as Doubt,
    find_contacts as find_contacts,
)
from ceinms_torch.recordings.cycles import Cycle as Cycle, PeakOptions as PeakOptions
from ceinms_torch.recordings.ground_force_files import (
    read_ground_forces as read_ground_forces,
    write_ground_forces as write_ground_forces,
)
from ceinms_torch.recordings.ground_forces import (
    GroundForces as GroundForces,
    PlateForces as PlateForces,
)
from ceinms_torch.recordings.segmentation import (
    Segmentation as Segmentation,
    segment_events as segment_events,
    segment_forces as segment_forces,
    segment_peaks as segment_peaks,
)
from ceinms_torch.recordings.trc import (
    Markers as Markers,
    read_trc as read_trc,
    write_trc as write_trc,
)
from ceinms_torch.report.html import write_report as write_report
from ceinms_torch.results.emg import save_emg as save_emg
from ceinms_torch.results.read import load_result as load_result
from ceinms_torch.results.read import load_results as load_results
from ceinms_torch.results.write import save_result as save_result
from ceinms_torch.simulation.batch import trial_batch as trial_batch
from ceinms_torch.simulation.fit import (
    MomentFit as MomentFit,
)
from ceinms_torch.simulation.fit import (
    mean_fit as mean_fit,
)
from ceinms_torch.simulation.fit import (
    moment_fit as moment_fit,
)
from ceinms_torch.simulation.simulate import Simulation as Simulation
from ceinms_torch.simulation.simulate import simulate as simulate
from ceinms_torch.simulation.smooth_curves import with_curves as with_curves
from ceinms_torch.simulation.stream import Stream as Stream
from ceinms_torch.simulation.stream import StreamStep as StreamStep
from ceinms_torch.simulation.tensors import simulate_tensors as simulate_tensors
from ceinms_torch.simulation.time_series import TimeSeries as TimeSeries
from ceinms_torch.simulation.trial_result import TrialResult as TrialResult
from ceinms_torch.study_folder.emg import EmgSettings as EmgSettings
from ceinms_torch.study_folder.study import (
    Study as Study,
)
from ceinms_torch.study_folder.study import (
    StudySettings as StudySettings,
)
from ceinms_torch.study_folder.study import (
    new_study as new_study,
)
from ceinms_torch.synergies.extraction import (
    Synergies as Synergies,
)
from ceinms_torch.synergies.extraction import (
    extract_synergies as extract_synergies,
)
from ceinms_torch.synergies.number import choose_n_synergies as choose_n_synergies
from ceinms_torch.synergies.recording import Recording as Recording
from ceinms_torch.synergies.result import HybridResult as HybridResult
from ceinms_torch.synergies.synthesise import synthesise_excitations as synthesise_excitations
from ceinms_torch.synergies.trial_synergies import TrialSynergies as TrialSynergies
from ceinms_torch.synergies.weightings import Weightings as Weightings

__version__: str
