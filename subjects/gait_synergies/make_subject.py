"""Write the synthetic subject with synergies beside this file.

    python make_subject.py

Anatomy, kinematics and true parameters are those of ``../gait``, whose files of MTU lengths and
moment arms are used where they are; excitations and the joint moments they cause are new.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

HERE = Path(__file__).resolve().parent
GAIT = HERE.parent / "gait"
sys.path.insert(0, str(GAIT))

import documents  # noqa: E402
from anatomy import DOF_NAMES, MUSCLES, Array  # noqa: E402
from signals import CALIBRATION_WALKS, EMG_LEAD, EMG_TAIL, TEST_WALKS, Walk  # noqa: E402
from synergies import RECORDED, WEIGHTINGS, excitations  # noqa: E402

import ceinms_torch as ct  # noqa: E402
from ceinms_torch.io.storage import write_storage  # noqa: E402

WALKS = (*CALIBRATION_WALKS, TEST_WALKS[0])
EMG_RATE = 200.0  # Hz
EMG_DECIMALS, MOMENT_DECIMALS = 8, 10
TRUE_SUBJECT = Path("truth", "subjectTrue.xml")
NAMES = [muscle.name for muscle in MUSCLES]


def emg_time(walk: Walk) -> Array:
    """Return the times of the recorded envelopes, array (n_row,), s."""
    first = round((walk.time[0] - EMG_LEAD) * EMG_RATE)
    last = round((walk.time[-1] + EMG_TAIL) * EMG_RATE)
    return np.arange(first, last + 1) / EMG_RATE


def excitation_generator_document() -> ET.Element:
    """Make ``excitationGenerator``: an electrode on every other muscle, roughly."""
    root = ET.Element("excitationGenerator")
    documents.add(root, "inputSignals", " ".join(RECORDED), type="EMG")
    mapping = documents.add(root, "mapping")
    for name in NAMES:
        excitation = documents.add(mapping, "excitation", id=name)
        if name in RECORDED:
            documents.add(excitation, "input", name, weight="1")
    return root


def calibration_document() -> ET.Element:
    """Make ``calibration``: that of ``../gait``, with synergies for the muscles not recorded."""
    root = documents.calibration_document()
    algorithm = root.find("algorithm")
    algorithm.clear()
    documents.add(algorithm, "lbfgs")
    kind = root.find("NMSmodel/type")
    kind.clear()
    hybrid = documents.add(kind, "synergyHybrid")
    documents.add(hybrid, "nSynergy", len(WEIGHTINGS[NAMES[0]]))
    # Neither recordings nor moments have noise here, so little weight on small excitations does.
    documents.add(hybrid, "excitationWeight", 100)
    documents.add(hybrid, "synthesisedWeight", 0.01)
    return root


def input_data_document(walk: Walk) -> ET.Element:
    """Make ``inputData``: the geometry of ``../gait``, and own excitations and moments."""
    root = ET.Element("inputData")
    geometry = f"../../../gait/trials/{walk.name}"
    documents.add(root, "muscleTendonLengthFile", f"{geometry}/lmt.sto")
    documents.add(root, "excitationsFile", "emg.mot")
    moment_arms = documents.add(root, "momentArmsFiles")
    for dof in DOF_NAMES:
        documents.add(moment_arms, "momentArmsFile", f"{geometry}/ma_{dof}.sto", dofName=dof)
    documents.add(root, "externalTorquesFile", "id.sto")
    return root


def write_documents(folder: Path) -> None:
    """Write all XML files of the subject."""
    files = {
        Path("subjectUncalibrated.xml"): documents.subject_document(true=False),
        TRUE_SUBJECT: documents.subject_document(true=True),
        Path("excitationGenerator.xml"): excitation_generator_document(),
        Path("calibration.xml"): calibration_document(),
        Path("calibrate.xml"): documents.calibration_setup_document(),
        Path("execution.xml"): documents.execution_document(),
        Path(f"run_{TEST_WALKS[0].name}.xml"): documents.run_setup_document(TEST_WALKS[0].name),
    }
    for walk in WALKS:
        files[Path("trials", walk.name, "inputData.xml")] = input_data_document(walk)
    for path, document in files.items():
        documents.write(folder / path, document)


def write_trial(folder: Path, walk: Walk) -> None:
    """Write excitations, recorded and true ones, and the moments that the true ones cause."""
    time = emg_time(walk)
    true = excitations(walk, time).round(EMG_DECIMALS)
    units = "share of maximum voluntary contraction"
    recorded = true[:, [NAMES.index(name) for name in RECORDED]]
    trial_folder = folder / "trials" / walk.name
    write_storage(
        trial_folder / "emg.mot", time, RECORDED, recorded, name="EMG envelopes", units=units
    )
    truth = folder / "truth" / f"{walk.name}_excitations.sto"
    write_storage(truth, time, NAMES, true, name="True excitations", units=units)
    geometry = GAIT / "trials" / walk.name
    everything = ct.InputData(
        name=walk.name,
        muscle_tendon_length_file=geometry / "lmt.sto",
        moment_arms_files={dof: geometry / f"ma_{dof}.sto" for dof in DOF_NAMES},
        excitations_file=truth,
    )
    subject = ct.Subject.read(folder / TRUE_SUBJECT)
    trial = ct.Trial.read(everything, subject, ct.ExcitationGenerator.one_to_one(NAMES))
    write_storage(
        trial_folder / "id.sto",
        walk.time,
        [f"{dof}_moment" for dof in DOF_NAMES],
        ct.simulate(subject, trial).joint_moment.array.round(MOMENT_DECIMALS),
        name="Inverse Dynamics",
        units="N*m",
    )


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE, metavar="FOLDER")
    folder = parser.parse_args().output
    write_documents(folder)
    for walk in WALKS:
        write_trial(folder, walk)


if __name__ == "__main__":
    main()
