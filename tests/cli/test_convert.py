"""``ceinms-torch convert`` as users run it."""

import pytest

from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from command_line import listing, run_command
from helpers import edit
from rt_files import write_rt_subject


def test_files(tmp_path):
    old = write_rt_subject(tmp_path / "subjectRT.xml")
    new = tmp_path / "subjectRT_results"
    done = run_command("convert", old, without_torch=tmp_path / "poison")
    assert done.returncode == 0, done.stderr
    assert "no emDelay; 0.015 s is written, --em-delay sets another" in done.stderr
    assert "overwritten" not in done.stderr
    subject = Subject.read(new / "subject.xml")
    generator = ExcitationGenerator.read(new / "excitationGenerator.xml")
    assert generator.recorded(subject.mtu_names) == (True, True)
    again = run_command("convert", old, "--em-delay", "0.03")
    assert again.returncode == 0
    names = f"{new / 'subject.xml'}, {new / 'excitationGenerator.xml'}"
    assert again.stderr == f"note: earlier results are overwritten: {names}\n"
    assert Subject.read(new / "subject.xml").mtus[0].em_delay == 0.03


def test_the_input_is_never_overwritten(tmp_path):
    old = write_rt_subject(tmp_path / "subject.xml")
    before = listing(tmp_path)
    done = run_command("convert", old, "--out", tmp_path)
    assert done.returncode == 1
    assert f"{old}: expected a file to write, got the input. Choose another --out." in done.stderr
    assert listing(tmp_path) == before


@pytest.mark.parametrize("delay", [(), ("--em-delay", "0.03")])
def test_faults_write_nothing(tmp_path, delay):
    old = write_rt_subject(tmp_path / "subjectRT.xml")
    edit(old, "<C2>-0.4</C2>", "<C2>-0.4</C2><emg/>")
    done = run_command("convert", old, "--out", tmp_path / "new", *delay)
    assert done.returncode == 1
    assert "<emg>: expected <shapeFactor> at this place, got <emg>" in done.stderr
    assert not (tmp_path / "new").exists()
