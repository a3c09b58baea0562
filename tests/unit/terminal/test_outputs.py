"""Where results go, and what is said about earlier ones."""

import pytest

from ceinms_torch.errors import OptionError
from ceinms_torch.terminal.outputs import results_folder, say_overwriting


def test_results_lie_beside_what_is_worked_on(tmp_path):
    setup = tmp_path / "calibrate.xml"
    assert results_folder(setup, None) == tmp_path / "calibrate_results"
    assert results_folder(setup, None, "compare") == tmp_path / "calibrate_results" / "compare"
    assert results_folder(setup, tmp_path / "out", "compare") == tmp_path / "out"
    assert results_folder(tmp_path, None, "compare") == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "calibrate_results").touch()
    with pytest.raises(OptionError, match="expected a folder that can be written to, got a file"):
        results_folder(tmp_path / "calibrate.xml", None)


def test_overwriting_is_one_line(tmp_path, capsys):
    first, second, new = (tmp_path / name for name in ("[b] first.xml", "second.json", "new.sto"))
    say_overwriting(first, second)
    assert capsys.readouterr() == ("", "")
    first.touch()
    second.touch()
    say_overwriting(first, second, new)
    said = capsys.readouterr()
    assert said.err == f"note: earlier results are overwritten: {first}, {second}\n"
    assert said.out == ""


def test_what_is_not_overwritten(tmp_path):
    subject = tmp_path / "subject.xml"
    subject.touch()
    with pytest.raises(OptionError, match="expected a file to write, got the input"):
        say_overwriting(tmp_path / "." / "subject.xml", inputs=[tmp_path / "no.xml", subject])
    with pytest.raises(OptionError, match="the name of a file to write, got that of a folder"):
        say_overwriting(tmp_path)
