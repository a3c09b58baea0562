"""Polynomial paths fitted to poses."""

import dataclasses
import warnings

import numpy as np
import pytest

from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, UnknownNameError
from ceinms_torch.geometry.fit import fit_paths, path_errors
from smooth_leg import COORDINATES, CROSSED, gait, samples

RNG = np.random.default_rng(7)
POSES = gait()[RNG.integers(0, 120, 200)] + RNG.uniform(-0.2, 0.2, (200, 4))


@pytest.mark.parametrize("with_arms", [True, False])
def test_lengths_and_moment_arms_of_other_poses(with_arms):
    """A leg whose lengths are no polynomials, fitted to 200 poses around a cycle."""
    fit = fit_paths(samples(POSES), coordinates=CROSSED, with_arms=with_arms)
    for error in path_errors(fit.paths, samples()):
        assert error.length_rms < 2e-5
        assert max(error.arm_rms.values()) < 3e-4
    for path, error, held_out in zip(fit.paths.paths, fit.errors, fit.held_out, strict=True):
        assert path.coordinate_names == CROSSED[path.mtu]
        assert error.mtu == held_out.mtu == path.mtu
        assert error.length_rms < 3.0 * held_out.length_rms + 1e-6


def test_the_order_is_no_higher_than_it_needs_to_be():
    """The vastus lateralis is a polynomial of order 3, the soleus is none."""
    fit = fit_paths(samples(POSES), coordinates=CROSSED)
    orders = {path.mtu: path.order for path in fit.paths.paths}
    assert orders["vaslat"] == 3
    assert max(orders.values()) > 3
    lower = fit_paths(samples(POSES), coordinates=CROSSED, highest_order=2)
    assert max(path.order for path in lower.paths.paths) == 2


def test_without_a_model_a_path_depends_on_what_it_has_moment_arms_about():
    fit = fit_paths(samples(POSES))
    assert {path.mtu: path.coordinate_names for path in fit.paths.paths} == CROSSED


def test_a_contradicting_moment_arm_is_left_out_and_named():
    given = samples(POSES)
    arms = given.moment_arm.copy()
    arms[:, COORDINATES.index("knee_angle"), given.mtu_names.index("gaslat")] *= -1.0
    fit = fit_paths(dataclasses.replace(given, moment_arm=arms), coordinates=CROSSED)
    (one,) = fit.contradictions
    assert (one.mtu, one.dof) == ("gaslat", "knee_angle")
    (error,) = (one for one in path_errors(fit.paths, samples()) if one.mtu == "gaslat")
    assert error.arm_rms["knee_angle"] < 1e-3
    (error,) = (one for one in fit.errors if one.mtu == "gaslat")
    assert error.arm_rms["knee_angle"] > 0.03


@pytest.mark.parametrize("knee", [0.0, 0.1, 1e-7])
def test_moment_arms_that_poses_do_not_determine_are_a_warning(knee):
    """Coordinates that only moved together share out the length in any way."""
    q = gait()
    q[:, 1] = 0.5 * q[:, 0] + knee * q[:, 2]
    with pytest.warns(CeinmsTorchWarning, match="not determined by these poses, .* about hip_"):
        fit_paths(samples(q, dofs=[]), coordinates=CROSSED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_paths(samples(q), coordinates=CROSSED)  # with moment arms they are
        fit_paths(samples(POSES, dofs=[]), coordinates=CROSSED)


def test_coordinates_that_do_not_move_are_none():
    q = POSES.copy()
    q[:, 1] = 0.1
    fit = fit_paths(samples(q), coordinates=CROSSED)
    assert all("hip_adduction" not in path.coordinate_names for path in fit.paths.paths)
    still = dataclasses.replace(samples(POSES), coordinates=np.zeros_like(POSES))
    with pytest.raises(DataError, match="glutmed: expected an MTU whose length depends on a coord"):
        fit_paths(still, coordinates=CROSSED)


def test_paths_know_the_ranges_that_they_were_fitted_to():
    fit = fit_paths(samples(POSES), coordinates=CROSSED)
    low, high = POSES[:, 2].min(), POSES[:, 2].max()
    assert fit.paths.fitted_ranges["knee_angle"] == (low, high)
    beyond = gait()[:, [COORDINATES.index(name) for name in fit.paths.coordinate_names]]
    beyond[0, fit.paths.coordinate_names.index("knee_angle")] = high + 0.2
    with pytest.warns(CeinmsTorchWarning, match="knee_angle is .* beyond what the paths were fit"):
        fit.paths.evaluate(beyond)


def test_coordinates_are_written_by_their_paths():
    fit = fit_paths(samples(POSES), coordinate_paths={"knee_angle": "/jointset/knee/knee_angle"})
    vaslat = fit.paths.select(["vaslat"]).paths[0]
    assert vaslat.coordinate_paths == ("/jointset/knee/knee_angle",)
    assert vaslat.coordinate_names == ("knee_angle",)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(DataError, match=r"glutmed: expected at least 7 poses for 2 coord.* got 5"):
        fit_paths(samples(POSES[:5]), coordinates=CROSSED, with_arms=False)
    with pytest.raises(OptionError, match="highest_order: expected 1 to 12, got 0"):
        fit_paths(samples(POSES), highest_order=0)
    paths = fit_paths(samples(POSES)).paths
    with pytest.raises(UnknownNameError, match="an MTU with a path, got 'other'"):
        path_errors(paths, dataclasses.replace(samples(), mtu_names=(*list(CROSSED)[:4], "other")))


def test_samples_must_fit_together():
    good = samples()
    for change, message in (
        ({"coordinates": good.coordinates[:, :3]}, r"coordinates: expected shape \(120, 4\)"),
        ({"mtu_length": good.mtu_length * np.nan}, "mtu_length: expected finite numbers"),
        ({"mtu_names": ("a", "a", "b", "c", "d")}, "every name once, got a twice"),
        ({"dof_names": ("hip_flexion", "x", "knee_angle", "ankle_angle")}, "values are known.*x"),
    ):
        with pytest.raises(DataError, match=message):
            dataclasses.replace(good, **change)
