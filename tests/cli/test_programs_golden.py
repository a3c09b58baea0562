"""``CEINMS`` and ``CEINMScalibrate`` against what the original programs wrote, file by file."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.cli.programs import CEINMS, CEINMS_CALIBRATE
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.setup import RunSetup
from ceinms_torch.model.subject import Subject

COMMITTED = Path(__file__).resolve().parent.parent / "golden"
OPEN_LOOP = [
    f"{subject}_{tendon}_{mode}_{trial}"
    for subject in ("true", "uncal", "piecewise")
    for tendon in ("stiff", "elastic")
    for mode in ("offline", "online")
    for trial in ("trial1", "trial2")
]
SEARCHED = ["hybrid_stiff", "hybrid_elastic", "static_optimisation_stiff"]
RECORDED = ["walk36_c02", "walk36_c05", "walk45_c08", "run81_c02"]
# The original prints six digits, so its rounding alone is up to 5e-6 of a value.
RTOL = 5e-6
# Of CEINMS 0.21; the last one where excitations are searched for.
LATER = ["TendonLengths.sto", "NormTendonLengths.sto", "MusclesContribution.sto"]
COMPONENTS = "ObjectiveFunctionComponentsAndWeightings.sto"


@pytest.fixture
def golden_copy(golden_dir, tmp_path):
    """The inputs of the golden cases, where programs may write."""
    folder = tmp_path / "golden"
    shutil.copytree(golden_dir, folder, ignore=shutil.ignore_patterns("expected"))
    return folder


def assert_files_agree(got, expected, also=()):
    """Compare every file of the original with the one of the same name."""
    names = {path.name for path in expected.glob("*.sto")}
    assert names
    assert {path.name for path in got.iterdir()} == names | {"FiberLengths.sto", *also, *LATER}
    for name in names:
        text, printed = (path.read_text().splitlines() for path in (got / name, expected / name))
        assert text[:5] == printed[:5], name  # header and labels, letter by letter
        assert [line[-1] for line in text[4:]] == ["\t"] * (len(text) - 4)
        ours, theirs = read_storage(got / name), read_storage(expected / name)
        np.testing.assert_allclose(ours.time, theirs.time, rtol=RTOL, atol=1e-12, err_msg=name)
        # Zeros are printed as such only where they are.
        floor = 1e-12 * np.abs(theirs.values).max()
        np.testing.assert_allclose(ours.values, theirs.values, rtol=RTOL, atol=floor, err_msg=name)


@pytest.mark.parametrize("case", [*OPEN_LOOP, *SEARCHED])
def test_golden_run(golden_dir, golden_copy, case):
    assert CEINMS.main(["-S", str(golden_copy / f"run_{case}.xml")]) == 0
    name = Path("expected") / f"run_{case}"
    also = (COMPONENTS,) if case in SEARCHED else ()
    assert_files_agree(golden_copy / name, golden_dir / name, also)
    moments, parts = (
        read_storage(golden_copy / name / f"{file}.sto")
        for file in ("Torques", "MusclesContribution")
    )
    for dof in moments.columns:
        columns = [column for column in parts.columns if column.endswith(f"_{dof}")]
        values = parts.select(columns)
        total = moments.select((dof,))[:, 0]
        # Six digits of every part and of the sum.
        rounding = RTOL * (np.abs(values).sum(axis=1) + np.abs(total))
        assert np.all(np.abs(values.sum(axis=1) - total) <= rounding)


@pytest.mark.parametrize("trial", RECORDED)
@pytest.mark.parametrize("tendon", ["stiff", "elastic"])
def test_recorded_run(shared_dir, tmp_path, tendon, trial):
    folder = shared_dir / "data" / "lower_limb" / "ceinms"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}")
    RunSetup(
        subject_file=folder / "reference" / f"subjectCalibrated_{tendon}.xml",
        input_data_file=folder / "trials" / trial / "inputData.xml",
        execution_file=folder / f"execution_{tendon}.xml",
        excitation_generator_file=folder / "excitationGenerator.xml",
        output_directory=tmp_path / "output",
    ).write(tmp_path / "setup.xml")
    assert CEINMS.main(["-S", str(tmp_path / "setup.xml")]) == 0
    assert_files_agree(tmp_path / "output", folder / "reference" / f"run_{tendon}_{trial}")


@pytest.mark.parametrize(
    ("case", "evaluations", "objective"),
    [("stiff_short", 336, "0.306512"), ("elastic_short", 336, "0.621552")],
)
def test_golden_calibration(golden_dir, golden_copy, capsys, case, evaluations, objective):
    assert CEINMS_CALIBRATE.main(["-S", str(golden_copy / f"calibrate_{case}.xml")]) == 0
    said = capsys.readouterr().out
    assert f"temperature 3: {evaluations} evaluations, fOpt_ = {objective}\n" in said
    assert f"\nfOpt_ = {objective}\nCalibration time: " in said
    name = Path("expected") / f"subjectCalibrated_{case}.xml"
    got, expected = (Subject.read(base / name) for base in (golden_copy, golden_dir))
    np.testing.assert_allclose(got.parameters(), expected.parameters(), rtol=1e-9)


@pytest.mark.parametrize(
    ("range_", "other", "objective"),
    [
        ("0.5 2.5", "0 2.5", "0.307967"),  # no muscle has a strength of zero
        ("-0.95 -0.05", "-1.2 -0.05", "0.557349"),  # beyond -1 the filter is unstable
        ("-2.999 -0.001", "-2.999 -1.5", ""),  # the start, -1, is outside
    ],
)
def test_ranges_that_ceinms_takes_are_taken(golden_copy, capsys, range_, other, objective):
    path = golden_copy / "calibration_stiff_short.xml"
    path.write_text(path.read_text().replace(f"<range>{range_}<", f"<range>{other}<"))
    assert CEINMS_CALIBRATE.main(["-S", str(golden_copy / "calibrate_stiff_short.xml")]) == 0
    said = capsys.readouterr()
    assert f"\nfOpt_ = {objective}" in said.out
    assert said.err == ""  # nothing is moved


@pytest.mark.parametrize(
    "case", sorted(path.stem.removeprefix("run_") for path in COMMITTED.glob("run_*.xml"))
)
def test_committed_run(tmp_path, case):
    folder = tmp_path / "golden"
    shutil.copytree(COMMITTED, folder, ignore=shutil.ignore_patterns("expected"))
    assert CEINMS.main(["-S", str(folder / f"run_{case}.xml")]) == 0
    got, expected = folder / "expected" / f"run_{case}", COMMITTED / "expected" / f"run_{case}"
    # Not all files of the stiff cases are committed.
    also = {path.name for path in got.iterdir()} - {path.name for path in expected.iterdir()}
    assert_files_agree(got, expected, also)
