"""Every public object: it pickles, copies, shows itself in one line, and writes what it is."""

import copy
import dataclasses
import inspect
import pickle
import re
import warnings

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.optimisers.minimum import Minimum
from gait_forces import walk
from helpers import ANNEALING, edit, write_tiny_folder
from made_up_loads import forces_of, made_up
from same import assert_same
from small_lab import write_lab

# What a loss sees while it is called: tensors with the graph of that moment.
PASSING = {"ModelState"}
HYBRID = f"""<hybrid>
      <alpha>1</alpha><beta>0.1</beta><gamma>10</gamma>
      <synthMTUs>recfem_r</synthMTUs><adjustMTUs>soleus_r gasmed_r</adjustMTUs>
      <algorithm>{ANNEALING}</algorithm>
    </hybrid>"""
LONGEST = 400  # letters


def files(path):
    """Yield what files hold, of a folder with elements that CEINMS does not know."""
    setup = path / "calibrationSetup.xml"
    for name in ("subject.xml", "calibration.xml", "excitationGenerator.xml"):
        root = name.removesuffix(".xml")
        edit(
            path / name, f"<{root}>", f"<{root}>\n  <!-- kept -->\n  <labNotes>a &lt; b</labNotes>"
        )
    with pytest.warns(ct.CeinmsTorchWarning, match="labNotes"):
        folder = ct.CalibrationFolder.read(setup)
    with pytest.warns(ct.CeinmsTorchWarning, match="labNotes"):
        run = ct.RunFolder.read(path / "setup.xml")
    report = ct.check_folder(setup)
    yield from (folder, folder.setup, folder.subject, folder.plan, folder.generator, report)
    yield from (run, run.setup, run.execution, run.execution.hybrid, run.trial)
    yield from (folder.plan.algorithm, folder.plan.tendon, folder.plan.steps[0])
    yield from (folder.plan.steps[0].objective, folder.plan.steps[0].parameters[0])
    yield from (folder.subject.mtus[0], folder.subject.dofs[0])
    yield folder.recommended().plan.overrides[0]
    yield folder.subject.curves["activeForceLength"]
    yield ct.TorqueError(normalised=True, targets=("knee_angle_r",), exponent=2.0)
    yield ct.RangePenalty(quantity="normalisedFibreLength", range=(0.6, 1.4))
    yield from (report.findings[0], report.findings[0].where)
    yield ct.InputData.read(path / "trial1" / "inputData.xml")
    yield ct.Recording.read(path / "trial1" / "inputData.xml")
    yield ct.read_storage(path / "trial1" / "lmt.sto")


def of_emg():
    """Yield what is made of raw EMG."""
    noise = np.random.default_rng(0).normal(size=(2000, 2))
    raw = ct.RawEmg(name="walk", rate=1000.0, channels=("VL", "VM"), values=noise)
    suggested = ct.suggest_map(raw.channels, ["vaslat_r", "vasmed_r", "vasint_r"])
    result = ct.process_emg([raw], emg_map=suggested.map)
    yield from (raw, suggested, suggested.map, result, result.processing, result.envelopes[0])
    quality = result.qualities[0]
    yield from (quality, quality.channels[0], quality.pairs[0])
    yield ct.EmgDoubt(code="hum", channels=("VL",), text="mains hum")


def of_recordings(path):
    """Yield what a laboratory recorded, what is found in it, and a study of it."""
    forces, markers, _ = walk()
    ct.write_ground_forces(path / "grf.mot", forces)
    found = ct.segment_forces(path / "grf.mot")
    yield from (forces, forces.plates[0], found, found.contacts, found.cycles[0])
    yield from (found.contacts.contacts[0], ct.ContactOptions(), ct.PeakOptions())
    yield ct.Doubt(start=0.0, stop=1.0, why="two feet")
    event = ct.Event(time=0.2, label="Foot Strike", foot="right")
    noise = np.random.default_rng(0).normal(size=(6000, 1))
    analogs = ct.Analogs(
        time=np.arange(6000) / 1000.0, rate=1000.0, names=("VL",), units=("V",), values=noise
    )
    yield from (markers, event, analogs)
    yield ct.C3d(
        markers=markers,
        forces=forces,
        corners=(np.zeros((4, 3)),) * 2,
        analogs=analogs,
        plate_channels=(),
        events=(event,),
        up="y",
        path=path / "walk.c3d",
    )
    settings = ct.StudySettings(**write_lab(path / "lab"))
    yield from (settings, settings.emg, ct.read_model(settings.model))
    yield ct.new_study(path / "study", settings)


def of_geometry(folder):
    """Yield what is made of poses."""
    q = np.linspace(-1.0, 0.2, 40)[:, np.newaxis]
    samples = ct.PoseSamples(
        coordinate_names=("knee",),
        coordinates=q,
        mtu_names=("vaslat",),
        mtu_length=0.2 - 0.04 * np.sin(q),
        dof_names=("knee",),
        moment_arm=0.04 * np.cos(q)[:, np.newaxis],
    )
    fit = ct.fit_paths(samples)
    yield from (samples, fit, fit.paths, fit.paths.paths[0])
    fit.paths.evaluate(q)  # compiles them
    file = folder / "ik.csv"
    file.write_text("time,knee_angle\n0,10\n0.1,20\n", encoding="utf-8")
    yield ct.read_coordinates(file, angles="degrees")


def of_loads(path):
    """Yield what joints bear."""
    maps, forces = made_up(), forces_of(0)
    loads = ct.joint_loads(maps, forces, alike=[forces, forces_of(1)])
    yield from (maps, loads, loads.peaks[0], loads.reserve_shares[0], loads.band)
    yield ct.case_of_files([path / "trial1" / "lmt.sto"])
    yield ct.OpenSim(python=path / "python", version="4.6")


def of_a_study(path):
    """Yield what is done of a study of one person."""
    (path / "study.csv").write_text(f"subject,setup\nanna,{path / 'calibrationSetup.xml'}\n")
    options = ct.CohortOptions(method="lm", starts=1)
    cohort = ct.run_cohort(path / "study.csv", path / "cohort", options)
    yield from (cohort, cohort.tables["fit"], options, ct.SlurmJobs(), ct.DaskWorkers())
    yield ct.CohortStudy(path=path / "study.csv", rows=tuple(one.row for one in cohort.rows))


def computed(folder, run):
    """Yield what is computed."""
    trials = folder.trials
    options = ct.LevenbergMarquardt(max_iterations=3)
    result = ct.calibrate(folder.subject, trials, folder.plan, options=options)
    hybrid = ct.calibrate(
        folder,
        plan=dataclasses.replace(folder.plan, synergy_hybrid=ct.SynergyHybrid(n_synergy=2)),
        generator=dataclasses.replace(folder.generator, excitations=_all_but_one(folder)),
        options=ct.Lbfgs(max_iterations=3),
    )
    yield from (result, hybrid, result.identifiability, result.history[0], result.parameters[0])
    yield from (result.trials[0], result.trials[0].fit["knee_angle_r"], result.provenance)
    yield from (options, ct.AdamW(), ct.Lbfgs(), hybrid.synergy_hybrid)
    values = {one.name: getattr(result, one.name) for one in dataclasses.fields(result)}
    yield ct.LossResult(**values, validation_losses=(2.0, float("nan")))
    bands = ct.uncertainty(result, trials, draws=3, starts=1, level=0.5)
    yield from (bands, bands["trial1"], bands["trial1"].joint_moment)
    yield ct.Prior(weight=0.1, centre=1.1, muscles=("soleus_r",))
    synergies = hybrid.synergies["trial1"]
    yield from (synergies, synergies.weightings)
    space = result.steps[0].space
    yield space
    problem = ct.FusedProblem(space.subject, trials, result.steps[0].step, space, tendon="stiff")
    yield ct.minimise(problem, space.start(), options)
    simulation = ct.simulate(folder.subject, trials[0])
    yield from (simulation, simulation.mtu_force)
    yield ct.extract_synergies(trials[0].excitation, 2, names=folder.subject.mtu_names)
    choice = ct.choose_weights(ct.TrialSearch(run.subject, run.trial, run.execution.hybrid))
    yield from (choice, choice.result)
    fit = ct.RangeFit(
        mtu="soleus_r",
        optimal_fibre_length=0.05,
        tendon_slack_length=0.24,
        n_pose=4,
        rms=0.001,
        fibre_travel=0.4,
        in_proportion=False,
    )
    yield from (fit, ct.OperatingRange(subject=folder.subject, fits=(fit,), n_pose=4))
    yield ct.WindowFit(
        subject=result.subject,
        n_push=3,
        start_objective=2.0,
        objective=1.0,
        rmse={"knee_angle_r": 1.0},
        iterations=2,
        seconds=0.1,
        status="converged",
    )
    yield ct.StreamStep(mtu_force=np.ones(3), joint_moment=np.ones(2))


def _all_but_one(folder):
    return tuple(
        dataclasses.replace(one, inputs=() if one.id == "gasmed_r" else one.inputs)
        for one in folder.generator.excitations
    )


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """One object of every public dataclass, by its name."""
    path = write_tiny_folder(tmp_path_factory.mktemp("public") / "tiny", type_xml=HYBRID)
    found = list(files(path))
    found += [*of_emg(), *of_geometry(path), *of_recordings(path)]
    found += computed(found[0], found[6])
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ct.CeinmsTorchWarning
        )  # loads that are made up are doubtful
        found += [*of_loads(path), *of_a_study(path)]
    return {type(one).__name__: one for one in found}


def is_of_data(kind):
    return inspect.isclass(kind) and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"))


DATA = [name for name in ct.__all__ if is_of_data(getattr(ct, name)) and name not in PASSING]
COPIES = {
    "pickled": lambda one: pickle.loads(pickle.dumps(one)),  # noqa: S301  made a moment ago
    "copied": copy.copy,
    "copied deeply": copy.deepcopy,
}


def test_there_is_one_of_each(objects):
    assert set(DATA) <= set(objects)
    assert Minimum.__name__ in objects


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", DATA)
def test_a_copy_is_the_same(objects, name, way):
    one = objects[name]
    again = COPIES[way](one)
    assert_same(one, again)
    if getattr(type(one), "__dataclass_params__", None) and type(one).__dataclass_params__.eq:
        assert one == again
    assert repr(again) == repr(one)


@pytest.mark.parametrize("name", DATA)
def test_it_is_one_line(objects, name):
    text = repr(objects[name])
    assert "\n" not in text
    assert len(text) <= LONGEST
    assert name in text


@pytest.mark.parametrize("name", [name for name in DATA if hasattr(getattr(ct, name), "write")])
def test_what_a_copy_writes_is_the_same(objects, name, tmp_path):
    one = objects[name]
    again = COPIES["pickled"](one)
    for which, value in (("one", one), ("again", again)):
        value.write(tmp_path / which / "file.xml")
    written, copied = ((tmp_path / which / "file.xml").read_text() for which in ("one", "again"))
    assert written == copied
    if getattr(one, "document", None) is not None and name in {"Subject", "CalibrationPlan"}:
        assert "<labNotes>a &lt; b</labNotes>" in copied


def test_documents_are_copied_apart(objects):
    subject = objects["Subject"]
    changed = copy.deepcopy(subject)
    changed.document.root.child("mtuSet").element.clear()
    assert subject.document.root.child("mtuSet").children("mtu")


def test_notebooks_get_tables(objects):
    for name in ("Subject", "TimeSeries", "CalibrationResult", "HybridResult"):
        text = objects[name]._repr_html_()
        assert re.fullmatch(r"<table>.*</table>", text)
    odd = dataclasses.replace(objects["TimeSeries"], name="<b>force")
    assert "<b>" not in odd._repr_html_()


def test_version():
    from importlib.metadata import version  # noqa: PLC0415

    assert ct.__version__ == version("ceinms-torch")
