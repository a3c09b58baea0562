"""Lengths of a scaled model that keep a generic model's operating ranges."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError
from ceinms_torch.io.storage import read_storage, write_storage
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.preoptimisation.equilibrium import equilibria
from ceinms_torch.preoptimisation.operating_range import (
    preserve_operating_range,
    read_pose_lengths,
)
from ceinms_torch.simulation.curves import curve_tables, curve_values

LENGTHS = [PARAMETER_KINDS.index(kind) for kind in ("optimalFibreLength", "tendonSlackLength")]
FACTORS = st.floats(0.5, 2.0)
# Rounding of an equilibrium (1e-13 m of some cm) times the condition of two unknowns (below 100).
EXACT = 1e-9


@pytest.fixture(scope="module")
def gait(gait_folder):
    """The shipped subject and its MTU lengths while walking."""
    subject = Subject.read(gait_folder / "subjectUncalibrated.xml")
    lengths = read_storage(gait_folder / "trials" / "walk_130" / "lmt.sto")
    return subject, lengths.select(subject.mtu_names)


def scaled(subject, factors):
    """Return a subject with optimal fibre and tendon slack lengths multiplied."""
    values = subject.parameters()
    values[LENGTHS] *= factors
    return subject.with_parameters(values)


def lengths_with(subject, found):
    """Return the MTU lengths at which a subject has these normalised fibres and tendons."""
    optimal, slack = subject.parameters()[LENGTHS]
    return found.norm_fibre_along * optimal + (1.0 + found.tendon_strain) * slack


def test_equilibria_are_equilibria(gait):
    subject, lengths = gait
    found = equilibria(subject, lengths)
    assert lengths_with(subject, found) == pytest.approx(lengths, rel=1e-12)
    active, passive, velocity, tendon = curve_tables(subject)
    assert curve_values(velocity, np.zeros(1)) == pytest.approx([1.0], abs=1e-12)
    fibre = found.norm_fibre_length.ravel()
    force = curve_values(active, fibre) + curve_values(passive, fibre)
    pull = curve_values(tendon, found.tendon_strain.ravel())
    # Tendons change their force by 1e3 F0 per m at most, an equilibrium is exact to 1e-13 m.
    assert force * np.cos(found.pennation_angle.ravel()) == pytest.approx(pull, abs=1e-8)


@settings(max_examples=20)
@given(scale=FACTORS)
def test_everything_scaled_alike(gait, scale):
    subject, lengths = gait
    found = preserve_operating_range(subject, lengths, scale * lengths)
    assert found.subject.parameters() == pytest.approx(
        scaled(subject, scale).parameters(), rel=EXACT
    )
    assert all(fit.rms < 1e-12 and not fit.doubts for fit in found.fits)


@settings(max_examples=20)
@given(data=st.data())
def test_fibres_and_tendons_scaled_apart(gait, data):
    subject, lengths = gait
    n_mtu = lengths.shape[1]
    pairs = st.lists(st.tuples(FACTORS, FACTORS), min_size=n_mtu, max_size=n_mtu)
    truth = scaled(subject, np.array(data.draw(pairs)).T)
    found = preserve_operating_range(
        subject, lengths, lengths_with(truth, equilibria(subject, lengths))
    )
    assert found.subject.parameters() == pytest.approx(truth.parameters(), rel=EXACT)


def test_nearer_than_scaling_by_length(gait):
    """A target whose MTUs change their length more than they are longer."""
    subject, lengths = gait
    target = 1.1 * lengths[0] + 1.3 * (lengths - lengths[0])
    found = preserve_operating_range(subject, lengths, target)
    wanted = equilibria(subject, lengths).norm_fibre_length
    errors = [
        np.sqrt(np.mean((equilibria(one, target).norm_fibre_length - wanted) ** 2))
        for one in (found.subject, scaled(subject, 1.1))
    ]
    assert errors[0] < 0.2 * errors[1]
    assert max(fit.norm_rms for fit in found.fits) < 0.01


def test_only_two_lengths_change(gait):
    subject, lengths = gait
    found = preserve_operating_range(subject, lengths, 0.9 * lengths)
    others = np.setdiff1d(np.arange(len(PARAMETER_KINDS)), LENGTHS)
    assert np.array_equal(found.subject.parameters()[others], subject.parameters()[others])
    assert [fit.mtu for fit in found.fits] == list(subject.mtu_names)
    assert found.n_pose == len(lengths)


def test_slack_short_and_long_poses_are_left_out(gait):
    subject, lengths = gait
    extremes = np.stack([0.3 * lengths[0], 0.5 * lengths[0], 2.0 * lengths[0]])
    some = preserve_operating_range(subject, lengths, 1.2 * lengths)
    more = preserve_operating_range(
        subject, np.vstack([lengths, extremes]), 1.2 * np.vstack([lengths, 1.3 * extremes])
    )
    assert [fit.n_pose for fit in more.fits] == [fit.n_pose for fit in some.fits]
    assert more.subject == some.subject


def test_doubts(gait):
    subject, lengths = gait
    one = dataclasses.replace(subject, mtus=subject.mtus[:1], dofs=())
    name, length = subject.mtu_names[0], lengths[:, :1]
    with pytest.warns(CeinmsTorchWarning, match=rf"few poses: {name} \(4 of 4 poses, .* Add poses"):
        preserve_operating_range(one, length[::30], length[::30])
    still = length.mean() + 0.1 * (length - length.mean())
    with pytest.warns(CeinmsTorchWarning, match=rf"fibre hardly moves: {name} "):
        preserve_operating_range(one, still, still)
    noise = np.random.default_rng(0).normal(0.0, 0.01, length.shape)
    with pytest.warns(CeinmsTorchWarning, match=rf"poor fit: {name} .* compare both models' paths"):
        preserve_operating_range(one, length, length + noise)


@pytest.mark.filterwarnings("ignore::ceinms_torch.errors.CeinmsTorchWarning")
def test_one_length_is_shared_in_proportion(gait):
    subject, lengths = gait
    pose = lengths[:1]
    found = preserve_operating_range(subject, pose, 1.2 * pose)
    # A single pose leaves the shares of fibre and tendon open: they stay.
    assert found.subject.parameters() == pytest.approx(scaled(subject, 1.2).parameters(), rel=EXACT)
    assert all(fit.in_proportion and "few poses" in fit.doubts for fit in found.fits)
    # MTUs that get shorter where the reference's get longer would want negative fibres.
    mirrored = preserve_operating_range(subject, lengths, 2.0 * lengths.mean(axis=0) - lengths)
    assert all(fit.in_proportion and "poor fit" in fit.doubts for fit in mirrored.fits)
    assert (mirrored.subject.parameters()[LENGTHS] > 0.0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: (a[:, 1:], a), r"reference lengths: expected the shape \(n_pose, 14\)"),
        (lambda a: (a, a[1:]), "target lengths: expected 103 poses, as the reference has, got 102"),
        (lambda a: (a, a[0]), r"target lengths: expected the shape \(n_pose, 14\), got \(14,\)"),
        (lambda a: (a[:0], a[:0]), r"got \(0, 14\)"),
        (lambda a: (a, -a), r"target lengths: \w+, pose 1: expected a positive length \[m\]"),
        (lambda a: (a * np.nan, a), r"reference lengths: \w+, pose 1: .* got nan"),
        (lambda a: (a, 1e3 * a), "expected 0.3 to 3 times the reference's, got 1000 times. Give"),
        (lambda a: (1e3 * a, 1e3 * a), r"none among 103 for \w+ \(0 with a slack tendon, .* 103 w"),
        (lambda a: (0.5 * a, 0.5 * a), r"none among 103 for \w+ \(103 with a slack tendon, "),
    ],
)
def test_lengths_that_mean_nothing(gait, change, message):
    subject, lengths = gait
    with pytest.raises(DataError, match=message):
        preserve_operating_range(subject, *change(lengths))


def test_files_of_poses(gait, tmp_path):
    subject, lengths = gait
    names, time = subject.mtu_names, np.arange(len(lengths)) / 100.0

    def write(name, time, columns, values):
        write_storage(tmp_path / name, time, columns, values, name="Length", units="m")
        return tmp_path / name

    reference = write("reference.sto", time, names, lengths)
    other_order = write("target.sto", time, names[::-1], 1.1 * lengths[:, ::-1])
    before, after = read_pose_lengths(reference, other_order, names)
    assert np.array_equal(before, lengths)
    assert np.array_equal(after, 1.1 * lengths)

    shorter = write("shorter.sto", time[:-1], names, lengths[:-1])
    with pytest.raises(
        DataError, match=r"shorter.sto: expected 103 rows, .* got 102 rows. Analyse"
    ):
        read_pose_lengths(reference, shorter, names)
    later = write("later.sto", time + 0.01, names, lengths)
    with pytest.raises(DataError, match=r"later.sto: expected time 0 s in row 1, .* got 0.01 s"):
        read_pose_lengths(reference, later, names)
    fewer = write("fewer.sto", time, names[1:], lengths[:, 1:])
    with pytest.raises(FileFormatError, match=f"a column with the label '{names[0]}'"):
        read_pose_lengths(reference, fewer, names)
