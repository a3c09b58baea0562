"""Inverse kinematics by OpenSim's own tool."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import opensim as osim

from .model import load_model, names_in
from .protocol import Channel, Fault


def inverse_kinematics(job: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Write the motion that brings the model's markers nearest to those measured."""
    model, _ = load_model(job["model"])
    directory = job["directory"]
    if job["setup_root"] == "IKTaskSet":
        tool = osim.InverseKinematicsTool()
        tool.set_IKTaskSet(osim.IKTaskSet(job["setup"]))
    else:
        tool = osim.InverseKinematicsTool(job["setup"], False)
        if job["coordinate_file"]:
            tool.setCoordinateFileName(job["coordinate_file"])
    os.chdir(directory)  # reading a setup leaves it for the setup's folder
    tool.setModel(model)
    tool.setName("ik")
    tool.setMarkerDataFileName(job["markers"])
    data = osim.MarkerData(job["markers"])
    begin, end = job["start_stop_time"] or (data.getStartFrameTime(), data.getLastFrameTime())
    tool.setStartTime(begin)
    tool.setEndTime(end)
    tool.setResultsDir(directory)
    tool.setOutputMotionFileName(job["output"])
    tool.set_report_errors(True)
    tool.set_report_marker_locations(True)
    used, lacking = _markers(tool, model, data)
    if not used:
        raise Fault(
            "markers",
            "markers that the model, its tasks and the recording have in common",
            "none",
            "Give markers one name in the model, the tasks and the recording",
            code="markers-none",
            file=job["markers"],
        )
    channel.progress(0, 1)
    if not tool.run():
        raise Fault("inverse kinematics", "a solution", "none", "See OpenSim's messages")
    channel.progress(1, 1)
    rms, largest = _distances(data, used, directory)
    return {
        "errors": os.path.join(directory, "ik_ik_marker_errors.sto"),  # noqa: PTH118
        "marker_rms": rms,
        "marker_largest": largest,
        "lacking": lacking,
    }


def _distances(
    data: Any, used: list[str], directory: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Return by marker the root mean square and the largest of its distances [m]."""
    locations = osim.TimeSeriesTable(
        os.path.join(directory, "ik_ik_model_marker_locations.sto")  # noqa: PTH118
    )
    times = np.array(locations.getIndependentColumn())
    data.convertToUnits(osim.Units("m"))
    recorded_at = np.array([data.getFrame(i).getFrameTime() for i in range(data.getNumFrames())])
    rows = [int(np.abs(recorded_at - time).argmin()) for time in times]
    rms, largest = {}, {}
    for name in used:
        column = np.column_stack(
            [locations.getDependentColumn(f"{name}_t{axis}").to_numpy() for axis in "xyz"]
        )
        index = data.getMarkerIndex(name)
        recorded = np.array([data.getFrame(row).getMarker(index).to_numpy() for row in rows])
        distance = np.linalg.norm(column - recorded, axis=1)
        distance = distance[np.isfinite(distance)]  # a frame may lack it
        if len(distance):
            rms[name] = float(np.sqrt(np.mean(distance**2)))
            largest[name] = float(distance.max())
    return rms, largest


def _markers(tool: Any, model: Any, data: Any) -> tuple[list[str], dict[str, str]]:
    """Return markers that count, and those with a task that do not, with what lacks them."""
    in_model = set(names_in(model.getMarkerSet()))
    recorded = data.getMarkerNames()
    in_data = {recorded.get(i) for i in range(recorded.getSize())}
    used, lacking = [], {}
    tasks = tool.getIKTaskSet()
    for i in range(tasks.getSize()):
        task = tasks.get(i)
        if task.getConcreteClassName() != "IKMarkerTask" or not task.getApply():
            continue
        name = task.getName()
        if name not in in_model:
            lacking[name] = "model"
        elif name not in in_data:
            lacking[name] = "recording"
        else:
            used.append(name)
    return used, lacking
