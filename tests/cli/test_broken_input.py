"""Broken input to ``calibrate``: one message that says where and what, and nothing written."""

import re

import pytest

from command_line import listing, run_command
from helpers import edit, line_with


def without_emg(folder):
    (folder / "trial2" / "emg.mot").unlink()
    return "trial2/emg.mot", None, "emg.mot"


def without_column(folder):
    edit(folder / "trial1" / "lmt.sto", "gasmed_r", "gaslat_r")
    return "trial1/lmt.sto", line_with(folder / "trial1" / "lmt.sto", "gaslat_r"), "gasmed_r"


def edited_row(path, row, change):
    """Change one line of numbers, counted from the labels, and return its number in the file."""
    lines = path.read_text().split("\n")
    number = line_with(path, "endheader") + 1 + row
    lines[number - 1] = "\t".join(change(lines[number - 1].split("\t")))
    path.write_text("\n".join(lines))
    return number


def not_a_number(folder):
    path = folder / "trial1" / "id.sto"
    return "trial1/id.sto", edited_row(path, 7, lambda row: [row[0], "nan", row[2]]), "nan"


def short_row(folder):
    path = folder / "trial2" / "ma_knee_angle_r.sto"
    return "trial2/ma_knee_angle_r.sto", edited_row(path, 3, lambda row: row[:-1]), "3"


def unknown_muscle(folder):
    path = folder / "calibration.xml"
    edit(path, "soleus_r gasmed_r", "soleus_r gasmedd_r")
    return "calibration.xml", line_with(path, "<parameter>", occurrence=6), "'gasmedd_r'"


def short_emg(folder):
    path = folder / "trial1" / "emg.mot"
    lines = path.read_text().split("\n")
    lines = [re.sub(r"^nRows=\d+", f"nRows={len(lines) - 28}", line) for line in lines[:-21]]
    path.write_text("\n".join([*lines, ""]))
    return "trial1/emg.mot", None, "EMG is too short"


def constant_moment(folder):
    path = folder / "trial2" / "id.sto"
    for row in range(1, 31):
        edited_row(path, row, lambda row: [row[0], row[1], "0.1"])
    return "trial2/id.sto", None, "ankle_angle_r"


def wrong_order(folder):
    path = folder / "subject.xml"
    edit(path, "<c1>-0.6</c1>\n      <c2>-0.4</c2>", "<c2>-0.4</c2>\n      <c1>-0.6</c1>")
    return "subject.xml", line_with(path, "<c2>"), "c1"


def inverted_bound(folder):
    path = folder / "calibration.xml"
    edit(path, "0.5 2.5", "2.5 0.5")
    return "calibration.xml", line_with(path, "2.5 0.5"), "inverted"


def unknown_dof(folder):
    path = folder / "calibration.xml"
    edit(path, "<dofs>knee_angle_r", "<dofs>hip_flexion_r")
    return "calibration.xml", line_with(path, "<step>"), "'hip_flexion_r'"


def second_step(folder):
    """A fault in a later step shows before the first one is run."""
    path = folder / "calibration.xml"
    text = path.read_text()
    step = text[text.index("    <step>") : text.index("  </calibrationSteps>")]
    edit(path, step, step + step.replace("soleus_r", "soleu_r"))
    return "calibration.xml", line_with(path, "<parameter>", occurrence=12), "'soleu_r'"


BREAKERS = (
    without_emg,
    without_column,
    not_a_number,
    short_row,
    unknown_muscle,
    short_emg,
    constant_moment,
    wrong_order,
    inverted_bound,
    unknown_dof,
    second_step,
)


@pytest.mark.parametrize("out", [(), ("--out", "results/new")], ids=["in place", "--out"])
@pytest.mark.parametrize("breaker", BREAKERS, ids=lambda function: function.__name__)
def test_broken_input(tiny_folder, tmp_path, monkeypatch, breaker, out):
    file, line, thing = breaker(tiny_folder)
    monkeypatch.chdir(tiny_folder)
    before = listing(tiny_folder)
    result = run_command(
        "calibrate",
        tiny_folder / "calibrationSetup.xml",
        "--max-iterations",
        "1",
        *out,
        # Found before torch, which takes seconds to load, is needed.
        without_torch=tmp_path / "poison",
    )
    assert "Traceback" not in result.stderr, result.stderr
    assert result.returncode == 1
    assert result.stdout == ""
    errors = [text for text in result.stderr.splitlines() if text.startswith("error:")]
    assert len(errors) == 1, result.stderr
    others = {text.split(":")[0] for text in result.stderr.splitlines() if text not in errors}
    assert others <= {"note", "warning", ""}
    (message,) = errors
    where = str(tiny_folder / file) + ("" if line is None else f":{line}:")
    assert where in message, message
    assert thing in message, message
    assert re.search(r": expected .+, got .+\.", message), message
    assert listing(tiny_folder) == before


@pytest.mark.parametrize("command", ["calibrate", "run"])
def test_setup_file_that_does_not_exist(tmp_path, command):
    result = run_command(command, tmp_path / "no.xml", without_torch=tmp_path / "poison")
    assert result.returncode == 1
    assert result.stderr.count("error:") == 1
    assert str(tmp_path / "no.xml") in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["calibrate", "run"])
def test_results_where_nothing_can_be_written(tiny_folder, tmp_path, command):
    """Known before anything is computed."""
    (tiny_folder / "file").write_text("not a folder\n")
    setup = {"calibrate": "calibrationSetup.xml", "run": "setup.xml"}[command]
    before = listing(tiny_folder)
    result = run_command(
        command,
        tiny_folder / setup,
        "--out",
        tiny_folder / "file" / "results",
        without_torch=tmp_path / "poison",
    )
    assert result.returncode == 1
    assert "error:" in result.stderr
    assert "a folder that can be written to" in result.stderr
    assert "Traceback" not in result.stderr
    assert listing(tiny_folder) == before


@pytest.mark.parametrize(
    ("option", "value", "got"),
    [
        ("--max-iterations", "0", "0"),
        ("--set", "damping=-1", "-1"),
        ("--set", "patience=0", "0"),
        ("--set", "patience", "'patience'"),
        ("--set", "learningRate=0.1", "'learningRate'"),  # not one of Levenberg-Marquardt
        ("--engine=tensor", "--method=lm", "lm"),
    ],
)
def test_options_outside_their_range(tiny_folder, tmp_path, option, value, got):
    before = listing(tiny_folder)
    result = run_command(
        "calibrate",
        tiny_folder / "calibrationSetup.xml",
        option,
        value,
        without_torch=tmp_path / "poison",
    )
    assert result.returncode == 1
    assert result.stderr.count("error:") == 1
    assert f"got {got}" in result.stderr
    assert listing(tiny_folder) == before
