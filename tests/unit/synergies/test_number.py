"""The number of synergies: rules that see what was held out, and Gaussians."""

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.synergies.gaussians import GaussianPrimitives, fit_gaussians
from ceinms_torch.synergies.held_out import (
    HeldOut,
    held_out_moment_error,
)
from ceinms_torch.synergies.number import choose_n_synergies, smallest_as_good
from ceinms_torch.synergies.recording import Recording, recorded_channels
from helpers import MTU_NAMES, edit, write_tiny_folder
from synergy_cases import CENTRES, WIDTHS, primitives, recordings


def test_held_out_rule_finds_the_planted_number():
    choice = choose_n_synergies(recordings(4, noise=0.02), replicates=5)
    assert choice.rule == "held-out"
    assert choice.n_synergy == 3
    by_number = {row.n_synergy: row for row in choice.rows}
    assert list(by_number) == [1, 2, 3, 4, 5]
    assert by_number[3].held_out_vaf > 0.98
    # With two synergies a muscle of the third cannot be told; with five, noise is repeated.
    assert np.mean(by_number[2].channel_error) > 2.0 * np.mean(by_number[3].channel_error)
    assert np.mean(by_number[5].channel_error) > np.mean(by_number[3].channel_error)


def test_vaf_rule_and_a_single_trial():
    trials = recordings(1)
    choice = choose_n_synergies(trials, replicates=3)
    assert choice.rule == "vaf"
    above = [row.n_synergy for row in choice.rows if row.vaf > 0.85]
    assert choice.n_synergy == above[0]
    assert choice.rows[0].held_out_vaf is None
    stricter = choose_n_synergies(trials, threshold=0.99, replicates=3)
    assert stricter.n_synergy == 3
    with pytest.raises(OptionError, match="'vaf' with these data, got 'held-out'"):
        choose_n_synergies(trials, rule="held-out", replicates=3)
    with pytest.raises(DataError, match="at least two trials"):
        HeldOut(trials)
    with pytest.raises(OptionError, match="VAF above the threshold"):
        choose_n_synergies(trials, numbers=[1, 2], threshold=0.99, replicates=3)


def test_a_score_of_ones_own_decides():
    asked = []

    def score(number):
        asked.append(number)
        return [abs(number - 2) + 1.0, abs(number - 2) + 5.0]

    choice = choose_n_synergies(recordings(2), numbers=[1, 2, 3], score=score, replicates=2)
    assert (choice.rule, choice.n_synergy, asked) == ("score", 2, [1, 2, 3])
    vaf = choose_n_synergies(
        recordings(2), numbers=[1, 2, 3], score=score, rule="vaf", replicates=2
    )
    assert vaf.n_synergy == vaf.choices["vaf"]
    assert choose_n_synergies(recordings(2), numbers=[2], replicates=2).rule == "given"


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([[3.0, 3.0], [1.0, 1.0], [1.0, 1.0]], 2),  # the first of two that are equal
        ([[1.5, 3.5], [1.0, 4.0], [1.2, 3.6]], 1),  # within the spread of the differences
        ([[1.3, 11.3], [1.0, 11.0], [1.1, 11.1]], 2),  # worse in every trial, if not by much
        ([[2.0], [1.0], [1.5]], 2),  # a single trial has no spread
    ],
)
def test_smallest_as_good(errors, expected):
    assert smallest_as_good([1, 2, 3], errors) == expected


def test_moments_of_rebuilt_excitations(tiny_folder):
    folder = ct.CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")
    channels = recorded_channels(folder.generator)
    whole = [Recording.read(file, channels) for file in folder.plan.trial_files]
    score = held_out_moment_error(
        folder.subject, folder.trials, whole, folder.generator, HeldOut(whole)
    )
    recorded, one, all_channels = score(0), score(1), score(3)
    fits = [
        np.mean([fit.rmse for fit in ct.moment_fit(t, ct.simulate(folder.subject, t)).values()])
        for t in folder.trials
    ]
    np.testing.assert_allclose(recorded, fits, rtol=1e-12)
    # As many synergies as channels repeat them: whatever the weightings, as long as those of a
    # channel can be told from the others'. One does not.
    np.testing.assert_allclose(all_channels, recorded, rtol=0.1)
    assert abs(one[0] - recorded[0]) > abs(all_channels[0] - recorded[0])


def test_signals_that_drive_several_mtus_count_once(tmp_path):
    path = write_tiny_folder(tmp_path / "tiny", unrecorded=("recfem_r",))
    edit(path / "excitationGenerator.xml", ">gasmed_r_emg<", ">soleus_r_emg<")
    generator = ct.ExcitationGenerator.read(path / "excitationGenerator.xml")
    assert recorded_channels(generator) == ("soleus_r_emg",)
    assert recorded_channels(generator, MTU_NAMES[:1]) == ("soleus_r_emg",)
    with pytest.raises(DataError, match="at least one MTU with an <input>"):
        recorded_channels(generator, ["recfem_r"])


def test_recordings_are_limited_and_cut(tiny_folder):
    edit(tiny_folder / "trial1" / "emg.mot", "0.5", "-0.5")
    with pytest.warns(ct.CeinmsTorchWarning, match=r"1 of \d+ values are outside 0 to 1"):
        one = Recording.read(tiny_folder / "trial1" / "inputData.xml")
    assert one.excitation.min() == 0.0
    part = one.during(0.0, 0.1)
    assert (part.time[0], part.time[-1]) == (0.0, 0.1)
    assert part.phase[[0, -1]].tolist() == [0.0, 1.0]
    with pytest.raises(DataError, match="samples from 7 to 8 s"):
        one.during(7.0, 8.0)


# ---- Gaussians --------------------------------------------------------------------------


def test_planted_gaussians_come_back():
    truth = GaussianPrimitives(
        amplitude=np.array([[1.0, 0.4], [0.6, 0.9]]),
        centre=np.array([[0.25, 0.7], [0.3, 0.6]]),
        width=np.array([[0.05, 0.1], [0.08, 0.06]]),
        period=None,
    )
    phase = np.linspace(0.0, 1.0, 101)
    found = fit_gaussians(truth.values(phase), phase, 2)
    for name in ("amplitude", "centre", "width"):
        np.testing.assert_allclose(getattr(found, name), getattr(truth, name), rtol=1e-5)
    assert found.n_variable == 12


def test_a_bump_goes_on_at_the_start_of_the_cycle():
    phase = np.linspace(0.0, 1.0, 120, endpoint=False)
    truth = GaussianPrimitives(
        amplitude=np.array([[0.8]]), centre=np.array([[0.97]]), width=np.array([[0.07]]), period=1.0
    )
    values = truth.values(phase)
    assert values[0, 0] > 0.7
    cyclic = fit_gaussians(values, phase, 1, period=1.0)
    np.testing.assert_allclose(cyclic.values(phase), values, atol=1e-6)
    assert np.abs(fit_gaussians(values, phase, 1).values(phase) - values).max() > 0.1


def test_more_bumps_fit_better_and_single_ones_are_exact():
    phase = np.linspace(0.0, 1.0, 90)
    single = fit_gaussians(primitives(90), phase, 1)
    np.testing.assert_allclose(single.centre[:, 0], CENTRES, atol=1e-6)
    np.testing.assert_allclose(single.width[:, 0], WIDTHS, rtol=1e-5)
    square = (np.abs(phase - 0.5) < 0.2).astype(float)[None]
    errors = [
        np.sum((fit_gaussians(square, phase, n).values(phase) - square) ** 2) for n in (1, 2, 3)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_what_gaussians_cannot_fit():
    phase = np.linspace(0.0, 1.0, 10)
    with pytest.raises(OptionError, match="at most 3, 3 variables each for 10 samples"):
        fit_gaussians(np.ones((1, 10)), phase, 4)
    with pytest.raises(DataError, match="increasing phases"):
        fit_gaussians(np.ones((1, 10)), phase[::-1], 2)
    with pytest.raises(DataError, match=r"got \(10,\), \(10,\)"):
        fit_gaussians(np.ones(10), phase, 2)


# ---- Recordings -------------------------------------------------------------------------


def read_trials(folder):
    """Every fourth row of all trials: of smooth envelopes, that tells the same as every row."""
    trials = []
    for path in sorted(folder.iterdir()):
        storage = ct.read_storage(path / "emg.sto")
        trials.append(
            Recording(
                name=path.name,
                channels=storage.columns,
                time=storage.time[::4],
                excitation=np.clip(storage.values[::4], 0.0, 1.0),
            )
        )
    return trials


@pytest.mark.parametrize(
    ("folder", "n_trial", "n_channel", "by_vaf", "vaf"),
    [("lower_limb", 28, 9, 3, 0.938), ("shoulder", 7, 14, 2, 0.9265)],
)
def test_recorded_synergies(shared_dir, folder, n_trial, n_channel, by_vaf, vaf):
    """What the recordings give with all rows, ten replicates and more."""
    trials = read_trials(shared_dir / "data" / folder / "trials")
    assert (len(trials), len(trials[0].channels)) == (n_trial, n_channel)
    choice = choose_n_synergies(trials, numbers=[1, 2, 3], rule="vaf", replicates=3)
    assert choice.n_synergy == by_vaf
    assert choice.rows[by_vaf - 1].vaf == pytest.approx(vaf, abs=0.003)
