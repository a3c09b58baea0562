"""What is calibrated, how and against what: what ``calibration.xml`` says."""

from ceinms_torch.plan.calibration import CalibrationPlan as CalibrationPlan
from ceinms_torch.plan.calibration import CalibrationStep as CalibrationStep
from ceinms_torch.plan.calibration import ParameterSpec as ParameterSpec
from ceinms_torch.plan.objective import Objective as Objective
from ceinms_torch.plan.options import AdamW as AdamW
