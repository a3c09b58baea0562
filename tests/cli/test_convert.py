"""``ceinms-torch convert`` as users run it."""

import pytest

from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from command_line import run_command
from helpers import edit
from rt_files import write_rt_subject


def test_files(tmp_path):
    old = write_rt_subject(tmp_path / "subjectRT.xml")
    new = tmp_path / "converted" / "subject.xml"
    done = run_command("convert", old, "--out", new, without_torch=tmp_path / "poison")
    assert done.returncode == 0, done.stderr
    assert "no emDelay; 0.015 s is written, --em-delay sets another" in done.stderr
    subject = Subject.read(new)
    generator = ExcitationGenerator.read(new.parent / "excitationGenerator.xml")
    assert generator.recorded(subject.mtu_names) == (True, True)
    again = run_command("convert", old, "--out", new, "--em-delay", "0.03")
    assert again.returncode == 1
    assert f"{new}: expected a new file, got one that exists" in again.stderr


@pytest.mark.parametrize("delay", [(), ("--em-delay", "0.03")])
def test_faults_write_nothing(tmp_path, delay):
    old = write_rt_subject(tmp_path / "subjectRT.xml")
    edit(old, "<C2>-0.4</C2>", "<C2>-0.4</C2><emg/>")
    done = run_command("convert", old, "--out", tmp_path / "new" / "subject.xml", *delay)
    assert done.returncode == 1
    assert "<emg>: expected <shapeFactor> at this place, got <emg>" in done.stderr
    assert not (tmp_path / "new").exists()
