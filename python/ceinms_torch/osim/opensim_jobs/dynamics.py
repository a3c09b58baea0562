"""Inverse dynamics by OpenSim's own tool."""

from __future__ import annotations

from typing import Any

import opensim as osim

from .model import Motion, Posed, load_model
from .protocol import Channel, Fault


def inverse_dynamics(job: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Write the generalised forces that make a motion."""
    model, state = load_model(job["model"])
    Motion(Posed(model, state), job["motion"], None).require_all()
    tool = osim.InverseDynamicsTool()
    tool.setModel(model)
    tool.setCoordinatesFileName(job["motion"])
    tool.setLowpassCutoffFrequency(-1.0 if job["lowpass"] is None else job["lowpass"])
    if job["external_loads"]:
        tool.setExternalLoadsFileName(job["external_loads"])
    excluded = osim.ArrayStr()
    excluded.append("Muscles")  # their passive forces are no part of the net moment
    tool.setExcludedForces(excluded)
    tool.setStartTime(job["start_stop_time"][0])
    tool.setEndTime(job["start_stop_time"][1])
    tool.setResultsDir(job["directory"])
    tool.setOutputGenForceFileName("inverse_dynamics.sto")
    channel.progress(0, 1)
    if not tool.run():
        raise Fault("inverse dynamics", "a solution", "none", "See OpenSim's messages")
    channel.progress(1, 1)
    return {}
