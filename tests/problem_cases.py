"""Calibration steps on the subjects of engine_cases.py."""

import ceinms_torch as ct
from ceinms_torch.model.parameters import PARAMETER_KINDS

# Some MTU passes every edge at some time.
NARROW = {
    "fibre_length_range": (0.97, 1.01),
    "fibre_length_weight": 90.0,
    "tendon_strain_range": (0.001, 0.012),
    "tendon_strain_weight": 3000.0,
}


# With |c1| or |c2| above 1 the activation filter is not stable, and rounding grows with it.
STABLE = (-0.96, 0.45)


def spec(kind, scope="single"):
    scope = "global" if kind == "percentageChange" else scope
    if kind in ("c1", "c2"):
        return ct.ParameterSpec(kind=kind, scope=scope, low=STABLE[0], high=STABLE[1])
    low, high = (0.98, 1.02) if kind == "tendonSlackLength" else (0.7, 1.4)
    return ct.ParameterSpec(
        kind=kind, scope=scope, range_type="relativeToSubjectValue", low=low, high=high
    )


def make_step(kinds=PARAMETER_KINDS, *, scope="single", dofs=("knee", "ankle"), **objective):
    return ct.CalibrationStep(
        dofs=dofs,
        objective=ct.Objective(**objective),
        parameters=tuple(spec(kind, scope) for kind in kinds),
    )


def space_of(subject, step):
    plan = ct.CalibrationPlan(algorithm=ct.AdamW(), tendon=ct.Tendon(kind="stiff"), steps=(step,))
    return ct.ParameterSpace.of(subject, step, plan)
