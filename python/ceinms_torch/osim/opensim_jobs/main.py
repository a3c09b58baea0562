"""Do one job and answer."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, Callable

from .protocol import Channel, Fault, read_job

Job = Callable[[dict[str, Any], Channel], dict[str, Any]]


def main() -> None:
    """Read a job from standard input, do it in its folder, and send the result or what is wrong."""
    channel = Channel()
    job = read_job()
    os.chdir(job["directory"])  # where OpenSim leaves its opensim.log
    try:
        result = _job(job["job"])(job, channel)
    except Fault as fault:
        channel.send("fault", fault.parts)
    except Exception as error:  # noqa: BLE001  whatever OpenSim throws is an answer
        traceback.print_exc()
        channel.send("failure", str(error).strip().split("\n\tThrown at")[0])
    else:
        channel.send("result", result)
    sys.stdout.flush()
    # Without destructors, which in some versions of OpenSim crash after the work is done.
    os._exit(0)


def _job(name: str) -> Job:
    try:
        import opensim  # noqa: PLC0415
    except ImportError as error:
        raise Fault(
            "opensim",
            "an interpreter that imports opensim",
            f"{sys.executable}, which says: {error}",
            "Install it with pip install 'ceinms-torch[opensim]', or name an interpreter that has "
            "it (of a conda environment, for example) with --opensim-python",
            code="opensim-missing",
        ) from error
    opensim.Logger.setLevelString("Info")
    # Pictures of bones are not needed here, and 80 lines say that they are missing.
    if hasattr(opensim.Logger, "removeFileSink"):
        opensim.Logger.removeFileSink()
    from . import dynamics, kinematics, loads, muscles  # noqa: PLC0415  need opensim

    jobs: dict[str, Job] = {
        "version": lambda _job, _channel: {"version": opensim.GetVersion()},
        "inverse_kinematics": kinematics.inverse_kinematics,
        "inverse_dynamics": dynamics.inverse_dynamics,
        "muscle_analysis": muscles.muscle_analysis,
        "load_maps": loads.load_maps,
    }
    return jobs[name]
