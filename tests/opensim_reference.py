"""What OpenSim's own tools give, run by an interpreter that has opensim.

Arguments: model, motion, external loads (with the absolute path of their data), folder for the
results, first and last time [s]. Writes static optimisation's forces, joint reactions of these
forces, and lengths and moment arms.
"""

import os
import sys
from pathlib import Path

import opensim as osim

JOINTS = ("hip_r", "walker_knee_r", "ankle_r")
DOFS = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")


def words(*names):
    found = osim.ArrayStr()
    for name in names:
        found.append(name)
    return found


def analyse(model_file, analysis, folder, motion, loads, times, lowpass):
    model = osim.Model(model_file)
    model.initSystem()
    analysis.setStartTime(times[0])
    analysis.setEndTime(times[1])
    model.addAnalysis(analysis)
    tool = osim.AnalyzeTool(model)
    tool.setName("reference")
    tool.setCoordinatesFileName(motion)
    tool.setLowpassCutoffFrequency(lowpass)
    if loads:
        tool.setExternalLoadsFileName(loads)
    tool.setLoadModelAndInput(True)
    tool.setResultsDir(folder)
    tool.setStartTime(times[0])
    tool.setFinalTime(times[1])
    tool.setSolveForEquilibrium(False)
    assert tool.run()


def main(model_file, motion, loads, folder, begin, end):
    os.chdir(folder)
    times = float(begin), float(end)
    model = osim.Model(model_file)
    coordinates = model.getCoordinateSet()
    for i in range(coordinates.getSize()):
        name = coordinates.get(i).getName()
        if name.endswith("_beta"):  # follows the knee
            continue
        reserve = osim.CoordinateActuator(name)
        reserve.setName(f"{name}_reserve")
        reserve.setOptimalForce(100.0 if name.startswith("pelvis") else 1.0)
        reserve.setMinControl(-1e4)
        reserve.setMaxControl(1e4)
        model.addForce(reserve)
    model.finalizeConnections()
    with_reserves = str(Path(folder) / "with_reserves.osim")
    model.printToXML(with_reserves)

    static = osim.StaticOptimization()
    static.setActivationExponent(2)
    static.setUseMusclePhysiology(True)
    static.setConvergenceCriterion(1e-4)
    static.setMaxIterations(100)
    analyse(with_reserves, static, folder, motion, loads, times, 6.0)
    for on, frame in (("child", "ground"), ("child", "child"), ("parent", "parent")):
        reaction = osim.JointReaction()
        reaction.setName(f"{on}_in_{frame}")
        reaction.setForcesFileName(str(Path(folder) / "reference_StaticOptimization_force.sto"))
        reaction.setJointNames(words(*JOINTS))
        reaction.setOnBody(words(on))
        reaction.setInFrame(words(frame))
        analyse(with_reserves, reaction, folder, motion, loads, times, 6.0)
    muscles = osim.MuscleAnalysis()
    muscles.setCoordinates(words(*DOFS))
    muscles.setComputeMoments(True)
    analyse(model_file, muscles, folder, motion, "", (times[0], times[0] + 0.02), -1.0)


main(*sys.argv[1:])
