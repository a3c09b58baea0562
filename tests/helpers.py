"""Makers of small inputs that many tests share."""

import dataclasses
import math
from pathlib import Path

import numpy as np

import ceinms_torch as ct
from ceinms_torch.simulation.legacy.run import run_legacy

MTU_NAMES = ("soleus_r", "gasmed_r", "recfem_r")
DOF_NAMES = ("knee_angle_r", "ankle_angle_r")
DOF_MTUS = {"knee_angle_r": ("gasmed_r", "recfem_r"), "ankle_angle_r": ("soleus_r", "gasmed_r")}

# optimal fibre length [m], pennation [rad], tendon slack length [m], maximum isometric force [N]
_MTU_VALUES = {
    "soleus_r": (0.05, 0.4363, 0.25, 3549.0),
    "gasmed_r": (0.06, 0.2967, 0.39, 1558.0),
    "recfem_r": (0.114, 0.0873, 0.31, 1169.0),
}
# mean, swing per rad of ankle and knee angle [m]
_LENGTHS = {
    "soleus_r": (0.298, 0.044, 0.0),
    "gasmed_r": (0.450, 0.045, -0.018),
    "recfem_r": (0.422, 0.0, 0.042),
}

CURVES = {
    "activeForceLength": (
        (
            "-5 0 0.401 0.402 0.4035 0.52725 0.62875 0.71875 0.86125 1.045 1.2175 1.43875 1.61875 "
            "1.62 1.621 2.2 5"
        ),
        "0 0 0 0 0 0.226667 0.636667 0.856667 0.95 0.993333 0.77 0.246667 0 0 0 0 0",
    ),
    "passiveForceLength": (
        "-5 0.998 0.999 1 1.1 1.2 1.3 1.4 1.5 1.6 1.601 1.602 5",
        "0 0 0 0 0.035 0.12 0.26 0.55 1.17 2 2 2 2",
    ),
    "forceVelocity": (
        "-10 -1 -0.6 -0.3 -0.1 0 0.1 0.3 0.6 0.8 10",
        "0 0 0.08 0.2 0.55 1 1.4 1.6 1.7 1.75 1.75",
    ),
    "tendonForceStrain": (
        (
            "-10 -0.002 -0.001 0 0.00131 0.00281 0.00431 0.00581 0.00731 0.00881 0.0103 0.0118 "
            "0.0123 9.2 9.201 9.202 20"
        ),
        "0 0 0 0 0.0108 0.0257 0.0435 0.0652 0.0915 0.123 0.161 0.208 0.227 345 345 345 345",
    ),
}

ANNEALING = """<simulatedAnnealing>
      <noEpsilon>2</noEpsilon>
      <rt>0.3</rt>
      <T>20</T>
      <NS>2</NS>
      <NT>2</NT>
      <epsilon>1E-3</epsilon>
      <maxNoEval>100</maxNoEval>
    </simulatedAnnealing>"""


def write_tiny_folder(
    path,
    *,
    tendon="<stiff/>",
    activation="exponential",
    mode="offline",
    type_xml="<openLoop/>",
    algorithm=ANNEALING,
    em_delay=0.015,
    curves=True,
    unrecorded=(),
    n_trial=2,
    n_step=30,
):
    """Write a complete CEINMS folder: 3 MTUs, 2 DOFs, smooth signals.

    The trials are 100 Hz, their EMG 200 Hz from 0.2 s before to 0.05 s after. Files: subject.xml,
    excitationGenerator.xml, calibration.xml, calibrationSetup.xml, execution.xml, setup.xml and
    trial1/{inputData.xml, lmt.sto, ma_<dof>.sto, emg.mot, id.sto}, trial2/...

    Parameters
    ----------
    path : path-like
        The folder, created if needed.
    tendon : str
        XML of the tendon.
    activation : {"exponential", "piecewise"}
    mode : {"offline", "online"}
        Element of execution.xml.
    type_xml : str
        XML of the model type in execution.xml.
    algorithm : str
        XML of the calibration algorithm.
    em_delay : float
        Electromechanical delay [s].
    curves : bool
        Whether the subject has the four curves of the CEINMS manual.
    unrecorded : tuple of str
        MTUs without a signal.
    n_trial : int
    n_step : int
        Rows of every trial.

    Returns
    -------
    Path
        The folder.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    trials = [f"trial{i + 1}" for i in range(n_trial)]
    for i, trial in enumerate(trials):
        _write_trial(folder / trial, phase=0.8 * i, n_step=n_step)
    shape_factor = -1.0 if activation == "exponential" else 0.06
    texts = {
        "subject.xml": _subject(em_delay, curves, shape_factor),
        "excitationGenerator.xml": _generator(unrecorded),
        "calibration.xml": _calibration(tendon, activation, algorithm, trials),
        "execution.xml": f"""<execution>
  <NMSmodel>
    <type>{type_xml}</type>
    <tendon>{tendon}</tendon>
    <activation><{activation}/></activation>
  </NMSmodel>
  <{mode}/>
</execution>
""",
        "setup.xml": """<ceinms>
  <subjectFile>subject.xml</subjectFile>
  <inputDataFile>trial1/inputData.xml</inputDataFile>
  <executionFile>execution.xml</executionFile>
  <excitationGeneratorFile>excitationGenerator.xml</excitationGeneratorFile>
  <outputDirectory>output</outputDirectory>
</ceinms>
""",
        "calibrationSetup.xml": """<ceinmsCalibration>
  <subjectFile>subject.xml</subjectFile>
  <excitationGeneratorFile>excitationGenerator.xml</excitationGeneratorFile>
  <calibrationFile>calibration.xml</calibrationFile>
  <outputSubjectFile>calibrated/subject.xml</outputSubjectFile>
</ceinmsCalibration>
""",
    }
    for name, text in texts.items():
        (folder / name).write_text('<?xml version="1.0" encoding="UTF-8"?>\n' + text)
    return folder


def edit(path, old, new, count=1):
    """Replace text in a file that must contain it.

    Parameters
    ----------
    path : path-like
        The file.
    old, new : str
        What to replace by what.
    count : int
        How many occurrences, from the start.
    """
    path = Path(path)
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, count))


def line_with(path, text, occurrence=1):
    """Return the number of a line, from 1, that contains a text.

    Parameters
    ----------
    path : path-like
        The file.
    text : str
        What the line must contain.
    occurrence : int
        Which such line, from 1.

    Returns
    -------
    int
    """
    lines = Path(path).read_text().split("\n")
    return [i for i, line in enumerate(lines, start=1) if text in line][occurrence - 1]


def storage_text(name, time, columns, values):
    """Return the text of a storage file.

    Parameters
    ----------
    name : str
        First header line.
    time : ndarray (n_row,)
        Times [s].
    columns : sequence of str
        Labels without time.
    values : ndarray (n_row, n_column)
        The numbers.

    Returns
    -------
    str
    """
    head = [name, "version=1", f"nRows={len(time)}", f"nColumns={len(columns) + 1}"]
    rows = ["\t".join(f"{v:.10g}" for v in (t, *row)) for t, row in zip(time, values, strict=True)]
    return "\n".join([*head, "inDegrees=no", "endheader", "\t".join(("time", *columns)), *rows, ""])


def _subject(em_delay, curves, shape_factor):
    points = "\n".join(
        f"    <curve>\n      <name>{name}</name>\n      <xPoints>{x}</xPoints>\n"
        f"      <yPoints>{y}</yPoints>\n    </curve>"
        for name, (x, y) in (CURVES if curves else {}).items()
    )
    mtus = "\n".join(
        f"""    <mtu>
      <name>{name}</name>
      <c1>-0.6</c1>
      <c2>-0.4</c2>
      <shapeFactor>{shape_factor}</shapeFactor>
      <optimalFibreLength>{fibre}</optimalFibreLength>
      <pennationAngle>{pennation}</pennationAngle>
      <tendonSlackLength>{tendon}</tendonSlackLength>
      <maxIsometricForce>{force}</maxIsometricForce>
      <strengthCoefficient>1</strengthCoefficient>
    </mtu>"""
        for name, (fibre, pennation, tendon, force) in _MTU_VALUES.items()
    )
    dofs = "\n".join(
        f"    <dof>\n      <name>{dof}</name>\n"
        f"      <mtuNameSet>{' '.join(names)}</mtuNameSet>\n    </dof>"
        for dof, names in DOF_MTUS.items()
    )
    return f"""<subject>
  <mtuDefault>
    <emDelay>{em_delay}</emDelay>
    <percentageChange>0.15</percentageChange>
    <damping>0.1</damping>
{points}
  </mtuDefault>
  <mtuSet>
{mtus}
  </mtuSet>
  <dofSet>
{dofs}
  </dofSet>
  <calibrationInfo>
    <uncalibrated>
      <subjectID>tiny</subjectID>
      <additionalInfo>made up</additionalInfo>
    </uncalibrated>
  </calibrationInfo>
</subject>
"""


def _generator(unrecorded):
    excitations = "\n".join(
        f'    <excitation id="{name}"/>'
        if name in unrecorded
        else f'    <excitation id="{name}">\n      <input weight="1">{name}_emg</input>\n'
        "    </excitation>"
        for name in MTU_NAMES
    )
    signals = " ".join(f"{name}_emg" for name in MTU_NAMES)
    return f"""<excitationGenerator>
  <inputSignals type="EMG">{signals}</inputSignals>
  <mapping>
{excitations}
  </mapping>
</excitationGenerator>
"""


def _calibration(tendon, activation, algorithm, trials):
    shape = "-2.999 -0.001" if activation == "exponential" else "0.01 0.12"
    specs = (
        ("c1", "<single/>", "absolute", "-0.95 -0.05"),
        ("c2", "<single/>", "absolute", "-0.95 -0.05"),
        ("shapeFactor", "<global/>", "absolute", shape),
        ("optimalFibreLength", "<single/>", "relativeToSubjectValue", "0.9 1.1"),
        ("tendonSlackLength", "<single/>", "relativeToSubjectValue", "0.95 1.05"),
        (
            "strengthCoefficient",
            (
                "<muscleGroups>\n            <muscles>soleus_r gasmed_r</muscles>\n"
                "            <muscles>recfem_r</muscles>\n          </muscleGroups>"
            ),
            "absolute",
            "0.5 2.5",
        ),
    )
    parameters = "\n".join(
        f"""        <parameter>
          <name>{name}</name>
          {scope}
          <{bounds}>
            <range>{low_high}</range>
          </{bounds}>
        </parameter>"""
        for name, scope, bounds, low_high in specs
    )
    return f"""<calibration>
  <algorithm>
    {algorithm}
  </algorithm>
  <NMSmodel>
    <type>
      <openLoop/>
    </type>
    <tendon>{tendon}</tendon>
    <activation><{activation}/></activation>
  </NMSmodel>
  <calibrationSteps>
    <step>
      <dofs>{" ".join(DOF_NAMES)}</dofs>
      <objectiveFunction>
        <minimizeTorqueError/>
      </objectiveFunction>
      <parameterSet>
{parameters}
      </parameterSet>
    </step>
  </calibrationSteps>
  <trialSet>{" ".join(f"{trial}/inputData.xml" for trial in trials)}</trialSet>
</calibration>
"""


def _write_trial(folder, *, phase, n_step):
    folder.mkdir(parents=True)
    time = np.arange(n_step) / 100.0
    ankle = 0.25 * np.sin(2 * math.pi * 1.2 * time + phase)
    knee = 0.4 * np.sin(2 * math.pi * 0.9 * time + phase + 0.5)
    length = np.stack([m + a * ankle + k * knee for m, a, k in _LENGTHS.values()], axis=1)
    # A moment arm is minus the derivative of the MTU length by the angle.
    arms = {
        "knee_angle_r": [-k for _, _, k in _LENGTHS.values()],
        "ankle_angle_r": [-a for _, a, _ in _LENGTHS.values()],
    }
    emg_time = np.arange(-40, 2 * n_step + 9) / 200.0
    emg = np.stack(
        [
            0.35 + 0.25 * np.sin(2 * math.pi * 1.5 * emg_time + phase + shift)
            for shift in (0.0, 0.7, 2.4)
        ],
        axis=1,
    )
    drive = 0.35 + 0.25 * np.sin(
        2 * math.pi * 1.5 * (time[:, None] - 0.05) + phase + np.array([0.0, 0.7, 2.4])
    )
    force = 0.7 * drive * np.array([values[3] for values in _MTU_VALUES.values()])
    moments = np.stack([force @ np.array(arms[dof]) for dof in DOF_NAMES], axis=1)
    files = {
        "lmt.sto": ("Length", time, MTU_NAMES, length),
        "emg.mot": ("EMG", emg_time, [f"{name}_emg" for name in MTU_NAMES], emg),
        "id.sto": ("Inverse Dynamics", time, [f"{dof}_moment" for dof in DOF_NAMES], moments),
    }
    for dof in DOF_NAMES:
        wobble = 1.0 + 0.05 * np.sin(2 * math.pi * time)[:, None]
        values = wobble * np.array(arms[dof])
        files[f"ma_{dof}.sto"] = (f"MomentArm_{dof}", time, MTU_NAMES, values)
    for name, content in files.items():
        (folder / name).write_text(storage_text(*content))
    arm_files = "\n".join(
        f'    <momentArmsFile dofName="{dof}">ma_{dof}.sto</momentArmsFile>' for dof in DOF_NAMES
    )
    (folder / "inputData.xml").write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<inputData>
  <muscleTendonLengthFile>lmt.sto</muscleTendonLengthFile>
  <excitationsFile>emg.mot</excitationsFile>
  <momentArmsFiles>
{arm_files}
  </momentArmsFiles>
  <externalTorquesFile>id.sto</externalTorquesFile>
</inputData>
""")


def run_legacy_folder(folder, solver="annealing"):
    """Run what a folder asks for on the model of CEINMS."""
    return run_legacy(folder.subject, folder.trial, folder.execution, solver)


def write_strength_folder(folder, subject, generator, trials, tendon):
    """Write a calibration of the strength coefficients, 0.5 to 2.5, on all DOFs of a subject.

    Parameters
    ----------
    folder : Path
        Where to write.
    subject : Subject
    generator : ExcitationGenerator
    trials : list of Path
        The inputData files.
    tendon : str

    Returns
    -------
    Path
        The calibration setup file.
    """
    strength = ct.ParameterSpec(kind="strengthCoefficient", low=0.5, high=2.5)
    plan = ct.CalibrationPlan(
        algorithm=ct.LevenbergMarquardt(),
        tendon=ct.Tendon(kind=tendon),
        steps=(ct.CalibrationStep(dofs=subject.dof_names, parameters=(strength,)),),
        trial_files=tuple(trials),
    )
    files = [folder / name for name in ("subject.xml", "map.xml", "calibration.xml", "setup.xml")]
    for document, file in zip((subject, generator, plan), files, strict=False):
        document.write(file)
    ct.CalibrationSetup(
        subject_file=files[0],
        excitation_generator_file=files[1],
        calibration_file=files[2],
        output_subject_file=folder / "calibrated.xml",
    ).write(files[3])
    return files[3]


def around(result, trials, below=3.0, above=5.0, level=0.9):
    """Return an `Uncertainty` whose bands lie so far around the curves of trials of a result."""

    def band(series):
        ends = (
            dataclasses.replace(series, array=series.array + shift) for shift in (-below, above)
        )
        return ct.Band(**dict(zip(("lower", "upper"), ends, strict=True)), level=level)

    names = ("mtu_force", "joint_moment")
    return ct.Uncertainty(
        level=level,
        draws=19,
        starts=1,
        minima=1,
        seed=0,
        observations=50.0,
        fitted=5.0,
        noise=dict.fromkeys(result.subject.dof_names, 1.0),
        mean_width={name: {} for name in names},
        trials=tuple(
            ct.TrialBands(
                name=one.name,
                role=one.role,
                **{name: band(getattr(one.simulation, name)) for name in names},
            )
            for one in trials
        ),
    )
