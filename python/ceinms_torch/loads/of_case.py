"""From a trial's muscle forces to the loads of its joints, OpenSim's part included."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ceinms_torch.errors import DataError, Place
from ceinms_torch.io.storage import Storage
from ceinms_torch.loads.cases import LoadCase
from ceinms_torch.loads.checks import compare_with_trial
from ceinms_torch.loads.joint_loads import Frame, JointLoads, Side, joint_loads
from ceinms_torch.loads.maps import LoadMaps, load_maps
from ceinms_torch.loads.others import Others
from ceinms_torch.osim.model_file import OsimModel, read_model
from ceinms_torch.osim.process import OpenSim, PathLike, Progress


def loads_of_case(
    opensim: OpenSim,
    model: PathLike | OsimModel,
    case: LoadCase,
    *,
    others: Others | Storage | None = None,
    joints: Sequence[str] | None = None,
    on: Side = "child",
    frame: Frame = "child",
    lowpass: float | None = 6.0,
    mass: float | None = None,
    progress: Progress | None = None,
) -> JointLoads:
    """Return what joints bear in a trial.

    Parameters
    ----------
    opensim : OpenSim
        Who computes the dynamics.
    model : path-like or OsimModel
        The scaled model (.osim).
    case : LoadCase
        The trial, with a motion.
    others : "silent", "optimise", mapping or Storage, optional
        What other muscles do, as for `joint_loads`; of a storage file, forces by name [N].
    joints : sequence of str, optional
        Joints of the model; by default those of the trial's DOFs, or all on which its muscles act.
    on, frame
        As for `joint_loads`.
    lowpass : float, optional
        Cut-off frequency of OpenSim's filter of the coordinates [Hz]; None for none.
    mass : float, optional
        The person's mass [kg], for loads in body weights; by default the model's.
    progress : callable, optional
        Called with the number of frames done, and of all.

    Returns
    -------
    JointLoads

    Raises
    ------
    FileFormatError, DataError, UnknownNameError
        As `load_maps` and `joint_loads`, or if there is no motion, or MTUs are not in the model.
    """
    if case.motion is None:
        raise DataError(
            where=Place(trial=case.name),
            expected="the motion that it was made from",
            got="none",
            hint="name it with --motion, or write <motionFile> into its inputData.xml",
            code="motion-missing",
        )
    if not isinstance(model, OsimModel):
        model = read_model(model)
    muscles = {one.name for one in model.muscles}
    if case.is_of_subject:
        for name in case.force:
            model.muscle(name)
    elif not muscles & set(case.force):
        raise DataError(
            where=f"forces of {case.name}",
            expected="columns named as muscles of the model",
            got=", ".join(case.force.columns[:8]),
            hint=f"the first muscles of '{model.path}' are "
            + ", ".join(one.name for one in model.muscles[:8]),
            code="forces-missing",
        )
    time = case.force.time
    given = others if not isinstance(others, Storage) else _at(others, case)
    every = joints or [one.name for one in model.joints if one.coordinate_names]
    by_dofs = joints is None and bool(case.dofs)
    maps = load_maps(
        opensim,
        model,
        case.motion,
        time,
        actuators=[name for name in case.force if name in muscles],
        also=[*case.force, *(given if isinstance(given, dict) else ())],
        joints=None if by_dofs else every,
        dofs=case.dofs,
        and_others=others == "optimise",
        external_loads=case.external_loads,
        ground_forces=case.ground_forces,
        lowpass=lowpass,
        mass=mass,
        progress=progress,
    )
    if not by_dofs and joints is None:
        maps = _acted_on(maps)
    if case.trial is not None:
        compare_with_trial(maps, case.trial)
    return joint_loads(
        maps,
        case.force,
        name=case.name,
        others=given,
        alike=case.alike,
        level=case.level,
        on=on,
        frame=frame,
    )


def _at(storage: Storage, case: LoadCase) -> dict[str, np.ndarray]:
    """Return forces of a file at the times of a trial."""
    time = case.force.time
    if storage.time[0] > time[0] + 1e-6 or storage.time[-1] < time[-1] - 1e-6:
        raise DataError(
            where=Place(storage.path, element="time"),
            expected=f"forces from {time[0]:g} to {time[-1]:g} s, the times of {case.name}",
            got=f"{storage.time[0]:g} to {storage.time[-1]:g} s",
            code="times-not-covered",
        )
    return {
        name: np.interp(time, storage.time, storage.values[:, i])
        for i, name in enumerate(storage.columns)
    }


def _acted_on(maps: LoadMaps) -> LoadMaps:
    """Return the maps of joints that have a coordinate on which a muscle acts."""
    names = {maps.coordinates[i] for i in maps.acted_on()}
    places = [i for i, one in enumerate(maps.joints) if names & set(one.coordinate_names)]
    return dataclasses.replace(
        maps,
        joints=tuple(maps.joints[i] for i in places),
        net_reaction=maps.net_reaction[:, places],
        reaction=maps.reaction[:, places],
        parent=maps.parent[:, places],
        child=maps.child[:, places],
    )
