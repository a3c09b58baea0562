"""Recordings to calibrate on and to predict: calibration folders in memory, trials kept apart.

Where there are no files of CEINMS, the plan is the usual one and the curves those of the manual, as
a laboratory would begin with.
"""

import dataclasses
import itertools
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

import ceinms_torch as ct
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.studies.muscle_data import read_recording
from ceinms_torch.studies.muscle_models import muscle_subject, muscle_trial, rat_soleus
from helpers import CURVES
from shoulder import write_shoulder_folder

REPOSITORY = Path(__file__).resolve().parents[2]
USUAL = (
    ct.ParameterSpec(kind="c1", low=-0.95, high=-0.05),
    ct.ParameterSpec(kind="c2", low=-0.95, high=-0.05),
    ct.ParameterSpec(kind="shapeFactor", low=-2.999, high=-0.001),
    ct.ParameterSpec(
        kind="optimalFibreLength", range_type="relativeToSubjectValue", low=0.85, high=1.15
    ),
    ct.ParameterSpec(
        kind="tendonSlackLength", range_type="relativeToSubjectValue", low=0.85, high=1.15
    ),
    ct.ParameterSpec(kind="strengthCoefficient", low=0.5, high=2.5),
)
MANUAL = {
    name: ct.Curve(name=name, x=tuple(map(float, x.split())), y=tuple(map(float, y.split())))
    for name, (x, y) in CURVES.items()
}
ANNEALING = SimulatedAnnealing(
    no_epsilon=4, rt=0.3, temperature=200_000, ns=15, nt=5, epsilon=1e-3, max_no_eval=200_000
)
# Of the walk's electrodes, the muscles that each is taken to speak for.
WALK_CHANNELS = {
    "soleus": ("soleus_r",),
    "gastrocnemius": ("gasmed_r", "gaslat_r"),
    "tibialis_anterior": ("tibant_r",),
    "medial_hamstrings": ("semimem_r", "semiten_r"),
    "biceps_femoris": ("bflh_r", "bfsh_r"),
    "vastus_lateralis": ("vaslat_r", "vasint_r"),
    "vastus_medius": ("vasmed_r", "vasint_r"),
    "rectus_femoris": ("recfem_r",),
    "gluteus_maximus": ("glmax1_r", "glmax2_r", "glmax3_r"),
    "gluteus_medius": ("glmed1_r", "glmed2_r", "glmed3_r"),
}
WALK_DOFS = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")
# From where the distributed angles begin to the second right heel strike, and what there is of the
# stance after it [s].
WALK_CYCLE, WALK_STANCE = (0.45, 1.411), (1.411, 1.799)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recording:
    """A folder to calibrate, trials that it must predict, and CEINMS's own result of it, if any."""

    name: str
    folder: ct.CalibrationFolder
    tests: tuple[ct.Trial, ...]
    ceinms: ct.Subject | None = None


def recordings(shared):
    """Yield all recordings; those of the reference data only where they are."""
    data = shared / "data"
    for name in ("gait", "gait_synergies"):
        folder = ct.CalibrationFolder.read(REPOSITORY / "subjects" / name / "calibrate.xml")
        # Without synergies: what is compared is EMG-driven.
        plan = dataclasses.replace(folder.plan, synergy_hybrid=None)
        calibrated = {trial.name for trial in folder.trials}
        files = sorted((REPOSITORY / "subjects" / name / "trials").glob("*/inputData.xml"))
        tests = [folder.read_trial(one) for one in files if one.parent.name not in calibrated]
        yield Recording(
            name=name, folder=dataclasses.replace(folder, plan=plan), tests=tuple(tests)
        )
    if (leg := data / "lower_limb" / "ceinms").is_dir():
        folder = ct.CalibrationFolder.read(leg / "calibrate_elastic.xml")
        tests = folder.read_tests(sorted(leg.glob("trials/*_c0[28]/inputData.xml")))
        yield Recording(
            name="lower_limb",
            folder=folder,
            tests=tuple(tests.values()),
            ceinms=ct.Subject.read(leg / "reference" / "subjectCalibrated_elastic.xml"),
        )
    if (data / "walking_opensim").is_dir():
        yield _walk(data / "walking_opensim")
    if (data / "shoulder").is_dir():
        yield from _shoulder(data / "shoulder")
    if (data / "rat_soleus").is_dir():
        yield _rat(data / "rat_soleus")


def _usual_folder(setup, subject, generator, trials, parameters=USUAL):
    plan = ct.CalibrationPlan(
        algorithm=ANNEALING,
        tendon=ct.Tendon(kind="equilibriumElastic"),
        steps=(ct.CalibrationStep(dofs=subject.dof_names, parameters=parameters),),
    )
    return ct.CalibrationFolder(
        setup=setup,
        subject=dataclasses.replace(subject, curves=MANUAL),
        generator=generator,
        plan=plan,
        trials=tuple(trials),
    )


def _shoulder(source):
    """Yield both halves: the first repetitions and the load, the others without load."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = ct.CalibrationFolder.read(write_shoulder_folder(source, Path(scratch)))
        trials = {trial.name: trial for trial in folder.trials}
    first = [trials[name] for name in ("abd01", "flx01", "abd21")]
    second = [trials[name] for name in ("abd02", "abd03", "flx02", "flx03")]
    for name, fitted, tests in (("first", first, second), ("others", second, first)):
        whole = _usual_folder(folder.setup, folder.subject, folder.generator, fitted)
        yield Recording(name=f"shoulder, {name} half fitted", folder=whole, tests=tuple(tests))


def _rat(source):
    """Return the rat soleus: fitted to one trial, the others predicted; forces, not moments."""
    subject = muscle_subject(rat_soleus())
    muscle = rat_soleus()
    # Where displacements are zero, 2 mm below slack tendon and optimal fibre (data/README.md).
    along = muscle.optimal_fibre_length * np.cos(muscle.pennation_angle)
    rest = muscle.tendon_slack_length + along - 2e-3
    files = sorted(source.glob("*.csv"))
    read = [muscle_trial(read_recording(one, rest), subject) for one in files]
    fitted = [one for one in read if "trial4" in one.name]
    parameters = (
        *USUAL[3:5],
        ct.ParameterSpec(
            kind="maxIsometricForce", range_type="relativeToSubjectValue", low=0.5, high=2.0
        ),
    )
    generator = ct.ExcitationGenerator.one_to_one(subject.mtu_names)
    folder = _usual_folder(None, subject, generator, fitted, parameters)
    return Recording(
        name="rat_soleus", folder=folder, tests=tuple(one for one in read if one not in fitted)
    )


# ---- The walk, of which there are a model, its angles, moments and EMG ------------------


def _walk(source):
    angles, moments, signals = (
        _table(source / f"{name}.sto") for name in ("coordinates", "id_walk", "electromyography")
    )
    names = tuple(dict.fromkeys(itertools.chain.from_iterable(WALK_CHANNELS.values())))
    subject = _walk_subject(source / "subject_walk_scaled.osim", names)
    paths = _paths(source / "walk_FunctionBasedPathSet.xml")
    spoken_for = {
        name: [channel for channel, muscles in WALK_CHANNELS.items() if name in muscles]
        for name in names
    }
    excitation = np.stack(
        [np.mean([signals[channel] for channel in spoken_for[one]], axis=0) for one in names],
        axis=1,
    )

    def trial(name, begin, end):
        time = np.arange(np.ceil(100.0 * begin), np.floor(100.0 * end) + 1.0) / 100.0
        lengths, arms = zip(*(_along(paths[one], angles, time) for one in names), strict=True)
        measured = [np.interp(time, moments["time"], moments[f"{dof}_moment"]) for dof in WALK_DOFS]
        return ct.Trial(
            name=name,
            mtu_names=names,
            dof_names=WALK_DOFS,
            time=time,
            mtu_length=np.stack(lengths, axis=1),
            moment_arm=np.stack(arms, axis=2).transpose(1, 0, 2),
            excitation_time=signals["time"],
            excitation=excitation,
            measured_moment=np.stack(measured, axis=1),
        )

    generator = ct.ExcitationGenerator.one_to_one(names)
    fitted, test = trial("cycle", *WALK_CYCLE), trial("stance", *WALK_STANCE)
    acting = tuple(
        ct.Dof(
            name=dof,
            mtu_names=tuple(
                name
                for m, name in enumerate(names)
                if np.abs(fitted.moment_arm[:, d, m]).max() > 1e-4
            ),
        )
        for d, dof in enumerate(WALK_DOFS)
    )
    folder = _usual_folder(None, dataclasses.replace(subject, dofs=acting), generator, [fitted])
    return Recording(name="walking_opensim", folder=folder, tests=(test,))


def _walk_subject(model, names):
    muscles = {node.get("name"): node for node in _tree(model).iter() if node.get("name")}

    def value(name, tag):
        return float(muscles[name].find(tag).text)

    mtus = tuple(
        ct.Mtu(
            name=name,
            c1=-0.5,
            c2=-0.5,
            shape_factor=-1.5,
            optimal_fibre_length=value(name, "optimal_fiber_length"),
            pennation_angle=value(name, "pennation_angle_at_optimal"),
            tendon_slack_length=value(name, "tendon_slack_length"),
            max_isometric_force=value(name, "max_isometric_force"),
            em_delay=0.015,
            damping=0.1,
            percentage_change=0.15,
        )
        for name in names
    )
    return ct.Subject(mtus=mtus, dofs=tuple(ct.Dof(name=d, mtu_names=names) for d in WALK_DOFS))


def _table(file):
    """Return the columns of a storage file; one of them says that it has more than it has."""
    lines = file.read_text(encoding="utf-8").splitlines()
    begin = next(i for i, line in enumerate(lines) if line.strip().lower() == "endheader")
    names = lines[begin + 1].split("\t")
    values = np.array([line.split() for line in lines[begin + 2 :] if line.strip()], dtype=float)
    return dict(zip((name.strip() for name in names), values.T, strict=True))


def _tree(file):
    return ET.parse(file)  # noqa: S314  files of the reference data


def _paths(file):
    """Return the coordinates, exponents and coefficients of the length of every path."""
    paths = {}
    for node in _tree(file).iter("FunctionBasedPath"):
        coordinates = node.find("coordinate_paths").text.split()
        function = node.find("length_function/MultivariatePolynomialFunction")
        order = int(function.find("order").text)
        # All of a total power up to the order, the last one fastest.
        powers = np.array(
            [
                one
                for one in itertools.product(range(order + 1), repeat=len(coordinates))
                if sum(one) <= order
            ]
        )
        coefficients = np.array(function.find("coefficients").text.split(), dtype=float)
        name = node.get("name").rsplit("/", 1)[-1]
        paths[name] = (coordinates, powers, coefficients)
    return paths


def _along(path, angles, time):
    """Return lengths (n,) and arms (n_dof, n) of a path: arms are less the derivatives."""
    coordinates, powers, coefficients = path
    columns = [np.interp(time, angles["time"], angles[f"{one}/value"]) for one in coordinates]
    q = np.stack(columns, axis=1)

    def sum_of(factors, exponents):
        return (factors * np.prod(q[:, np.newaxis] ** exponents, axis=2)).sum(axis=1)

    arms = np.zeros((len(WALK_DOFS), len(q)))
    for i, one in enumerate(coordinates):
        dof = one.rsplit("/", 1)[-1]
        if dof in WALK_DOFS:
            lower = powers.copy()
            lower[:, i] = np.maximum(lower[:, i] - 1, 0)
            arms[WALK_DOFS.index(dof)] = -sum_of(coefficients * powers[:, i], lower)
    return sum_of(coefficients, powers), arms
