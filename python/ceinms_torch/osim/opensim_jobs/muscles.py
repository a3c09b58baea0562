"""MTU lengths and moment arms, as OpenSim's MuscleAnalysis gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .model import Motion, Posed, load_model, names_in
from .protocol import Channel, Fault

_PROBED = 9  # poses in which MTUs that act are looked for


def muscle_analysis(job: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Write lengths (n, n_mtu) and moment arms (n, n_dof, n_mtu) [m] at the rows of a motion."""
    model, state = load_model(job["model"])
    posed = Posed(model, state)
    motion = Motion(posed, job["motion"], job["lowpass"])
    dofs = _chosen("a coordinate of the model", job["dofs"], posed.names)
    lacking = [name for name in dofs if name in motion.missing]
    if lacking:
        raise Fault(
            ", ".join(lacking),
            "a column for every DOF whose moment arms are wanted",
            "a motion without it",
            code="motion-lacks-dof",
        )
    muscles = model.getMuscles()
    known = names_in(muscles)
    names = _chosen("a muscle of the model", job["mtus"], known)
    coordinates = [posed.coordinates[posed.names.index(name)] for name in dofs]
    begin, end = job["start_stop_time"] or (-np.inf, np.inf)
    rows = np.flatnonzero((motion.time >= begin - 1e-9) & (motion.time <= end + 1e-9))
    if not len(rows):
        raise Fault("start_stop_time", "a part of the motion", "none of its rows")

    def arms(row: int, which: list[str]) -> np.ndarray:
        posed.set_pose(motion.value[row])
        return np.array(
            [
                [muscles.get(name).computeMomentArm(state, one) for name in which]
                for one in coordinates
            ]
        ).reshape(len(coordinates), len(which))

    largest = None
    if job["least_arm"] is not None:
        probed = np.unique(np.linspace(0, len(rows) - 1, _PROBED).round().astype(int))
        largest = np.max([np.abs(arms(int(rows[i]), names)) for i in probed], axis=0)
        names = [name for i, name in enumerate(names) if (largest[:, i] > job["least_arm"]).any()]
    length = np.empty((len(rows), len(names)))
    arm = np.empty((len(rows), len(dofs), len(names)))
    for i, row in enumerate(rows):
        arm[i] = arms(int(row), names)
        length[i] = [muscles.get(name).getLength(state) for name in names]
        if i % 10 == 0:
            channel.progress(i, len(rows))
    channel.progress(len(rows), len(rows))
    np.savez(job["output"], time=motion.time[rows], length=length, arm=arm)
    return {"mtus": names, "dofs": dofs, "missing": motion.missing}


def _chosen(what: str, wanted: list[str] | None, known: list[str]) -> list[str]:
    for name in wanted or ():
        if name not in known:
            raise Fault(name, f"the name of {what}", repr(name), "There are " + ", ".join(known))
    return known if wanted is None else wanted
