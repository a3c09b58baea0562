"""Write the synthetic gait subject beside this file.

    python make_subject.py                  # everything
    python make_subject.py --phase inputs   # all but the joint moments; needs no compiled module
    python make_subject.py --phase moments  # only the joint moments, from the inputs already there

The moments (``id.sto``) are those of ``truth/subjectTrue.xml`` by the package's own forward
simulation with the Rosenbrock tendon, without noise. The same script gives the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import documents
import numpy as np
from anatomy import DOF_NAMES, MUSCLES, Array, muscles_on
from signals import WALKS, Walk, emg_envelopes, joint_angles

import ceinms_torch as ct
from ceinms_torch.io.storage import write_storage

TRUE_SUBJECT = Path("truth", "subjectTrue.xml")

# Decimals written. Lengths and moment arms to 0.1 nm, EMG to 1e-8, moments to 0.1 nN m: far below
# what a calibration can tell apart, far above rounding differences between machines.
LENGTH_DECIMALS, EMG_DECIMALS, MOMENT_DECIMALS = 10, 8, 10


def write_documents(folder: Path) -> None:
    """Write all XML files of the subject."""
    files = {
        Path("subjectUncalibrated.xml"): documents.subject_document(true=False),
        TRUE_SUBJECT: documents.subject_document(true=True),
        Path("excitationGenerator.xml"): documents.excitation_generator_document(),
        Path("calibration.xml"): documents.calibration_document(),
        Path("calibrate.xml"): documents.calibration_setup_document(),
        Path("execution.xml"): documents.execution_document(),
    }
    for walk in WALKS:
        files[Path(f"run_{walk.name}.xml")] = documents.run_setup_document(walk.name)
        files[Path("trials", walk.name, "inputData.xml")] = documents.input_data_document(DOF_NAMES)
    for path, document in files.items():
        documents.write(folder / path, document)


def write_inputs(folder: Path, walk: Walk) -> None:
    """Write muscle-tendon lengths, moment arms and EMG of one trial into its folder."""
    angles = joint_angles(walk)
    lengths = np.column_stack([muscle.length(angles) for muscle in MUSCLES])
    write_storage(
        folder / "lmt.sto",
        walk.time,
        [muscle.name for muscle in MUSCLES],
        lengths.round(LENGTH_DECIMALS),
        name="Length",
        units="m",
    )
    for dof_name in DOF_NAMES:
        crossing = [muscle for muscle in MUSCLES if muscle.name in muscles_on(dof_name)]
        arms = np.column_stack([m.moment_arm(dof_name, angles[dof_name]) for m in crossing])
        write_storage(
            folder / f"ma_{dof_name}.sto",
            walk.time,
            [muscle.name for muscle in crossing],
            arms.round(LENGTH_DECIMALS),
            name=f"MomentArm_{dof_name}",
            units="m",
        )
    envelopes = emg_envelopes(walk)
    write_storage(
        folder / "emg.mot",
        walk.emg_time,
        list(envelopes),
        np.column_stack(list(envelopes.values())).round(EMG_DECIMALS),
        name="Normalised EMG envelopes",
        units="share of maximum voluntary contraction",
    )


def write_moments(folder: Path) -> None:
    """Simulate every trial with the true subject and write its joint moments."""
    subject = ct.Subject.read(folder / TRUE_SUBJECT)
    generator = ct.ExcitationGenerator.read(folder / "excitationGenerator.xml")
    for walk in WALKS:
        trial_folder = folder / "trials" / walk.name
        # By hand, because the inputData.xml names the moment file that is yet to be written.
        input_data = ct.InputData(
            name=walk.name,
            muscle_tendon_length_file=trial_folder / "lmt.sto",
            moment_arms_files={dof: trial_folder / f"ma_{dof}.sto" for dof in DOF_NAMES},
            excitations_file=trial_folder / "emg.mot",
        )
        trial = ct.Trial.read(input_data, subject, generator)
        simulation = ct.simulate(subject, trial, tendon="rosenbrockElastic")
        write_moment_file(trial_folder, walk, simulation.joint_moment.array)


def write_moment_file(folder: Path, walk: Walk, moments: Array) -> None:
    """Write the joint moments of one trial, array (n_step, n_dof) in N m, into its folder."""
    write_storage(
        folder / "id.sto",
        walk.time,
        [f"{dof_name}_moment" for dof_name in DOF_NAMES],
        moments.round(MOMENT_DECIMALS),
        name="Inverse Dynamics",
        units="N*m",
    )


def main() -> None:
    """Write the files that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phase", choices=("all", "inputs", "moments"), default="all")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.phase in ("all", "inputs"):
        write_documents(arguments.output)
        for walk in WALKS:
            write_inputs(arguments.output / "trials" / walk.name, walk)
    if arguments.phase in ("all", "moments"):
        write_moments(arguments.output)


if __name__ == "__main__":
    main()
