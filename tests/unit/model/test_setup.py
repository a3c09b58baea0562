"""Setup and input data files: paths, order, and what is missing."""

import pytest

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.setup import CalibrationSetup, RunSetup
from helpers import edit, line_with


def fault(read, path):
    with pytest.raises(FileFormatError) as caught:
        read(path)
    return caught.value


def test_run_setup(tiny_folder):
    setup = RunSetup.read(tiny_folder / "setup.xml")
    assert setup.subject_file == tiny_folder / "subject.xml"
    assert setup.input_data_file == tiny_folder / "trial1" / "inputData.xml"
    assert setup.execution_file == tiny_folder / "execution.xml"
    assert setup.excitation_generator_file == tiny_folder / "excitationGenerator.xml"
    assert setup.output_directory == tiny_folder / "output"


def test_calibration_setup(tiny_folder):
    setup = CalibrationSetup.read(tiny_folder / "calibrationSetup.xml")
    assert setup.calibration_file == tiny_folder / "calibration.xml"
    assert setup.output_subject_file == tiny_folder / "calibrated" / "subject.xml"


def test_any_order_and_the_first_counts(tiny_folder):
    path = tiny_folder / "setup.xml"
    edit(path, "  <outputDirectory>output</outputDirectory>\n", "")
    edit(path, "<ceinms>", "<ceinms><outputDirectory>first</outputDirectory>")
    edit(path, "</ceinms>", "<outputDirectory>second</outputDirectory></ceinms>")
    assert RunSetup.read(path).output_directory == tiny_folder / "first"


def test_windows_paths(tiny_folder):
    path = tiny_folder / "setup.xml"
    edit(path, "trial1/inputData.xml", ' ".\\trial1\\inputData.xml"\n')
    assert RunSetup.read(path).input_data_file == tiny_folder / "trial1" / "inputData.xml"


def test_missing_element(tiny_folder):
    path = tiny_folder / "setup.xml"
    edit(path, "<outputDirectory>output</outputDirectory>", "")
    error = fault(RunSetup.read, path)
    assert (error.where.line, error.expected) == (2, "<outputDirectory> inside <ceinms>")


def test_missing_element_with_a_similar_unknown_one(tiny_folder):
    path = tiny_folder / "setup.xml"
    edit(path, "<outputDirectory>output</outputDirectory>", "<outputDir>output</outputDir>")
    with pytest.warns(CeinmsTorchWarning, match="outputDir"):
        error = fault(RunSetup.read, path)
    assert error.hint == "Did you mean 'outputDir'?"


@pytest.mark.parametrize(
    ("name", "read", "old"),
    [
        ("setup.xml", RunSetup.read, "subject.xml"),
        ("setup.xml", RunSetup.read, "execution.xml"),
        ("calibrationSetup.xml", CalibrationSetup.read, "calibration.xml"),
        ("trial1/inputData.xml", InputData.read, "lmt.sto"),
        ("trial1/inputData.xml", InputData.read, "emg.mot"),
        ("trial1/inputData.xml", InputData.read, "id.sto"),
    ],
)
def test_missing_file_blames_the_line_that_names_it(tiny_folder, name, read, old):
    path = tiny_folder / name
    edit(path, old, f"X{old}")
    error = fault(read, path)
    assert (error.where.file, error.where.line) == (path, line_with(path, f"X{old}"))
    assert "the name of a file that exists" in error.expected
    assert error.got.endswith("which is missing")
    assert error.hint == f"Did you mean '{old}'?"


def test_folder_or_nothing_instead_of_a_file(tiny_folder):
    path = tiny_folder / "setup.xml"
    edit(path, "trial1/inputData.xml", "trial1")
    assert fault(RunSetup.read, path).got.endswith("trial1', which is a folder")
    edit(path, ">trial1<", '> " " <')
    assert fault(RunSetup.read, path).got == "an empty text"


def test_input_data(tiny_folder):
    data = InputData.read(tiny_folder / "trial1" / "inputData.xml")
    assert data.name == "trial1"
    assert data.muscle_tendon_length_file == tiny_folder / "trial1" / "lmt.sto"
    assert data.moment_arms_file("knee_angle_r") == tiny_folder / "trial1" / "ma_knee_angle_r.sto"
    assert data.external_torques_file == tiny_folder / "trial1" / "id.sto"


def test_trial_is_named_after_its_file_or_folder(tiny_folder):
    folder = tiny_folder / "trial1"
    for stem, name in (("walk_01", "walk_01"), ("INPUTDATA", "trial1")):
        (folder / f"{stem}.xml").write_bytes((folder / "inputData.xml").read_bytes())
        assert InputData.read(folder / f"{stem}.xml").name == name


def test_moments_are_optional(tiny_folder):
    path = tiny_folder / "trial1" / "inputData.xml"
    edit(path, "<externalTorquesFile>id.sto</externalTorquesFile>", "")
    assert InputData.read(path).external_torques_file is None


def test_moment_arms_that_are_not_needed_may_be_missing(tiny_folder):
    path = tiny_folder / "trial1" / "inputData.xml"
    edit(path, "ma_knee_angle_r.sto", "gone.sto")
    data = InputData.read(path)
    assert data.moment_arms_file("ankle_angle_r").is_file()
    error = fault(data.moment_arms_file, "knee_angle_r")
    assert (error.where.file, error.where.line) == (path, line_with(path, "gone.sto"))


def test_dof_without_moment_arms(tiny_folder):
    path = tiny_folder / "trial1" / "inputData.xml"
    edit(path, 'dofName="knee_angle_r"', 'dofName="knee_r"')
    line = line_with(path, "<momentArmsFiles>")
    with pytest.raises(
        DataError, match=rf":{line}: .*dofName 'knee_angle_r'.*got files for knee_r, ankle"
    ):
        InputData.read(path).moment_arms_file("knee_angle_r")


def test_second_file_for_a_dof_is_ignored(tiny_folder):
    path = tiny_folder / "trial1" / "inputData.xml"
    edit(path, 'dofName="ankle_angle_r"', 'dofName="knee_angle_r"')
    with pytest.warns(CeinmsTorchWarning, match="a file for 'knee_angle_r' already"):
        data = InputData.read(path)
    assert data.moment_arms_file("knee_angle_r").name == "ma_knee_angle_r.sto"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("setup.xml", RunSetup),
        ("calibrationSetup.xml", CalibrationSetup),
        ("trial1/inputData.xml", InputData),
    ],
)
def test_written_elsewhere_the_same_files_are_found(tiny_folder, name, kind):
    read = kind.read(tiny_folder / name)
    copy = tiny_folder / "some" / "where" / name
    read.write(copy)
    again = kind.read(copy)
    for field, value in vars(read).items():
        if value is not None and field.endswith(("_file", "_directory")):
            assert getattr(again, field).resolve() == value.resolve()
    if kind is InputData:
        for dof, file in read.moment_arms_files.items():
            assert again.moment_arms_file(dof).resolve() == file.resolve()


def test_reference_setups(shared_dir):
    runs = [*shared_dir.glob("golden/run_*.xml"), *shared_dir.glob("data/*/ceinms/run_*.xml")]
    calibrations = [
        *shared_dir.glob("golden/calibrate_*.xml"),
        *shared_dir.glob("data/*/ceinms/calibrate_*.xml"),
    ]
    assert len(runs) > 10
    assert len(calibrations) >= 4
    for file in runs:
        assert RunSetup.read(file).subject_file.is_file()
    for file in calibrations:
        assert CalibrationSetup.read(file).calibration_file.is_file()
