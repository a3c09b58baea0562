"""What is recorded and what is synthesised; primitives at nodes; tables of weightings."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.model.excitation_generator import Excitation, ExcitationGenerator
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.space import Nodes, SynergySpace
from ceinms_torch.synergies.synthesise import least_squares_primitives

NAMES = ("vaslat", "vasmed", "vasint", "psoas", "soleus", "gaslat", "spine")
DOFS = ("hip", "knee")
INPUTS = {
    "vaslat": (("lat", 1.0),),
    "vasmed": (("med", 1.0),),
    "vasint": (("lat", 0.5), ("med", 0.5)),
    "psoas": (),
    "soleus": (("sol", 1.0),),
    "gaslat": (("sol", 2.0),),
    "spine": (),
}


def make_generator(**changes):
    inputs = {**INPUTS, **changes}
    return ExcitationGenerator(
        input_signals=("lat", "med", "sol"),
        excitations=tuple(Excitation(id=name, inputs=inputs[name]) for name in NAMES),
    )


def make_trial(*, idle=("spine",)):
    arms = np.full((4, 2, len(NAMES)), 0.03)
    arms[:, 1, NAMES.index("psoas")] = 0.0
    arms[:, :, [NAMES.index(name) for name in idle]] = 0.0
    return ct.Trial(
        name="walk",
        mtu_names=NAMES,
        dof_names=DOFS,
        time=np.arange(4) / 100.0,
        mtu_length=np.full((4, len(NAMES)), 0.3),
        moment_arm=arms,
        excitation_time=np.arange(9) / 200.0,
        excitation=np.full((9, len(NAMES)), 0.1),
    )


def channels(*, dofs=DOFS, trial=None, generator=None, **choices):
    hybrid = ct.SynergyHybrid(**choices)
    return Channels.of([trial or make_trial()], generator or make_generator(), hybrid, dofs)


# ---- channels


def test_an_electrode_counts_once_and_sums_of_electrodes_do_not_count():
    found = channels(synthesise=("psoas",))
    assert found.tracked == (0, 1, 4)
    expected = np.zeros((7, 3))
    expected[[0, 1, 4], [0, 1, 2]] = 1.0
    expected[2] = [0.5, 0.5, 0.0]
    expected[5] = [0.0, 0.0, 2.0]
    np.testing.assert_allclose(found.mixing, expected, atol=1e-14)
    assert found.synthesised_names == ("psoas",)


def test_a_sum_is_tracked_where_its_parts_were_not_recorded_themselves():
    found = channels(synthesise=("psoas", "vaslat", "vasmed"))
    assert found.tracked == (2, 4)
    assert found.synthesised_names == ("vaslat", "vasmed", "psoas")


def test_weightings_of_every_mtu():
    found = channels(synthesise=("psoas",))
    table = ct.Weightings.of(found, np.array([[1.0], [3.0], [5.0], [7.0]]))
    np.testing.assert_allclose(table.values[:, 0], [1.0, 3.0, 2.0, 7.0, 5.0, 10.0, 0.0])
    assert table.origin == (*["recorded"] * 3, "synthesised", *["recorded"] * 2, "silent")


@given(
    acting=st.lists(st.sets(st.sampled_from(DOFS)), min_size=7, max_size=7),
    recorded=st.sets(st.sampled_from(NAMES), min_size=1),
    dofs=st.sets(st.sampled_from(DOFS), min_size=1),
    named=st.none() | st.sets(st.sampled_from(NAMES)),
)
def test_what_synergies_drive_is_what_acts_and_has_no_electrode(acting, recorded, dofs, named):
    trial = make_trial(idle=())
    for i, own in enumerate(acting):
        for j, dof in enumerate(DOFS):
            trial.moment_arm[:, j, i] = 0.03 if dof in own else 0.0
    acts = {name for name, own in zip(NAMES, acting, strict=True) if own & dofs}
    generator = make_generator(**{name: (("lat", 1.0),) * (name in recorded) for name in NAMES})
    wanted = acts - recorded if named is None else named
    choice = {} if named is None else {"synthesise": tuple(named)}
    if wanted and wanted <= acts and recorded - wanted:
        found = channels(dofs=tuple(dofs), trial=trial, generator=generator, **choice)
        assert set(found.synthesised_names) == wanted
        origin = ct.Weightings.of(found, np.ones((found.n_channel + len(wanted), 1))).origin
        silent = {name for name, one in zip(NAMES, origin, strict=True) if one == "silent"}
        assert silent == set(NAMES) - recorded - wanted
    else:
        with pytest.raises(ct.DataError) as caught:
            channels(dofs=tuple(dofs), trial=trial, generator=generator, **choice)
        if wanted - acts:
            assert "excitation to synthesise of" in str(caught.value)
            assert all(name in str(caught.value) for name in wanted - acts)


def test_an_unrecorded_mtu_on_another_dof_stays_silent():
    trial = make_trial(idle=())
    assert channels(trial=trial).synthesised_names == ("psoas", "spine")
    assert channels(trial=trial, dofs=("knee",)).synthesised_names == ("spine",)
    with pytest.raises(ct.DataError, match="excitation to synthesise of psoas"):
        channels(trial=trial, dofs=("knee",), synthesise=("psoas",))


def test_a_recording_of_zeros_is_refused():
    trial = make_trial()
    trial.excitation[:, NAMES.index("soleus")] = 0.0
    message = r"trial walk: expected a recorded excitation of soleus that is not zero throughout"
    with pytest.raises(ct.DataError, match=message) as caught:
        channels(trial=trial, synthesise=("psoas",))
    assert "without <input>" in str(caught.value)


def test_unknown_names_and_nothing_to_do_are_refused():
    with pytest.raises(ct.OptionError, match="Did you mean 'psoas'"):
        channels(synthesise=("psoa",))
    with pytest.raises(ct.OptionError, match="a tuple of names of MTUs, or None for all"):
        channels(synthesise="psoas")
    full = make_generator(psoas=(("lat", 1.0),), spine=(("lat", 1.0),))
    with pytest.raises(ct.DataError, match="expected an MTU to synthesise"):
        channels(generator=full)
    nothing = make_generator(**dict.fromkeys(NAMES, ()))
    with pytest.raises(ct.DataError, match="at least one recorded excitation"):
        channels(generator=nothing, trial=make_trial(idle=()))


# ---- nodes and points


@given(st.integers(2, 60), st.integers(1, 70))
def test_nodes_are_rows_and_the_last_is_the_last(n_row, step):
    nodes = Nodes(n_row=n_row, rows_per_node=min(step, n_row - 1), row_interval=0.01)
    rows = nodes.rows
    assert rows[0] == 0
    assert rows[-1] == n_row - 1
    assert np.all(np.diff(rows) >= 1)
    assert np.all(np.diff(rows) <= nodes.rows_per_node)
    # What is linear between nodes comes back, and every row of others is between its nodes.
    line = np.array([2.0 * rows + 1.0])
    np.testing.assert_allclose(nodes.to_rows(line)[0], 2.0 * np.arange(n_row) + 1.0, rtol=1e-12)


def test_rate_of_the_nodes():
    trial = dataclasses.replace(
        make_trial(), excitation_time=np.arange(501) / 1000.0, excitation=np.full((501, 7), 0.1)
    )
    assert Nodes.of(trial, 50.0).rows_per_node == 20
    assert Nodes.of(trial, 5000.0).rows_per_node == 1
    assert Nodes.of(trial, 0.001).rows_per_node == 500


@given(st.integers(1, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_points_come_apart_and_together(n_synergy, shared, seed):
    space = SynergySpace(
        n_parameter=2, n_synergy=n_synergy, n_weighted=3, n_set=1 if shared else 2, n_node=(4, 5)
    )
    random = np.random.default_rng(seed)
    point = random.uniform(size=space.first_primitive + 9 * n_synergy)
    sets, primitives = space.weightings(point), space.primitives(point)
    assert sets.shape == (2, 3, n_synergy)
    again = space.join(space.parameters(point), sets[: space.n_set], primitives)
    np.testing.assert_array_equal(again, point)
    # Scaled, the same excitations come from primitives that peak at one.
    scaled = space.scaled(point)
    peaks = [one.max(axis=1) for one in space.primitives(scaled)]
    for peak in np.atleast_2d(np.max(peaks, axis=0) if shared else peaks):
        np.testing.assert_allclose(peak, 1.0, rtol=1e-12)
    for old, new, before, after in zip(
        sets, space.weightings(scaled), primitives, space.primitives(scaled), strict=True
    ):
        np.testing.assert_allclose(new @ after, old @ before, rtol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_primitives_of_known_synergies_come_back(seed):
    random = np.random.default_rng(seed)
    weightings = np.concatenate([np.eye(2), random.uniform(size=(3, 2))])
    primitives = random.uniform(size=(2, 7))
    found = least_squares_primitives(weightings, weightings @ primitives)
    np.testing.assert_allclose(found, primitives, atol=1e-12)


# ---- the table as a file

TABLE = ct.Weightings(
    mtu_names=("soleus", "psoas", "spine"),
    origin=("recorded", "synthesised", "silent"),
    values=np.array([[0.1, 1 / 3], [0.25, 0.0], [0.0, 0.0]]),
)


def test_table_comes_back_in_any_order(tmp_path):
    TABLE.write(tmp_path / "new" / "Weightings.csv")
    again = ct.Weightings.read(tmp_path / "new" / "Weightings.csv", ("psoas", "soleus"))
    assert again.origin == ("synthesised", "recorded")
    np.testing.assert_array_equal(again.values, TABLE.values[[1, 0]])
    assert again.synthesised == ("psoas",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("muscle,", "mtu,", r":1: header: expected muscle,origin,synergy_1"),
        ("psoas,", "soleus,", r":3: row: expected every muscle once, got 'soleus' twice"),
        ("synthesised", "guessed", r":3: row: expected one of recorded, synthesised, silent"),
        ("0.25", "-0.25", r":3: row: expected weightings >= 0, got '-0.25'"),
        ("0.25", "nan", r":3: row: expected weightings >= 0, got 'nan'"),
        ("0.25,", "", r":3: row: expected 4 columns, got 3"),
        ("psoas", "psoaz", r"muscle: expected a row of psoas, got none. Did you mean 'psoaz'"),
    ],
)
def test_faults_of_the_table_are_named(tmp_path, old, new, message):
    path = tmp_path / "Weightings.csv"
    TABLE.write(path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ct.FileFormatError, match=message):
        ct.Weightings.read(path, TABLE.mtu_names)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ct.FileFormatError, match="No such file"):
        ct.Weightings.read(tmp_path / "none.csv", TABLE.mtu_names)
