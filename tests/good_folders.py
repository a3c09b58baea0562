"""Folders in which nothing is wrong: of the repository, recorded, and of two MTUs at a hinge."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np

import ceinms_torch as ct
from ceinms_torch.io.storage import write_storage
from ceinms_torch.model.excitation_generator import Excitation
from helpers import CURVES, write_strength_folder
from shoulder import write_shoulder_folder

REPOSITORY = Path(__file__).resolve().parents[1]
N_SYNTHETIC = 20
NAMES, DOF = ("back", "front"), "hinge"
# Findings above a note that are true all the same: the shoulder's rotation has almost no moment.
TRUE_OF = {"shoulder": {"moment-small"}}


def repository_folders():
    """Yield name, setup file and test trials of every folder of the repository."""
    for name in ("gait", "gait_synergies"):
        folder = REPOSITORY / "subjects" / name
        tests = sorted(folder.glob("trials/walk_1[14]*/inputData.xml"))
        yield name, folder / "calibrate.xml", tests


def recorded_folders(shared, scratch):
    """Yield the same of the recordings, as far as they are there."""
    leg = shared / "data" / "lower_limb" / "ceinms"
    tests = sorted(leg.glob("trials/*_c0[28]/inputData.xml"))
    for setup in sorted([*leg.glob("calibrate_*.xml"), *leg.glob("run_*.xml")]):
        yield "lower_limb", setup, tests if "calibrate" in setup.name else []
    shoulder = shared / "data" / "shoulder"
    if shoulder.is_dir():
        yield "shoulder", write_shoulder_folder(shoulder, scratch / "shoulder"), []


def synthetic_folders(scratch):
    """Yield the same of two MTUs whose relative strength is not the generic one."""
    for seed in range(N_SYNTHETIC):
        yield "synthetic", write_hinge_folder(scratch / f"hinge{seed}", seed), []


def write_hinge_folder(folder, seed, *, turned=False):
    """Write a folder whose moments two MTUs make that pull against each other.

    Parameters
    ----------
    folder : Path
        Where.
    seed : int
        Of all that is made up. The strength of one MTU over that of the other is at least twice,
        or at most half, the generic ratio; both are within 0.5 to 2.5.
    turned : bool
        Whether the moments are given the other sign.

    Returns
    -------
    Path
        The calibration setup file.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    forces = rng.uniform(500.0, 3000.0, 2)
    fibres, tendons = rng.uniform(0.05, 0.1, 2), rng.uniform(0.15, 0.35, 2)
    arms = np.array([-1.0, 1.0]) * rng.uniform(0.02, 0.05, 2)
    generic = ct.Subject(
        mtus=tuple(
            ct.Mtu(
                name=name,
                c1=-0.5,
                c2=-0.4,
                shape_factor=-1.5,
                optimal_fibre_length=fibre,
                pennation_angle=0.2,
                tendon_slack_length=tendon,
                max_isometric_force=force,
                em_delay=0.02,
                damping=0.1,
                percentage_change=0.15,
            )
            for name, fibre, tendon, force in zip(NAMES, fibres, tendons, forces, strict=True)
        ),
        dofs=(ct.Dof(name=DOF, mtu_names=NAMES),),
        curves={
            name: ct.Curve(
                name=name, x=tuple(map(float, x.split())), y=tuple(map(float, y.split()))
            )
            for name, (x, y) in CURVES.items()
        },
    )
    weak, strong = rng.uniform(0.5, 0.9), rng.uniform(1.8, 2.5)
    strength = (weak, strong) if rng.random() < 0.5 else (strong, weak)
    true = dataclasses.replace(
        generic,
        mtus=tuple(
            dataclasses.replace(mtu, strength_coefficient=float(one))
            for mtu, one in zip(generic.mtus, strength, strict=True)
        ),
    )
    generator = ct.ExcitationGenerator(
        input_signals=("eb", "ef"),
        excitations=tuple(
            Excitation(id=name, inputs=((signal, 1.0),))
            for name, signal in zip(NAMES, ("eb", "ef"), strict=True)
        ),
    )
    trials = [
        _write_trial(folder / f"trial{i}", rng, true, generator, arms, -1.0 if turned else 1.0)
        for i in range(1 + seed % 3)
    ]
    return write_strength_folder(folder, generic, generator, trials, "stiff")


def _write_trial(folder, rng, subject, generator, arms, sign):
    folder.mkdir()
    time = np.arange(1.0, 2.5, 0.01)
    angle = 0.4 * np.sin(2.0 * np.pi * rng.uniform(0.8, 1.4) * time + rng.uniform(0.0, 6.0))
    optimal = [mtu.optimal_fibre_length for mtu in subject.mtus]
    slack = [mtu.tendon_slack_length for mtu in subject.mtus]
    lengths = np.array(slack) + 0.95 * np.array(optimal) - angle[:, np.newaxis] * arms
    clock = np.arange(0.7, 2.6, 0.002)
    both = np.cos(2.0 * np.pi * rng.uniform(0.8, 1.4) * clock)  # they contract together, too
    bursts = [
        np.clip(rng.uniform(0.1, 0.3) * (1.2 + both) + 0.2 * own, 0.0, 1.0)
        for own in (
            np.sin(2.0 * np.pi * rng.uniform(0.8, 1.6) * clock + rng.uniform(0.0, 6.0)) ** 2
            for _ in NAMES
        )
    ]
    write_storage(folder / "lmt.sto", time, NAMES, lengths, name="lengths", units="m")
    write_storage(folder / "ma.sto", time, NAMES, 0.0 * lengths + arms, name="arms", units="m")
    signals = np.stack(bursts, axis=1)
    write_storage(folder / "emg.mot", clock, ("eb", "ef"), signals, name="EMG", units="-")
    data = ct.InputData(
        name=folder.name,
        muscle_tendon_length_file=folder / "lmt.sto",
        moment_arms_files={DOF: folder / "ma.sto"},
        excitations_file=folder / "emg.mot",
    )
    data.write(folder / "inputData.xml")
    trial = ct.Trial.read(folder / "inputData.xml", subject, generator)
    moment = ct.simulate(subject, trial, tendon="stiff").joint_moment.array
    write_storage(
        folder / "id.sto", time, (f"{DOF}_moment",), sign * moment, name="moments", units="N m"
    )
    dataclasses.replace(data, external_torques_file=folder / "id.sto").write(
        folder / "inputData.xml"
    )
    return folder / "inputData.xml"


def copy_of(source, folder, *trials):
    """Copy the XML files of a folder and those of its trials that match, and return the copy."""
    folder.mkdir(parents=True)
    for path in source.glob("*.xml"):
        shutil.copy(path, folder)
    for pattern in trials:
        for trial in source.glob(f"trials/{pattern}"):
            if trial.joinpath("inputData.xml").is_file():
                shutil.copytree(trial, folder / "trials" / trial.name)
    return folder


def copy_of_gait(folder, trials):
    """Copy the shipped subject with some of its trials, and return the folder."""
    return copy_of(REPOSITORY / "subjects" / "gait", folder, *trials)
