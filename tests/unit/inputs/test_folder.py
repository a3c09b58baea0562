"""What a setup file points at: checks across files, before anything is computed."""

import shutil

import pytest

from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError
from ceinms_torch.inputs.folder import CalibrationFolder
from helpers import edit, line_with, write_tiny_folder

# The EMG of the tiny trials begins 0.2 s before and ends 0.04 s after the MTU lengths.
STRENGTH = """          <name>strengthCoefficient</name>
          <muscleGroups>
            <muscles>soleus_r gasmed_r</muscles>
            <muscles>recfem_r</muscles>
          </muscleGroups>
          <absolute>
            <range>0.5 2.5</range>
          </absolute>"""


def delays(low_high, *, scope="<single/>", bounds="absolute"):
    return f"""          <name>emDelay</name>
          {scope}
          <{bounds}>
            <range>{low_high}</range>
          </{bounds}>"""


def calibrating(folder, *parameters):
    """Write a step with one parameter for each text; return the setup file."""
    path = folder / "calibration.xml"
    text = path.read_text()
    step = text[text.index("    <step>") : text.index("  </calibrationSteps>")]
    edit(path, step, "".join(step.replace(STRENGTH, parameter) for parameter in parameters))
    return folder / "calibrationSetup.xml"


@pytest.mark.parametrize(
    ("parameter", "needed"),
    [
        (delays("0.01 0.25"), "0.01 to 0.25 s, need it from -0.25 to 0.28 s"),
        (delays("-0.06 0.1"), "-0.06 to 0.1 s, need it from -0.1 to 0.35 s"),
        (delays("0.5 20", bounds="relativeToSubjectValue"), "0.0075 to 0.3 s"),
        (delays("0.01 0.25", scope="<global/>"), "those of gasmed_r|those of soleus_r"),
    ],
    ids=["upper", "lower", "relative", "global"],
)
def test_emg_must_cover_the_delays_that_are_tried(tiny_folder, parameter, needed):
    setup = calibrating(tiny_folder, parameter)
    path = tiny_folder / "calibration.xml"
    line = line_with(path, "<range>", occurrence=6)
    where = rf"calibration.xml:{line}: <range> of emDelay: expected delays that the EMG of trial "
    with pytest.raises(DataError, match=rf"{where}trial1 covers.*({needed})") as caught:
        CalibrationFolder.read(setup)
    assert "got -0.2 to 0.34 s. Narrow the range" in str(caught.value)


@pytest.mark.parametrize("low_high", ["0 0.2", "-0.05 0.02"])
def test_emg_that_just_covers_the_delays(tiny_folder, low_high):
    setup = calibrating(tiny_folder, delays(low_high))
    assert len(CalibrationFolder.read(setup).trials) == 2


def test_relative_delays_of_a_later_step_start_from_those_of_the_earlier(tiny_folder):
    """0.015 s times 6 is covered, but the first step may make it 0.09 s, and the second 0.54 s."""
    relative = delays("0.5 6", bounds="relativeToSubjectValue")
    setup = calibrating(tiny_folder, relative, relative)
    line = line_with(tiny_folder / "calibration.xml", "<range>", occurrence=12)
    with pytest.raises(DataError, match=rf"calibration.xml:{line}: .*0.00375 to 0.54 s"):
        CalibrationFolder.read(setup)


def test_emg_of_test_trials_must_cover_the_delays(tiny_folder):
    edit(tiny_folder / "calibration.xml", " trial2/inputData.xml", "")
    folder = CalibrationFolder.read(calibrating(tiny_folder, delays("0.015 0.15")))
    test = tiny_folder / "trial2" / "inputData.xml"
    assert list(folder.read_tests([test])) == ["trial2"]
    path = tiny_folder / "trial2" / "emg.mot"
    lines = path.read_text().split("\n")
    first = lines.index("endheader") + 2
    del lines[first : first + 20]  # now it begins 0.1 s before the MTU lengths
    path.write_text("\n".join(lines).replace("nRows=109", "nRows=89"))
    with pytest.raises(DataError, match=r"the EMG of trial trial2 covers.*got -0.1 to 0.34 s"):
        folder.read_tests([test])


def test_two_trials_of_one_name(tiny_folder):
    first = tiny_folder / "trial2" / "inputData.xml"
    second = shutil.copytree(first.parent, tiny_folder / "again" / "trial2") / "inputData.xml"
    edit(tiny_folder / "calibration.xml", " trial2/inputData.xml", "")
    folder = CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")
    with pytest.raises(DataError) as caught:
        folder.read_tests([first, second])
    for file in (first, second):
        assert str(file) in str(caught.value)
    assert "trials with different names, got 'trial2'" in str(caught.value)
    assert list(folder.read_tests([first])) == ["trial2"]
    edit(
        tiny_folder / "calibration.xml",
        "trial1/inputData.xml",
        "trial2/inputData.xml again/trial2/inputData.xml",
    )
    with pytest.raises(DataError, match=r"again/trial2/inputData.xml: expected trials with diff"):
        CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")


def test_test_trial_that_is_calibrated_on(tiny_folder):
    folder = CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")
    with pytest.warns(CeinmsTorchWarning, match="'trial2' is calibration trial 'trial2'") as caught:
        tests = folder.read_tests([tiny_folder / "trial2" / "inputData.xml"])
    assert len(caught) == 1
    assert list(tests) == ["trial2"]
    # Another inputData.xml for the same recording is no other trial.
    alias = shutil.copy(
        tiny_folder / "trial1" / "inputData.xml", tiny_folder / "trial1" / "alias.xml"
    )
    with pytest.warns(CeinmsTorchWarning, match="'alias' is calibration trial 'trial1'"):
        folder.read_tests([alias])


def test_copied_trial_is_another_recording(tiny_folder):
    folder = CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")
    copied = shutil.copytree(tiny_folder / "trial1", tiny_folder / "new" / "trial1")
    assert list(folder.read_tests([copied / "inputData.xml"])) == ["trial1"]


def test_every_input_file_is_listed_once(tiny_folder):
    folder = CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")
    files = [source.path for source in folder.sources(folder.trials)]
    assert len(files) == len(set(files)) == 4 + 2 * 6
    assert all(file.is_file() for file in files)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "piecewise"}, "activation: expected <exponential/>, got <piecewise/>"),
        (
            {"tendon": "<integrationElastic/>"},
            "tendon: expected one of .*, got 'integrationElastic'",
        ),
    ],
    ids=["activation", "tendon"],
)
def test_model_that_cannot_be_calibrated(tmp_path, settings, message):
    folder = write_tiny_folder(tmp_path / "tiny", **settings)
    with pytest.raises(OptionError, match=rf"calibration.xml: {message}"):
        CalibrationFolder.read(folder / "calibrationSetup.xml")
