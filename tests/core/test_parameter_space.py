"""Which numbers a calibration step changes, from where and within which bounds."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.fused import FusedProblem
from ceinms_torch.calibration.problems.tensor import TensorProblem
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.plan.options import AdamW
from engine_cases import make_subject, make_trial
from helpers import DOF_MTUS, MTU_NAMES, edit, line_with

# mtu0..mtu4; all on the knee, 0, 2 and 4 on the ankle.
SUBJECT = make_subject(
    [
        {"c1": -0.5, "c2": -0.5, "strength_coefficient": 1.0},
        {"c1": -0.5, "c2": -0.4, "strength_coefficient": 1.1},
        {"c1": -0.3, "c2": -0.3, "strength_coefficient": 1.2},
        {"c1": -0.2, "c2": -0.7, "strength_coefficient": 1.3},
        {"c1": -0.9, "c2": -0.9, "strength_coefficient": 1.4},
    ]
)
STRENGTHS = PARAMETER_KINDS.index("strengthCoefficient")


def space_of(*specs, dofs=("knee",), subject=SUBJECT):
    step = CalibrationStep(dofs=dofs, parameters=specs)
    plan = CalibrationPlan(algorithm=AdamW(), tendon=Tendon(kind="stiff"), steps=(step,))
    return ParameterSpace.of(subject, step, plan)


def spec(kind, low, high, **changes):
    return ParameterSpec(kind=kind, low=low, high=high, **changes)


def relative(kind, low, high, **changes):
    return spec(kind, low, high, range_type="relativeToSubjectValue", **changes)


def members(space):
    return [(component.kind, *component.mtu_names) for component in space.components]


def test_kinds_come_in_the_order_of_ceinms_and_not_of_the_file():
    specs = [relative(kind, 0.5, 1.5, scope="global") for kind in reversed(PARAMETER_KINDS)]
    space = space_of(*specs)
    assert [component.kind for component in space.components] == list(PARAMETER_KINDS)


def test_single_without_a_list_is_every_mtu_on_the_dofs():
    space = space_of(spec("strengthCoefficient", 0.5, 2.5), dofs=("ankle",))
    assert members(space) == [("strengthCoefficient", f"mtu{i}") for i in (0, 2, 4)]


def test_single_with_a_list_is_the_list_whatever_the_dofs():
    space = space_of(
        spec("strengthCoefficient", 0.5, 2.5, groups=(("mtu3",), ("mtu0",))), dofs=("ankle",)
    )
    assert members(space) == [("strengthCoefficient", "mtu3"), ("strengthCoefficient", "mtu0")]


def test_global_is_one_value_for_all_mtus_on_the_dofs():
    space = space_of(spec("shapeFactor", -3.0, -0.1, scope="global"), dofs=("ankle",))
    assert members(space) == [("shapeFactor", "mtu0", "mtu2", "mtu4")]
    changed = space.subject_at(np.array([1.0]))
    assert [mtu.shape_factor for mtu in changed.mtus] == [-0.1, -1.1, -0.1, -1.1, -0.1]


def test_group_is_one_value_that_starts_from_its_first_member():
    groups = (("mtu3", "mtu1"), ("mtu0",))
    space = space_of(spec("strengthCoefficient", 0.5, 2.5, scope="muscleGroups", groups=groups))
    assert [component.start for component in space.components] == [1.3, 1.0]
    np.testing.assert_allclose(space.start(), [0.4, 0.25], rtol=1e-15)
    started = space.subject_at(space.start()).parameters()[STRENGTHS]
    np.testing.assert_allclose(started, [1.0, 1.3, 1.2, 1.3, 1.4], rtol=1e-15)


def test_relative_bounds_are_factors_on_the_first_member():
    groups = (("mtu3", "mtu1"),)
    space = space_of(relative("strengthCoefficient", 0.5, 2.0, scope="muscleGroups", groups=groups))
    assert (space.lower.item(), space.upper.item()) == (0.65, 2.6)


def test_relative_bounds_of_a_negative_value_are_turned_round():
    space = space_of(relative("shapeFactor", 0.5, 1.5, scope="global"))
    np.testing.assert_allclose([space.lower, space.upper], [[-1.65], [-0.55]], rtol=1e-15)
    np.testing.assert_allclose(space.start(), [0.5], rtol=1e-15)


def test_mtu_in_two_groups_belongs_to_the_later():
    groups = (("mtu0", "mtu1"), ("mtu1", "mtu2"))
    space = space_of(spec("strengthCoefficient", 0.5, 2.5, scope="muscleGroups", groups=groups))
    got = space.subject_at(np.array([0.0, 1.0])).parameters()[STRENGTHS]
    np.testing.assert_array_equal(got, [0.5, 2.5, 2.5, 1.3, 1.4])


def test_what_is_written_is_what_both_engines_score():
    """Bit for bit, and the derivatives are the widths."""
    groups = (("mtu0", "mtu1"), ("mtu1", "mtu2"))
    specs = (
        relative("c1", 0.9, 1.1),
        relative("tendonSlackLength", 0.99, 1.03),
        spec("strengthCoefficient", 0.5, 2.5, scope="muscleGroups", groups=groups),
        relative("percentageChange", 0.5, 1.5, scope="global"),
    )
    step = CalibrationStep(dofs=("knee",), parameters=specs)
    space = space_of(*specs)
    trial = make_trial(SUBJECT, "trial", n_step=5)
    fused = FusedProblem(SUBJECT, [trial], step, space, tendon="stiff")
    tensor = TensorProblem(SUBJECT, [trial], step, space, tendon="stiff", device="cpu")
    for seed in range(20):
        (x,) = space.starts(1, seed, random=True)
        variable = torch.tensor(x, requires_grad=True)
        got = tensor.core.parameters(variable)
        written = space.subject_at(x)
        np.testing.assert_array_equal(got.detach().numpy(), written.parameters())
        (slope,) = torch.autograd.grad(got.sum(), variable)
        _, component = space.slots()
        n_slot = np.bincount(component, minlength=len(x))
        np.testing.assert_allclose(slope.numpy(), n_slot * (space.upper - space.lower), rtol=1e-14)
        # The fused engine with nothing to change scores the written subject alike.
        nothing = dataclasses.replace(space, subject=written, components=())
        again = FusedProblem(written, [trial], step, nothing, tendon="stiff")
        assert fused.core.evaluate(x).objective == again.core.evaluate(np.zeros(0)).objective


@pytest.mark.parametrize("bound", [0.0, 1.0])
def test_bounds_are_exact(bound):
    space = space_of(relative("tendonSlackLength", 0.9, 1.1), spec("shapeFactor", -3.0, -0.1))
    exact = space.upper if bound else space.lower
    np.testing.assert_array_equal(space.values(np.full(len(exact), bound)), exact)


def test_what_is_not_calibrated_keeps_its_value():
    space = space_of(spec("damping", 0.0, 0.2, groups=(("mtu1",),)))
    before, after = SUBJECT.parameters(), space.subject_at(np.array([0.25])).parameters()
    changed = np.argwhere(before != after).tolist()
    assert changed == [[PARAMETER_KINDS.index("damping"), 1]]
    assert after[tuple(changed[0])] == 0.05


# ---- start values


def test_starts_outside_their_range_are_one_warning_with_file_line_and_all_mtus(tiny_folder):
    path = tiny_folder / "calibration.xml"
    edit(path, "<range>-0.95 -0.05</range>", "<range>-0.55 -0.05</range>")
    plan = CalibrationPlan.read(path)
    subject = Subject.read(tiny_folder / "subject.xml")
    with pytest.warns(CeinmsTorchWarning) as warned:
        space = ParameterSpace.of(subject, plan.steps[0], plan)
    (message,) = (str(one.message) for one in warned)
    assert message == (
        f"{path}:{line_with(path, '<range>')}: <range> of c1: Start values outside -0.55 to "
        f"-0.05: {', '.join(MTU_NAMES)} (-0.6). The calibration begins at the nearest value inside."
    )
    assert space.doubts == (message,)
    begun = {one.start for one in space.components if one.kind == "c1"}
    assert begun == {-0.55}


HUNDREDTHS = st.integers(-99, 99).map(lambda value: value / 100.0)


@given(
    starts=st.lists(HUNDREDTHS, min_size=1, max_size=6),
    ends=st.tuples(HUNDREDTHS, HUNDREDTHS),
    scope=st.sampled_from(["single", "global", "muscleGroups"]),
    leave=st.booleans(),
)
def test_search_begins_at_the_nearest_value_inside(starts, ends, scope, leave):
    subject = make_subject([{"c1": start} for start in starts])
    low, high = sorted(ends)
    names = subject.mtu_names
    groups = {"muscleGroups": (names[::2], names[1::2]), "single": (), "global": ()}[scope]
    groups = tuple(group for group in groups if group)
    step = CalibrationStep(
        dofs=("knee",), parameters=(spec("c1", low, high, scope=scope, groups=groups),)
    )
    plan = CalibrationPlan(algorithm=AdamW(), tendon=Tendon(kind="stiff"), steps=(step,))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        space = ParameterSpace.of(subject, step, plan, check_start=not leave)
    own = [subject.mtus[subject.mtu_index(one.mtu_names[0])].c1 for one in space.components]
    begun = [one.start for one in space.components]
    assert begun == (own if leave else [min(max(one, low), high) for one in own])
    moved = [
        name
        for one, value in zip(space.components, own, strict=True)
        for name in one.mtu_names
        if not (low <= value <= high or leave)
    ]
    said = [str(one.message) for one in caught]
    assert len(said) == bool(moved)
    assert all(name in said[0] for name in moved)
    assert space.doubts == tuple(said)


@pytest.mark.parametrize(("low", "high"), [(1.0, 2.0), (0.5, 1.0)])
def test_start_at_a_bound_is_within_the_range(low, high):
    space = space_of(spec("strengthCoefficient", low, high, groups=(("mtu0",),)))
    assert space.start().item() in (0.0, 1.0)


def test_start_may_miss_its_bound_by_rounding_only():
    value = SUBJECT.mtus[1].strength_coefficient
    kept = space_of(spec("strengthCoefficient", value * (1.0 + 1e-12), 2.0, groups=(("mtu1",),)))
    assert kept.start().item() == 0.0
    with pytest.warns(CeinmsTorchWarning, match="mtu1"):
        space_of(spec("strengthCoefficient", value * (1.0 + 1e-6), 2.0, groups=(("mtu1",),)))


def test_relative_range_without_one_begins_at_its_end():
    with pytest.warns(CeinmsTorchWarning, match=r"outside 1\.1 to 1\.5 times .* \(1 to 1\.4\)"):
        space = space_of(relative("strengthCoefficient", 1.1, 1.5))
    np.testing.assert_array_equal(space.start(), 0.0)


def test_c1_and_c2_that_start_equal_are_parted():
    """The model is symmetric in them, so a gradient could never part them."""
    space = space_of(spec("c1", -0.95, -0.05), spec("c2", -0.95, -0.05))
    values = space.values(space.start())
    c1, c2 = values[:5], values[5:]
    # A twentieth of the range of 0.9, up and down; mtu1 and mtu3 start apart and stay.
    np.testing.assert_allclose(c1, [-0.455, -0.5, -0.255, -0.2, -0.855], rtol=1e-12)
    np.testing.assert_allclose(c2, [-0.545, -0.4, -0.345, -0.7, -0.945], rtol=1e-12)


def test_c1_and_c2_at_a_bound_are_parted_to_the_inside():
    for value in (-0.95, -0.05):
        subject = make_subject([{"c1": value, "c2": value}])
        space = space_of(spec("c1", -0.95, -0.05), spec("c2", -0.95, -0.05), subject=subject)
        x = space.start()
        assert x[0] != x[1]
        assert x.min() >= 0.0
        assert x.max() <= 1.0


def test_c1_and_c2_that_are_moved_to_the_same_bound_are_parted():
    subject = make_subject([{"c1": -0.98, "c2": -0.97}])
    with pytest.warns(CeinmsTorchWarning):
        space = space_of(spec("c1", -0.95, -0.05), spec("c2", -0.95, -0.05), subject=subject)
    assert space.start()[0] != space.start()[1]


def test_c1_alone_is_not_moved():
    space = space_of(spec("c1", -0.95, -0.05))
    np.testing.assert_allclose(space.values(space.start())[[0, 2]], [-0.5, -0.3], rtol=1e-15)


def test_random_start_is_in_the_box_and_repeatable():
    space = space_of(*(relative(kind, 0.5, 1.5, scope="global") for kind in PARAMETER_KINDS))
    (x,) = space.starts(1, 7, random=True)
    assert x.shape == (len(PARAMETER_KINDS),)
    assert np.all((x >= 0.0) & (x < 1.0))
    np.testing.assert_array_equal(space.starts(1, 7, random=True), [x])
    assert np.all(x != space.starts(1, 8, random=True))


@pytest.mark.parametrize("n", [2, 5, 32])
def test_starts_are_spread_and_the_first_is_the_subject(n):
    space = space_of(*(relative(kind, 0.5, 1.5, scope="global") for kind in PARAMETER_KINDS))
    points = space.starts(n, 3)
    assert points.shape == (n, len(PARAMETER_KINDS))
    np.testing.assert_array_equal(points[0], space.start())
    np.testing.assert_array_equal(points, space.starts(n, 3))
    np.testing.assert_array_equal(points[1:], space.starts(n, 3, random=True)[1:])
    if n == 32:
        # A Sobol sequence has one point in every 32nd of each axis.
        cells = np.floor(32.0 * space.starts(n, 3, random=True)).astype(int)
        assert all(sorted(column) == list(range(32)) for column in cells.T.tolist())


def test_bounds_are_reported_where_they_are_hit():
    space = space_of(spec("strengthCoefficient", 0.5, 2.5))
    x = np.array([0.0, 1.0, 0.5, 1e-9, 1.0 - 1e-9])
    assert space.at_bound(x) == ["lower", "upper", "", "lower", "upper"]


# ---- percentageChange, which CEINMS's files hold once for all MTUs


def test_percentage_change_may_be_shared_by_all():
    everyone = tuple(mtu.name for mtu in SUBJECT.mtus)
    for one in (
        spec("percentageChange", 0.0, 0.3, scope="global"),
        spec("percentageChange", 0.0, 0.3, scope="muscleGroups", groups=(everyone,)),
    ):
        changed = space_of(one).subject_at(np.array([1.0]))
        assert {mtu.percentage_change for mtu in changed.mtus} == {0.3}


@pytest.mark.parametrize(
    ("one", "dofs"),
    [
        (spec("percentageChange", 0.0, 0.3), ("knee",)),
        (spec("percentageChange", 0.0, 0.3, scope="global"), ("ankle",)),
        (
            spec("percentageChange", 0.0, 0.3, scope="muscleGroups", groups=(("mtu0", "mtu1"),)),
            ("knee",),
        ),
    ],
    ids=["single", "not all MTUs on the DOF", "some MTUs"],
)
def test_percentage_change_of_some_mtus_is_refused(one, dofs):
    with pytest.raises(OptionError, match=r"^percentageChange: expected <global/>, or one group"):
        space_of(one, dofs=dofs)


# ---- names


def test_unknown_names_are_refused_with_file_and_line(tiny_folder):
    path = tiny_folder / "calibration.xml"
    edit(path, "soleus_r gasmed_r", "soleus_r gasmedd_r")
    plan = CalibrationPlan.read(path)
    subject = Subject.read(tiny_folder / "subject.xml")
    with pytest.raises(DataError) as error:
        plan.check_names(subject)
    line = line_with(path, "<parameter>", occurrence=6)
    assert str(error.value).startswith(f"{path}:{line}: <parameter>: expected names of MTUs")
    assert "'gasmedd_r'. Did you mean 'gasmed_r'?" in str(error.value)


def test_whole_file_becomes_the_space_it_describes(tiny_folder):
    plan = CalibrationPlan.read(tiny_folder / "calibration.xml")
    subject = Subject.read(tiny_folder / "subject.xml")
    space = ParameterSpace.of(subject, plan.steps[0], plan)
    single = ("c1", "c2", "optimalFibreLength", "tendonSlackLength")
    expected = [(kind, name) for kind in single for name in MTU_NAMES]
    expected.insert(6, ("shapeFactor", *MTU_NAMES))
    expected += [
        ("strengthCoefficient", "soleus_r", "gasmed_r"),
        ("strengthCoefficient", "recfem_r"),
    ]
    assert members(space) == expected
    step = dataclasses.replace(plan.steps[0], dofs=("knee_angle_r",))
    knee = ParameterSpace.of(subject, step, plan)
    assert [m for m in members(knee) if m[0] == "c1"] == [
        ("c1", name) for name in MTU_NAMES if name in DOF_MTUS["knee_angle_r"]
    ]
