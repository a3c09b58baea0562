"""Forces of all muscles that joints depend on: those that are known, and those of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.optimize

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, OptionError, did_you_mean
from ceinms_torch.loads.maps import LoadMaps

# What the other muscles do: nothing, what shares the moments that are left by the least sum of
# squared activations, or what somebody else says, by name (n_step,) [N].
Others = Literal["silent", "optimise"] | Mapping[str, FloatArray]

# A reserve of 1 N m costs as much as a fully active muscle: OpenSim's usual optimal force of 1.
_RESERVE = 1.0
_NAMED = 8  # muscles that a message names


@dataclass(frozen=True, kw_only=True, eq=False)
class AllForces:
    """Forces of every actuator of `LoadMaps`.

    Parameters
    ----------
    array : ndarray (n_step, n_actuator)
        [N].
    optimised : tuple of str
        Muscles whose forces static optimisation chose.
    silent : tuple of str
        Muscles and other actuators on which the joints' loads depend, taken to bear nothing.
    """

    array: FloatArray
    optimised: tuple[str, ...]
    silent: tuple[str, ...]

    def in_words(self, *, given: bool) -> str:
        """Say what the muscles did that no force was calculated for."""
        parts = []
        if given:
            parts.append("forces given by a file")
        if self.optimised:
            parts.append(f"static optimisation of {len(self.optimised)}")
        if self.silent:
            parts.append(f"{len(self.silent)} silent ({listed(self.silent)})")
        return "; ".join(parts) or "none"


def all_forces(
    maps: LoadMaps, forces: Mapping[str, FloatArray], others: Others | None = None
) -> AllForces:
    """Complete the forces of some muscles by those of the others.

    Parameters
    ----------
    maps : LoadMaps
        What depends on them.
    forces : mapping of str to ndarray (n_step,)
        Forces along the tendon [N] by muscle. Order does not matter.
    others : "silent", "optimise" or mapping, optional
        What all other muscles do on which the joints' loads depend. Without it there must be none.

    Returns
    -------
    AllForces

    Raises
    ------
    DataError
        If a muscle that matters has no force and nothing says what it does, or a force is not
        finite.
    OptionError
        If `maps` lack the others that are to be optimised.
    """
    known = dict(forces)
    if isinstance(others, Mapping):
        known = {**others, **known}
    missing = [name for name in maps.acting if name not in known]
    if missing and (others is None or isinstance(others, Mapping)):
        raise DataError(
            where=", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else ""),
            expected=f"forces of all {len(maps.acting)} muscles on which {_joint_list(maps)} "
            f"depend{'s' if len(maps.joints) == 1 else ''}",
            got=f"none of {len(missing)} of them",
            hint=did_you_mean(missing[0], set(known) - set(maps.acting))
            or "say what the others do: --others silent, optimise, or a file with their forces",
            code="forces-missing",
        )
    array = np.zeros((len(maps.time), len(maps.actuators)))
    for name in maps.actuators:
        if name in known:
            array[:, maps.actuators.index(name)] = _checked(name, known[name], len(maps.time))
    optimised: tuple[str, ...] = ()
    if others == "optimise":
        if not set(missing) <= set(maps.actuators):
            raise OptionError(
                where="others", expected="maps of all muscles (and_others=True)", got="of some"
            )
        places = [
            i
            for i, name in enumerate(maps.actuators)
            if name not in known and np.isfinite(maps.capacity[:, i]).all()
        ]
        optimised = tuple(maps.actuators[i] for i in places)
        array[:, places] = static_optimisation(maps, array, places)
    silent = tuple(name for name in missing if name not in optimised)
    return AllForces(array=array, optimised=optimised, silent=silent)


def static_optimisation(maps: LoadMaps, force: FloatArray, free: list[int]) -> FloatArray:
    """Share the moments that forces leave among other muscles, frame by frame.

    Activations that the model allows have the least sum of squares, to which reserves add theirs in
    N m; a muscle's force is its activation times what it can at that length and velocity with a
    rigid tendon, as in OpenSim's StaticOptimization with muscle physiology.

    Parameters
    ----------
    maps : LoadMaps
        Moment arms and capacities.
    force : ndarray (n_step, n_actuator)
        Forces of those that are known, 0 of the others [N].
    free : list of int
        Places of the muscles that share.

    Returns
    -------
    ndarray (n_step, len(free))
        [N].
    """
    left = maps.reserves(force)
    arm = maps.moment_arm[:, :, free]
    rows = maps.acted_on()
    result = np.zeros((len(maps.time), len(free)))
    bounds = tuple(maps.controls[free].T)
    capacity = np.maximum(maps.capacity[:, free], 0.0)
    for i in range(len(maps.time)):
        provided = arm[i, rows] * capacity[i] / _RESERVE
        system = np.vstack((np.eye(len(free)), provided))
        wanted = np.concatenate((np.zeros(len(free)), left[i, rows] / _RESERVE))
        found = scipy.optimize.lsq_linear(system, wanted, bounds, method="bvls")
        result[i] = found.x * capacity[i]
    return result


def listed(names: tuple[str, ...]) -> str:
    """Return names with commas, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _joint_list(maps: LoadMaps) -> str:
    return ", ".join(maps.joint_names)


def _checked(name: str, values: FloatArray, n_step: int) -> FloatArray:
    if np.shape(values) != (n_step,):
        raise DataError(
            where=name, expected=f"a force at each of {n_step} times", got=str(np.shape(values))
        )
    if not np.isfinite(values).all():
        raise DataError(where=name, expected="finite forces", got="NaN or infinity")
    return values
