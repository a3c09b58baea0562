"""What CEINMS documents say, as small frozen objects that can be written back."""

from ceinms_torch.model.excitation_generator import Excitation as Excitation
from ceinms_torch.model.excitation_generator import ExcitationGenerator as ExcitationGenerator
from ceinms_torch.model.execution import Execution as Execution
from ceinms_torch.model.execution import Hybrid as Hybrid
from ceinms_torch.model.input_data import InputData as InputData
from ceinms_torch.model.nms_model import SimulatedAnnealing as SimulatedAnnealing
from ceinms_torch.model.nms_model import Tendon as Tendon
from ceinms_torch.model.parameters import PARAMETER_KINDS as PARAMETER_KINDS
from ceinms_torch.model.setup import CalibrationSetup as CalibrationSetup
from ceinms_torch.model.setup import RunSetup as RunSetup
from ceinms_torch.model.subject import CURVE_NAMES as CURVE_NAMES
from ceinms_torch.model.subject import Curve as Curve
from ceinms_torch.model.subject import Dof as Dof
from ceinms_torch.model.subject import Mtu as Mtu
from ceinms_torch.model.subject import Subject as Subject
from ceinms_torch.model.trial import Trial as Trial
