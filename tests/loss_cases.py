"""A subject, trials and plans for losses of the user's own."""

import ceinms_torch as ct
from ceinms_torch.calibration.problems.loss import LossProblem
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from engine_cases import make_subject, make_trial

SUBJECT = make_subject(
    [
        {"c1": -0.4},
        {"c1": -0.4, "pennation_angle": 0.1, "optimal_fibre_length": 0.1, "em_delay": 0.0337},
        {"c1": -0.4, "shape_factor": -2.0, "tendon_slack_length": 0.2},
    ]
)
TRIALS = (
    make_trial(SUBJECT, "short", n_step=12),
    make_trial(SUBJECT, "long", n_step=17, phase=1.1, norm_length=1.05, emg_rate=140.0),
)
OTHER = make_trial(SUBJECT, "other", n_step=14, phase=2.0)
STRENGTH = ct.PARAMETER_KINDS.index("strengthCoefficient")
QUICK = ct.AdamW(max_iterations=8, patience=8)
# Every range is passed by some MTU at some time, so that every penalty counts.
NARROW = {"fibre_length_range": (0.97, 1.01), "tendon_strain_range": (0.001, 0.012)}


def make_plan(*kinds, tendon="rosenbrockElastic", n_step=1, **objective):
    step = CalibrationStep(
        dofs=("knee", "ankle"),
        objective=ct.Objective(**objective),
        parameters=tuple(
            ParameterSpec(
                kind=kind,
                scope="single",
                range_type="relativeToSubjectValue",
                low=0.98 if kind == "tendonSlackLength" else 0.8,
                high=1.02 if kind == "tendonSlackLength" else 1.2,
            )
            for kind in kinds
        ),
    )
    return CalibrationPlan(algorithm=QUICK, tendon=ct.Tendon(kind=tendon), steps=(step,) * n_step)


USUAL = ("c1", "optimalFibreLength", "tendonSlackLength", "strengthCoefficient")
PLAN = make_plan(*USUAL, **NARROW)


def as_planned(state):
    return state.objective()


def make_problem(loss, *, engine="fused", plan=PLAN, **options):
    space = ct.ParameterSpace.of(SUBJECT, plan.steps[0], plan)
    return LossProblem(
        SUBJECT,
        TRIALS,
        plan.steps[0],
        space,
        loss,
        tendon="rosenbrockElastic",
        engine=engine,
        **options,
    ), space
