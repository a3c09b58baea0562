"""Maker of a folder as labs have it for CEINMS 0.21, of recorded data, and of its equivalent."""

import csv
from pathlib import Path

from ceinms_torch.io.storage import read_storage
from helpers import CURVES, storage_text

TRIALS = ("walk36_c05", "walk45_c05")
DOFS = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")
CHANNELS = {  # what drives an MTU
    "soleus_r": ("soleus_r",),
    "med_gas_r": ("med_gas_r",),
    "lat_gas_r": ("lat_gas_r",),
    "tib_ant_r": ("tib_ant_r",),
    "semimem_r": ("semimem_r",),
    "bifemlh_r": ("bifemlh_r",),
    "bifemsh_r": ("bifemlh_r",),
    "vas_lat_r": ("vas_lat_r",),
    "vas_med_r": ("vas_med_r",),
    "vas_int_r": ("vas_lat_r", "vas_med_r"),
    "rect_fem_r": ("rect_fem_r",),
    "semiten_r": ("semimem_r",),
}
SILENT = (  # no electrode, on the same leg
    *("glut_max1_r", "glut_max2_r", "glut_max3_r", "glut_med1_r", "glut_med2_r", "iliacus_r"),
    *("psoas_r", "add_long_r", "add_brev_r", "sar_r", "tfl_r", "grac_r", "tib_post_r"),
    "per_long_r",
)
RIGHT = (*CHANNELS, *SILENT)
MTUS = (*RIGHT, *(name[:-1] + "l" for name in RIGHT))  # 52, of which 40 have no electrode
STOP_LATE = 0.06  # [s]
PENALTY = ("0.6 1.4", 100)
MOMENT_ARM = 1e-3  # those with more [m] are on a DOF

_ANNEALING = (
    "<simulatedAnnealing><noEpsilon>2</noEpsilon><rt>0.3</rt><T>20</T><NS>1</NS><NT>1</NT>"
    "<epsilon>0.001</epsilon><maxNoEval>10</maxNoEval></simulatedAnnealing>"
)
_COMPOSITES = """<torqueErrorNormalised><targets>all</targets><weight>1</weight>
        <exponent>1</exponent></torqueErrorNormalised>
        <penalty><targets>all</targets><targetsType>normalisedFibreLength</targetsType>
        <weight>{1}</weight><exponent>2</exponent><range>{0}</range></penalty>"""
_NATIVE = """<minimizeTorqueError><normalisation>rmse</normalisation>
        <fibreLengthPenalty><range>{0}</range><weight>{1}</weight></fibreLengthPenalty>
        <tendonStrainPenalty><range>0 0.5</range><weight>0</weight></tendonStrainPenalty>
        </minimizeTorqueError>"""
_CALIBRATION_SETUP = """<ceinmsCalibration>
  <subjectFile>subject.xml</subjectFile>
  <excitationGeneratorFile>excitationGenerator.xml</excitationGeneratorFile>
  <calibrationFile>calibration.xml</calibrationFile>
  <outputSubjectFile>subjectCalibrated.xml</outputSubjectFile>
</ceinmsCalibration>
"""
_RUN_SETUP = """<ceinms>
  <subjectFile>subject.xml</subjectFile>
  <inputDataFile>{1}</inputDataFile>
  <executionFile>{0}</executionFile>
  <excitationGeneratorFile>excitationGenerator.xml</excitationGeneratorFile>
  <outputDirectory>output</outputDirectory>
</ceinms>
"""


def write_later_folder(path, lower_limb):
    r"""Write a folder in the dialect of CEINMS 0.21.

    Two legs, 52 MTUs of which 12 have an electrode, shape factors of 0.1, trials whose stop is
    60 ms late, names with backslashes, excitations in another order, composite objectives, and
    neither <online/> nor <offline/>. The left leg has the data of the right one.

    Parameters
    ----------
    path : path-like
        The folder, created.
    lower_limb : Path
        The recorded data, ``data/lower_limb`` of the reference data.

    Returns
    -------
    Path
        The folder; setup files are calibrate.xml, run.xml and run_hybrid.xml.
    """
    return _write(Path(path), lower_limb, is_later=True)


def write_equivalent_folder(path, lower_limb):
    """Write what `write_later_folder` does in the grammar of CEINMS 0.9, by hand.

    The objective, which CEINMS 0.9 does not have, is in this package's own elements.
    """
    return _write(Path(path), lower_limb, is_later=False)


def _write(folder, lower_limb, *, is_later):
    arms = _Arms(lower_limb)
    folder.mkdir(parents=True)
    for trial in TRIALS:
        _write_trial(folder, trial, lower_limb, is_later=is_later)
    trial = f".\\{TRIALS[0]}.xml" if is_later else f"{TRIALS[0]}/inputData.xml"
    texts = {
        "subject.xml": _subject(lower_limb, arms, is_later=is_later),
        "excitationGenerator.xml": _generator(is_later=is_later),
        "calibration.xml": _calibration(is_later=is_later),
        "execution.xml": _execution("<openLoop/>", is_later=is_later),
        "execution_hybrid.xml": _execution(_hybrid(is_later=is_later), is_later=is_later),
        "calibrate.xml": _CALIBRATION_SETUP,
        "run.xml": _RUN_SETUP.format("execution.xml", trial),
        "run_hybrid.xml": _RUN_SETUP.format("execution_hybrid.xml", trial),
    }
    for name, text in texts.items():
        new_lines = "\r\n" if is_later else "\n"
        path = folder / name
        path.write_text('<?xml version="1.0" encoding="UTF-8"?>\n' + text, newline=new_lines)
    return folder


class _Arms:
    """Which MTUs act on which DOF, from the moment arms of one trial."""

    def __init__(self, lower_limb):
        self._of = {}
        for dof in DOFS:
            file = lower_limb / "ceinms" / "trials" / TRIALS[0] / f"ma_{dof}.sto"
            storage = read_storage(file)
            largest = dict(zip(storage.columns, abs(storage.values).max(axis=0), strict=True))
            self._of[dof] = [name for name in RIGHT if largest[name] > MOMENT_ARM]

    def mtus(self, dof, side):
        return [name[:-1] + side for name in self._of[dof]]


def _write_trial(folder, trial, lower_limb, *, is_later):
    source = lower_limb / "ceinms" / "trials" / trial
    # As OpenSim names them, in a folder of their own; or as one writes them by hand.
    data = folder / trial / "Results_MA" if is_later else folder / trial
    data.mkdir(parents=True)
    lengths = read_storage(source / "lmt.sto")
    tables = {"lmt.sto": (lengths.time, MTUS, _both_legs(lengths))}
    moments = read_storage(source / "id.sto")
    columns = [f"{dof[:-1]}{side}_moment" for side in "rl" for dof in DOFS]
    values = [[*row, *row] for row in moments.select([f"{dof}_moment" for dof in DOFS])]
    tables["id.sto"] = (moments.time, columns, values)
    for dof in DOFS:
        arms = read_storage(source / f"ma_{dof}.sto")
        nothing = [0.0] * len(RIGHT)
        for side in "rl":
            rows = [
                [*row, *nothing] if side == "r" else [*nothing, *row] for row in arms.select(RIGHT)
            ]
            tables[f"ma_{dof[:-1]}{side}.sto"] = (arms.time, MTUS, rows)
    emg = read_storage(source / "emg.mot")
    tables["emg.mot"] = (emg.time, emg.columns, emg.values)
    for name, (time, labels, rows) in tables.items():
        (data / name).write_text(storage_text(name, time, labels, rows))
    place = f".\\{trial}\\Results_MA\\" if is_later else ""
    arms = "".join(
        f'<momentArmsFile dofName="{dof[:-1]}{side}">{place}ma_{dof[:-1]}{side}.sto'
        "</momentArmsFile>"
        for side in "lr"
        for dof in DOFS
    )
    later = (
        f"<startStopTime>{lengths.time[0]:.10g} {lengths.time[-1] + STOP_LATE:.10g}"
        "</startStopTime><motionFile>.\\ik.mot</motionFile>"
        "<externalLoadsFile>C:\\Lab 1\\grf.xml</externalLoadsFile>"
    )
    text = (
        f"<inputData><muscleTendonLengthFile>{place}lmt.sto</muscleTendonLengthFile>"
        f"<excitationsFile>{place}emg.mot</excitationsFile>"
        f"<momentArmsFiles>{arms}</momentArmsFiles>"
        f"<externalTorquesFile>{place}id.sto</externalTorquesFile>{later if is_later else ''}"
        "</inputData>"
    )
    file = folder / f"{trial}.xml" if is_later else folder / trial / "inputData.xml"
    file.write_text(text)


def _both_legs(storage):
    return [[*row, *row] for row in storage.select(RIGHT)]


def _subject(lower_limb, arms, *, is_later):
    with (lower_limb / "hill_parameters_from_osim.csv").open() as file:
        hill = {row["muscle"]: row for row in csv.DictReader(file)}
    curves = "".join(
        f"<curve><name>{name}</name><xPoints>{x}</xPoints><yPoints>{y}</yPoints></curve>\n"
        for name, (x, y) in CURVES.items()
    )
    scale = "<activationScale>1</activationScale>" if is_later else ""
    unit = ' unit="rad"' if is_later else ""
    mtus = ""
    for name in MTUS:
        row = hill[name[:-1] + "r"]
        mtus += (
            f"<mtu><name>{name}</name><c1>-0.5</c1><c2>-0.5</c2><shapeFactor>0.1</shapeFactor>"
            f"{scale}<optimalFibreLength>{row['lom_m']}</optimalFibreLength>"
            f"<pennationAngle{unit}>{row['alpha_rad']}</pennationAngle>"
            f"<tendonSlackLength>{row['lts_m']}</tendonSlackLength>"
            "<maxContractionVelocity>10</maxContractionVelocity>"
            f"<maxIsometricForce>{row['fmax_N']}</maxIsometricForce>"
            "<strengthCoefficient>1</strengthCoefficient></mtu>\n"
        )
    dofs = "".join(
        f"<dof><name>{dof[:-1]}{side}</name>"
        f"<mtuNameSet>{' '.join(arms.mtus(dof, side))}</mtuNameSet></dof>\n"
        for side in "rl"
        for dof in DOFS
    )
    info = "<uncalibrated><subjectID>s</subjectID><additionalInfo>-</additionalInfo></uncalibrated>"
    later = ""
    if is_later:
        info = (
            "<calibrated><startSubjectFile>C:\\Lab 1\\s.xml</startSubjectFile>"
            "<calibrationSequence>C:\\Lab 1\\calibration.xml</calibrationSequence></calibrated>"
        )
        later = (
            "<contactModelFile>.\\contact.xml</contactModelFile>"
            "<opensimModelFile>..\\models\\s.osim</opensimModelFile>"
        )
    return (
        "<subject><mtuDefault><emDelay>0.015</emDelay><percentageChange>0.15</percentageChange>"
        f"<damping>0.1</damping>\n{curves}</mtuDefault>\n<mtuSet>\n{mtus}</mtuSet>\n"
        f"<dofSet>\n{dofs}</dofSet>\n<calibrationInfo>{info}</calibrationInfo>{later}\n</subject>\n"
    )


def _generator(*, is_later):
    signals = list(dict.fromkeys(one for channels in CHANNELS.values() for one in channels))
    names = sorted(MTUS) if is_later else MTUS
    excitations = ""
    for name in names:
        channels = CHANNELS.get(name, ())
        inputs = "".join(f'<input weight="{1 / len(channels)}">{one}</input>' for one in channels)
        excitations += f'<excitation id="{name}">{inputs}</excitation>\n'
    return (
        f'<excitationGenerator><inputSignals type="EMG">{" ".join(signals)}</inputSignals>\n'
        f"<mapping>\n{excitations}</mapping></excitationGenerator>\n"
    )


def _calibration(*, is_later):
    # Composites have targets of their own; elsewhere the DOFs of the step are those that count.
    dofs = DOFS if is_later else [f"{dof[:-1]}{side}" for side in "rl" for dof in DOFS]
    single = f"<single>{' '.join(RIGHT)}</single>"
    parameters = "".join(
        f"<parameter><name>{name}</name>{single}<{kind}><range>{bounds}</range></{kind}>"
        "</parameter>\n"
        for name, kind, bounds in (
            ("c1", "absolute", "-0.95 -0.05"),
            ("c2", "absolute", "-0.95 -0.05"),
            ("shapeFactor", "absolute", "-2.999 -0.001"),
            ("tendonSlackLength", "relativeToSubjectValue", "0.95 1.05"),
            ("optimalFibreLength", "relativeToSubjectValue", "0.95 1.05"),
            ("strengthCoefficient", "absolute", "0.5 2.5"),
        )
    )
    trials = [f".\\{name}.xml" if is_later else f"{name}/inputData.xml" for name in TRIALS]
    objective = (_COMPOSITES if is_later else _NATIVE).format(*PENALTY)
    return (
        f"<calibration><algorithm>{_ANNEALING}</algorithm><NMSmodel><type><openLoop/></type>"
        "<tendon><stiff/></tendon><activation><exponential/></activation></NMSmodel>\n"
        f"<calibrationSteps><step><dofs>{' '.join(dofs)}</dofs>\n"
        f"<objectiveFunction>{objective}</objectiveFunction>\n"
        f"<parameterSet>\n{parameters}</parameterSet></step></calibrationSteps>\n"
        f"<trialSet>{' '.join(trials)}</trialSet></calibration>\n"
    )


def _hybrid(*, is_later):
    adjust = f"<adjustMTUs>{' '.join(CHANNELS)}</adjustMTUs>"
    synth = "<synthMTUs>iliacus_r psoas_r</synthMTUs>"
    algorithm = f"<algorithm>{_ANNEALING}</algorithm>"
    weights = "<alpha>1</alpha><beta>5</beta><gamma>10</gamma>"
    # All DOFs of the subject: what CEINMS 0.9 minimises.
    dofs = " ".join(f"{dof[:-1]}{side}" for side in "rl" for dof in DOFS)
    if is_later:
        return f"<hybrid>{algorithm}{adjust}{weights}{synth}<dofSet>{dofs}</dofSet></hybrid>"
    return f"<hybrid>{weights}{synth}{adjust}{algorithm}</hybrid>"


def _execution(kind, *, is_later):
    mode = "" if is_later else "<online/>" if "hybrid" in kind else "<offline/>"
    return (
        f"<execution><NMSmodel><type>{kind}</type><tendon><stiff/></tendon>"
        f"<activation><exponential/></activation></NMSmodel>{mode}</execution>\n"
    )
