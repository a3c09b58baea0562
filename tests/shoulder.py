"""A CEINMS folder of the recorded shoulder in the reference data, for tests of a hard case."""

import csv

import numpy as np

import ceinms_torch as ct
from ceinms_torch.model.excitation_generator import Excitation
from helpers import write_strength_folder

DOFS = ("plane_elv", "shoulder_elv", "axial_rot")


def write_shoulder_folder(source, folder):
    """Write setup, subject, map, plan and trials; the tables stay where they are.

    Parameters
    ----------
    source : Path
        The folder with the recordings.
    folder : Path
        Where to write.

    Returns
    -------
    Path
        The calibration setup file.
    """
    trials = sorted(path for path in (source / "trials").iterdir() if path.is_dir())
    generator = _generator(source, ct.read_storage(trials[0] / "emg.sto").columns)
    subject = _subject(source, trials, [one.id for one in generator.excitations])
    for trial in trials:
        ct.InputData(
            name=trial.name,
            muscle_tendon_length_file=trial / "lmt.sto",
            moment_arms_files={dof: trial / f"ma_{dof}.sto" for dof in DOFS},
            excitations_file=trial / "emg.sto",
            external_torques_file=trial / "id.sto",
        ).write(folder / f"{trial.name}.xml")
    files = [folder / f"{trial.name}.xml" for trial in trials]
    return write_strength_folder(folder, subject, generator, files, "rosenbrockElastic")


def _generator(source, signals):
    with (source / "excitation_mapping.csv").open(encoding="utf-8") as file:
        rows = {row["mtu"]: row for row in csv.DictReader(file)}
    with (source / "hill_parameters_from_osim.csv").open(encoding="utf-8") as file:
        muscles = [row["muscle"] for row in csv.DictReader(file)]
    excitations = []
    for muscle in muscles:
        row = rows.get(muscle, {"emg_channels": "", "weights": ""})
        weights = map(float, row["weights"].replace(";", " ").split())
        channels = row["emg_channels"].replace(";", " ").split()
        inputs = tuple(zip(channels, weights, strict=True))
        excitations.append(Excitation(id=muscle, inputs=inputs))
    used = {channel for excitation in excitations for channel, _ in excitation.inputs}
    names = tuple(name for name in signals if name in used)
    return ct.ExcitationGenerator(input_signals=names, excitations=tuple(excitations))


def _subject(source, trials, mtu_names):
    with (source / "hill_parameters_from_osim.csv").open(encoding="utf-8") as file:
        rows = {row["muscle"]: row for row in csv.DictReader(file)}
    mtus = tuple(
        ct.Mtu(
            name=name,
            c1=-0.5,
            c2=-0.5,
            shape_factor=-1.0,
            optimal_fibre_length=float(rows[name]["lom_m"]),
            pennation_angle=float(rows[name]["alpha_rad"]),
            tendon_slack_length=max(float(rows[name]["lts_m"]), 1e-3),  # one has no tendon
            max_isometric_force=float(rows[name]["fmax_N"]),
            em_delay=0.0,
            damping=0.1,
            percentage_change=0.15,
        )
        for name in mtu_names
    )
    dofs = []
    for dof in DOFS:
        tables = [ct.read_storage(trial / f"ma_{dof}.sto") for trial in trials]
        largest = np.max([np.abs(table.select(mtu_names)).max(axis=0) for table in tables], axis=0)
        acting = tuple(name for name, arm in zip(mtu_names, largest, strict=True) if arm > 1e-4)
        dofs.append(ct.Dof(name=dof, mtu_names=acting))
    return ct.Subject(mtus=mtus, dofs=tuple(dofs))
