"""Joint loads from maps that are made up: no OpenSim needed."""

import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError
from ceinms_torch.loads.joint_loads import joint_loads
from ceinms_torch.loads.others import all_forces
from made_up_loads import JOINTS, MUSCLES, TIME, forces_of, made_up


def quiet(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        return joint_loads(*arguments, **options)


@given(st.integers(0, 1000), st.permutations(MUSCLES))
def test_order_of_columns_does_not_matter(seed, order):
    maps, forces = made_up(seed), forces_of(seed)
    first = quiet(maps, forces)
    second = quiet(maps, {name: forces[name] for name in order})
    np.testing.assert_array_equal(first.force.array, second.force.array)


@given(st.integers(0, 1000), st.floats(0.0, 1.0))
def test_loads_are_linear_in_forces(seed, share):
    maps, one, other = made_up(seed), forces_of(seed), forces_of(seed + 1)
    mixed = {name: share * one[name] + (1.0 - share) * other[name] for name in MUSCLES}
    parts = [quiet(maps, forces, frame="ground").moment.array for forces in (one, other)]
    whole = quiet(maps, mixed, frame="ground").moment.array
    expected = share * parts[0] + (1.0 - share) * parts[1]
    np.testing.assert_allclose(whole, expected, atol=1e-9 * np.abs(expected).max())


@given(st.integers(0, 1000))
def test_frames_turn_components_and_leave_resultants(seed):
    maps, forces = made_up(seed), forces_of(seed)
    ground = quiet(maps, forces, frame="ground")
    for frame in ("parent", "child"):
        turned = quiet(maps, forces, frame=frame)
        for j, joint in enumerate(maps.joint_names):
            np.testing.assert_allclose(turned.resultant(joint), ground.resultant(joint), rtol=1e-12)
            axes = getattr(maps, frame)[:, j, :, :3]
            back = np.einsum("tkl,tl->tk", axes, turned.force.array[:, 4 * j : 4 * j + 3])
            np.testing.assert_allclose(back, ground.force.array[:, 4 * j : 4 * j + 3], atol=1e-9)


@given(st.integers(0, 1000))
def test_parent_and_child_bear_the_same_the_other_way_round(seed):
    maps, forces = made_up(seed), forces_of(seed)
    child = quiet(maps, forces, on="child", frame="ground")
    parent = quiet(maps, forces, on="parent", frame="ground")
    for j in range(len(JOINTS)):
        there, here = (one.force.array[:, 4 * j : 4 * j + 3] for one in (child, parent))
        np.testing.assert_allclose(here, -there)
        # Both moments about one point cancel.
        about = [
            one.moment.array[:, 3 * j : 3 * j + 3] + np.cross(side[:, j, :, 3], force)
            for one, side, force in ((child, maps.child, there), (parent, maps.parent, here))
        ]
        np.testing.assert_allclose(about[0], -about[1], atol=1e-9)


def test_columns_say_on_what_and_in_which_axes():
    loads = quiet(made_up(), forces_of(0), on="parent", frame="ground")
    names = [f"hip_on_pelvis_in_ground_{end}" for end in ("fx", "fy", "fz", "f")]
    assert list(loads.force.columns[:4]) == names
    assert loads.force.units == "N"
    assert loads.in_body_weights(loads.force).units == "body weights"
    peak = loads.peaks[1]
    assert peak.joint == "knee"
    assert peak.force == pytest.approx(loads.resultant("knee").max())
    assert peak.body_weights == pytest.approx(peak.force / 700.0)


def test_a_missing_muscle_is_an_error_unless_it_does_not_matter():
    forces = forces_of(0)
    del forces["soleus"]
    with pytest.raises(DataError, match="soleus: expected forces of all 4 muscles") as error:
        joint_loads(made_up(), forces)
    assert error.value.code == "forces-missing"
    quiet(made_up(acting=MUSCLES[:3]), forces)


def test_a_misspelt_muscle_is_an_error_that_says_which_was_meant():
    forces = forces_of(0)
    forces["Soleus"] = forces.pop("soleus")
    with pytest.raises(DataError, match="Did you mean 'Soleus'"):
        joint_loads(made_up(), forces)


def test_silent_given_and_optimised_muscles_are_said():
    maps, forces = made_up(), forces_of(0)
    some = {name: forces[name] for name in MUSCLES[:2]}
    silent = quiet(maps, some, others="silent")
    assert silent.others == "2 silent (gastroc, soleus)"
    assert not silent.muscle_force["soleus"].any()
    rest = {name: forces[name] for name in MUSCLES[2:]}
    given_ones = quiet(maps, some, others=rest)
    assert given_ones.others == "forces given by a file"
    np.testing.assert_array_equal(given_ones.force.array, quiet(maps, forces).force.array)
    with pytest.raises(DataError, match="gastroc"):
        joint_loads(maps, some, others={"soleus": forces["soleus"]})
    optimised = quiet(maps, some, others="optimise")
    assert optimised.others == "static optimisation of 2"
    np.testing.assert_array_equal(optimised.muscle_force["glute"], some["glute"])


@given(st.integers(0, 1000))
def test_static_optimisation_provides_moments_that_muscles_can_provide(seed):
    random = np.random.default_rng(seed)
    maps = made_up(seed)
    wanted = random.uniform(0.1, 0.6, size=(len(TIME), len(MUSCLES)))
    net = np.einsum("tca,ta->tc", maps.moment_arm, wanted * maps.capacity)
    maps = dataclasses.replace(maps, net_moment=net)
    found = all_forces(maps, {}, "optimise").array
    activation = found / maps.capacity
    assert (activation >= -1e-12).all()
    assert (activation <= 1.0 + 1e-12).all()
    # No dearer than what made the moments; what is left of them costs as much as activations.
    left = (maps.reserves(found) ** 2).sum(axis=1) + (activation**2).sum(axis=1)
    assert (left <= (wanted**2).sum(axis=1) + 1e-9).all()


def test_static_optimisation_keeps_to_the_activations_of_the_model():
    maps = made_up(controls=np.tile([0.01, 0.3], (4, 1)))
    found = all_forces(maps, {}, "optimise").array / maps.capacity
    assert found.min() >= 0.01 - 1e-12
    assert found.max() <= 0.3 + 1e-12


def test_what_no_map_was_asked_for_cannot_be_optimised():
    maps = made_up()
    some = dataclasses.replace(
        maps,
        actuators=MUSCLES[:2],
        reaction=maps.reaction[:, :, :2],
        moment_arm=maps.moment_arm[:, :, :2],
        capacity=maps.capacity[:, :2],
    )
    with pytest.raises(OptionError, match="and_others"):
        joint_loads(some, {}, others="optimise")
    assert quiet(some, {"glute": np.ones(7)}, others="silent").others.startswith("3 silent")


@pytest.mark.parametrize("wrong", [np.ones(6), np.full(7, np.nan), np.full(7, np.inf)])
def test_forces_must_be_finite_and_of_every_time(wrong):
    with pytest.raises(DataError, match="glute"):
        joint_loads(made_up(), {**forces_of(0), "glute": wrong})


def test_bands_are_order_statistics_and_ranges():
    maps = made_up()
    alike = [forces_of(seed) for seed in range(39)]
    loads = quiet(maps, forces_of(0), alike=alike, level=0.95)
    every = np.stack([quiet(maps, one).force.array for one in alike])
    np.testing.assert_allclose(loads.band.lower.array, every.min(axis=0), rtol=1e-12)
    np.testing.assert_allclose(loads.band.upper.array, every.max(axis=0), rtol=1e-12)
    assert loads.n_set == 39
    peaks = every[:, :, 3].max(axis=1) / 700.0
    assert loads.peaks[0].ends == pytest.approx((peaks.min(), peaks.max()))
    whole = quiet(maps, forces_of(0), alike=alike[:5])
    np.testing.assert_allclose(whole.band.upper.array, every[:5].max(axis=0), rtol=1e-12)
    with pytest.raises(OptionError, match="at least 39 parameter sets, got 38"):
        joint_loads(maps, forces_of(0), alike=alike[:38], level=0.95)


def test_a_line_beyond_its_band_is_said():
    maps, forces = made_up(), forces_of(0)
    alike = [forces_of(seed) for seed in range(39)]
    strong = {name: 50.0 * force for name, force in forces.items()}
    assert "leave the 95 % band" in quiet(maps, strong, alike=alike, level=0.95).doubts[-1]
    assert not any("band" in one for one in quiet(maps, forces, alike=alike, level=0.95).doubts)


def codes_of(maps, forces=None):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loads = joint_loads(maps, forces or {}, others="silent")
    assert [str(one.message) for one in told] == list(loads.doubts)
    return [one.message.code for one in told]


def still(**changes):
    """Return maps of a body that needs nothing."""
    maps = made_up()
    shapes = {name: np.zeros_like(getattr(maps, name)) for name in ("net_reaction", "net_moment")}
    return dataclasses.replace(maps, **{**shapes, **changes})


@pytest.mark.parametrize(("share", "codes"), [(5.9, []), (6.1, ["load-implausible"])])
def test_resultants_above_six_body_weights_are_doubted(share, codes):
    reaction = np.zeros((7, 2, 6))
    reaction[3, 1, 4] = -share * 700.0
    assert codes_of(still(net_reaction=reaction)) == codes


@pytest.mark.parametrize(("share", "codes"), [(0.09, []), (0.11, ["reserve-large"])])
def test_reserves_above_a_tenth_are_doubted(share, codes):
    maps = still(moment_arm=np.full((7, 2, 4), 0.05), reaction=np.zeros((7, 2, 4, 6)))
    net = np.tile([100.0, 0.0], (7, 1))
    provided = {name: np.full(7, (1.0 - share) * 500.0) for name in MUSCLES}
    maps = dataclasses.replace(
        maps, net_moment=net, moment_arm=maps.moment_arm * np.array([1.0, 0.0])[None, :, None]
    )
    assert codes_of(maps, provided) == codes
    # Half a newton metre is nothing, whatever the share.
    small = dataclasses.replace(maps, net_moment=0.04 * net)
    assert codes_of(small, {name: 0.04 * one for name, one in provided.items()}) == []


def test_a_body_that_nothing_holds_is_doubted():
    residual = np.zeros(7)
    residual[2:4] = 500.0
    maps = still(residual=residual)
    assert codes_of(maps) == ["residual-large"]
    with pytest.warns(
        CeinmsTorchWarning, match=r"between 0\.20 and 0\.30 s up to 0\.71 body weights"
    ):
        joint_loads(maps, {}, others="silent")


def test_unknown_sides_are_refused():
    with pytest.raises(OptionError, match="frame: expected parent or child or ground"):
        joint_loads(made_up(), forces_of(0), frame="femur")
    with pytest.raises(OptionError, match="on: expected parent or child"):
        joint_loads(made_up(), forces_of(0), on="ground")
