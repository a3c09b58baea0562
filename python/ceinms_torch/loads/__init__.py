"""What joints bear: contact forces from muscle forces, by OpenSim's dynamics of the skeleton."""

from ceinms_torch.loads.joint_loads import JointLoads as JointLoads
from ceinms_torch.loads.joint_loads import joint_loads as joint_loads
from ceinms_torch.loads.maps import LoadMaps as LoadMaps
from ceinms_torch.loads.maps import load_maps as load_maps
