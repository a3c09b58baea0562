"""Which muscles are named for a direction that nothing serves."""

import pytest

from ceinms_torch.model.anatomy import missing_actions, serving_muscles


@pytest.mark.parametrize(
    ("dof", "arms", "action", "muscle"),
    [
        ("hip_flexion_r", {"bifemlh_r": -0.05, "rect_fem_r": 0.04}, "flexion", "psoas"),
        ("hip_flexion_l", {"bflh_l": 0.05, "recfem_l": -0.04}, "extension", "gluteus"),
        # gait2392 counts knee flexion negative, Rajagopal's model positive.
        ("knee_angle_r", {"vas_lat_r": 0.04, "semimem_r": -0.04}, "extension", "vasti"),
        ("knee_angle_r", {"vaslat_r": -0.04, "semimem_r": 0.04}, "flexion", "hamstrings"),
        ("ankle_angle_r", {"soleus_r": -0.05}, "dorsiflexion", "tibialis anterior"),
        ("elbow_flexion", {"TRIlong": -0.02, "BIClong": 0.03}, "flexion", "brachialis"),
        ("shoulder_elv", {"DELT1": 0.02, "LAT1": -0.03}, "elevation", "deltoid"),
    ],
)
def test_action_and_muscles(dof, arms, action, muscle):
    found = serving_muscles(dof, arms)
    assert found is not None
    assert found[0] == action
    assert muscle in found[1]
    against = serving_muscles(dof, {name: -arm for name, arm in arms.items()})
    assert against is not None
    assert against[0] != action


@pytest.mark.parametrize(
    ("dof", "arms"), [("hinge", {"back": 0.1}), ("knee", {"m1": 0.1}), ("knee", {})]
)
def test_names_that_say_nothing(dof, arms):
    assert serving_muscles(dof, arms) is None


@pytest.mark.parametrize(
    ("mtus", "dofs", "expected"),
    [
        (
            ("glut_med1_r", "psoas_r"),
            ("hip_flexion_r", "knee_angle_r"),
            {"hip adduction": ("glut_med1_r",)},
        ),
        (("glut_med1_r",), ("hip_flexion_r", "hip_adduction_r"), {}),
        (("peri_r",), ("hip_flexion_r",), {"hip rotation": ("peri_r",)}),
        (("gasmed_r",), ("ankle_angle_r",), {"knee flexion": ("gasmed_r",)}),
        (("gasmed_r",), ("elbow_flexion",), {}),
        (("anything",), ("hip_flexion_r",), {}),
    ],
)
def test_axes_that_no_dof_stands_for(mtus, dofs, expected):
    assert missing_actions(mtus, dofs) == expected
