"""A calibration that was killed goes on from its checkpoint, to the result it would have had."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.calibration.annealing import Annealing
from ceinms_torch.calibration.checkpoint import Checkpoint, fingerprint
from ceinms_torch.optimisers.memory import SearchMemory
from ceinms_torch.simulation.legacy.inputs import annealing_options
from ceinms_torch.studies.compare import candidates_of, compare
from command_line import environment, run_command
from helpers import edit, write_tiny_folder

SETUP = "calibrationSetup.xml"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

# The command, which writes a checkpoint whenever it can, and is killed after so many writings.
KILLED = """
import os, sys
from ceinms_torch.calibration import checkpoint
from ceinms_torch.cli import entry
checkpoint._SOON = 0.0
begin, write = checkpoint.Checkpoint.__init__, checkpoint.Checkpoint.write
def begin_often(self, *words, **options):
    begin(self, *words, **options, interval=0.0)
left = [int(sys.argv[1])]
def write_and_die(self):
    write(self)
    self._next = 0.0
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
checkpoint.Checkpoint.__init__ = begin_often
checkpoint.Checkpoint.write = write_and_die
sys.argv = ["ceinms-torch", *sys.argv[2:]]
sys.exit(entry.ceinms_torch())
"""
KINDS = {
    "annealing": ("calibrate", SETUP, "--method", "annealing"),
    "modern annealing": (
        *("calibrate", SETUP, "--method", "annealing"),
        *("--set", "variant=modern", "--seed", "3"),
    ),
    "lm from 32 starts": (
        *("calibrate", SETUP, "--starts", "32", "--threads", "2", "--max-iterations", "60"),
    ),
    "hybrid": ("calibrate", SETUP, "--synergies", "2", "--starts", "3", "--max-iterations", "90"),
    "adamw, polished": ("calibrate", SETUP, "--method", "adamw", "--starts", "3", "--polish"),
}


def run_killed(n_written, *words, cwd):
    """Run a command until it has written so many checkpoints; return its exit status."""
    command = [sys.executable, "-c", KILLED, str(n_written), *map(str, words)]
    return subprocess.run(
        command, check=False, cwd=cwd, capture_output=True, timeout=300.0, env=environment()
    ).returncode


def result_in(out):
    """Return result.json but for times."""

    def bare(value):
        if isinstance(value, dict):
            return {key: bare(one) for key, one in value.items() if key != "seconds"}
        return [bare(one) for one in value] if isinstance(value, list) else value

    text = json.dumps(bare(json.loads((out / "result.json").read_text())))
    return text.replace(str(out), "")


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_resumed(tmp_path, kind):
    unrecorded = ("recfem_r",) if kind == "hybrid" else ()
    folder = write_tiny_folder(tmp_path / "in", unrecorded=unrecorded)
    edit(folder / "calibration.xml", "<maxNoEval>100<", "<maxNoEval>600<")
    edit(folder / "calibration.xml", "<epsilon>1E-3<", "<epsilon>-1<")
    words, whole, broken = KINDS[kind], tmp_path / "whole", tmp_path / "broken"
    assert run_command(*words, "--out", whole, cwd=folder).returncode == 0
    again = ()
    for n_written in (3, 2, 9, 31):
        status = run_killed(n_written, *words, *again, "--out", broken, cwd=folder)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        assert (broken / "checkpoint.json").exists()
        assert not (broken / "result.json").exists()
        again = ("--resume",)
    assert again
    if not (broken / "result.json").exists():
        done = run_command(*words, *again, "--out", broken, cwd=folder)
        assert done.returncode == 0, done.stderr
    assert result_in(broken) == result_in(whole)
    assert not (broken / "checkpoint.json").exists()
    assert not list(broken.rglob(".ceinms*"))


def test_a_stopped_calibration_goes_on(tmp_path):
    """What is kept after Ctrl-C is a result; the checkpoint beside it is for more."""
    folder = write_tiny_folder(tmp_path / "in")
    read = ct.CalibrationFolder.read(folder / SETUP)
    options = {"starts": 6, "seed": 2, "checkpoint": tmp_path / "checkpoint.json"}

    def stop(one):
        if one.start == 4:
            raise KeyboardInterrupt

    part = ct.calibrate(read, callback=stop, **options)
    assert part.status == "interrupted"
    seen = set()
    whole = ct.calibrate(read, resume=True, callback=lambda one: seen.add(one.start), **options)
    straight = ct.calibrate(read, starts=6, seed=2)
    assert np.array_equal(whole.subject.parameters(), straight.subject.parameters())
    assert whole.steps[0].starts == straight.steps[0].starts
    assert whole.evaluations == straight.evaluations
    assert 4 in seen


def stop(_):
    raise KeyboardInterrupt


def test_a_comparison_does_not_meet_what_another_one_left(tmp_path):
    folder = write_tiny_folder(tmp_path / "tiny", tendon="<rosenbrockElastic/>")
    read = ct.CalibrationFolder.read(folder / SETUP)
    file = tmp_path / "checkpoint.json"
    ct.calibrate(read, method="adamw", callback=stop, checkpoint=file)
    assert file.exists()
    candidates = candidates_of(read.plan, ["lm"])
    found = compare(read, candidates, checkpoint=file)
    assert found.runs[-1].objective == compare(read, candidates).runs[-1].objective


def test_a_checkpoint_of_another_calibration_is_refused(tmp_path):
    folder = write_tiny_folder(tmp_path / "in")
    read = ct.CalibrationFolder.read(folder / SETUP)
    file = tmp_path / "checkpoint.json"
    ct.calibrate(read, callback=stop, starts=2, checkpoint=file)
    for other in ({"seed": 1}, {"method": "adamw"}, {"starts": 3}, {"trials": read.trials[:1]}):
        with pytest.raises(ct.OptionError, match="expected the checkpoint of this calibration"):
            ct.calibrate(read, checkpoint=file, resume=True, **{"starts": 2, **other})
    moved = write_tiny_folder(tmp_path / "elsewhere")
    ct.calibrate(moved / SETUP, starts=2, threads=2, checkpoint=file, resume=True)
    file.write_text("{}")
    with pytest.raises(ct.FileFormatError, match="expected a checkpoint of a calibration"):
        ct.calibrate(read, checkpoint=file, resume=True)
    file.write_text("{half")
    with pytest.raises(ct.FileFormatError, match="Delete it"):
        ct.calibrate(read, checkpoint=file, resume=True)
    ct.calibrate(read, checkpoint=file)  # not looked at


def test_a_full_disk_stops_no_calibration(tmp_path, monkeypatch):
    folder = write_tiny_folder(tmp_path / "in")
    (tmp_path / "file").touch()
    checkpoint = Checkpoint(tmp_path / "file" / "checkpoint.json", "x", resume=False)
    with pytest.warns(ct.CeinmsTorchWarning, match="no checkpoint could be written"):
        checkpoint.write()
    result = ct.calibrate(folder / SETUP, checkpoint=tmp_path / "file" / "checkpoint.json")
    assert result.status != "interrupted"


def test_what_the_command_says(tiny_folder):
    words = ("calibrate", SETUP, "--starts", "8", "--max-iterations", "50")
    done = run_command(*words, "--resume", cwd=tiny_folder)
    assert done.returncode == 0
    assert "there is no checkpoint in calibrationSetup_results" in done.stderr
    assert run_killed(2, *words, cwd=tiny_folder) == -signal.SIGKILL
    out = tiny_folder / "calibrationSetup_results"
    done = run_command(*words, "--resume", "--seed", "1", cwd=tiny_folder)
    assert done.returncode == 1
    assert "checkpoint.json: expected the checkpoint of this calibration" in done.stderr
    done = run_command(*words, cwd=tiny_folder)
    assert done.returncode == 0
    assert "checkpoint.json is overwritten; --resume goes on from it" in done.stderr
    assert not (out / "checkpoint.json").exists()
    assert "--resume" not in json.loads((out / "result.json").read_text())["command"]


def test_a_state_of_another_annealing_is_refused(tmp_path):
    folder = ct.CalibrationFolder.read(write_tiny_folder(tmp_path / "in") / SETUP, legacy=True)
    memory = SearchMemory(0.0, lambda: None)
    states = []
    memory.keep = states.append

    class Seen(Annealing):
        def search(self, number, space, problems, report, _):
            self.problem_seen = problems[0]
            return super().search(number, space, problems, report, lambda _: memory)

    calibration = Seen(
        subject=folder.subject,
        trials=folder.trials,
        plan=folder.plan,
        options=folder.plan.algorithm,
    )
    calibration.run()
    assert states
    state = _kernel.AnnealingState()
    for name, value in states[0]["state"].items():
        setattr(state, name, value)
    problem = calibration.problem_seen
    options = annealing_options(folder.plan.algorithm, 0)
    box = {"lower": problem.lower, "upper": problem.upper, "options": options}
    start = 0.5 * (problem.lower + problem.upper)
    for name, value in (
        ("x", state.x[:-1]),
        ("latest", [*state.latest, 0.0]),
        ("next", 1000),
        ("cycle", 1000),
        ("random", "nonsense"),
    ):
        right = getattr(state, name)
        setattr(state, name, value)
        with pytest.raises(ct.DataError):
            _kernel.legacy_anneal(problem.core, start=start, state=state, **box)
        setattr(state, name, right)
    _kernel.legacy_anneal(problem.core, start=start, state=state, **box)


def test_what_a_fingerprint_depends_on(tmp_path):
    one = write_tiny_folder(tmp_path / "one")
    two = write_tiny_folder(tmp_path / "two")
    folders = [ct.CalibrationFolder.read(path / SETUP) for path in (one, two)]
    known = [fingerprint(each.subject, each.trials, each.plan) for each in folders]
    assert known[0] == known[1]
    edit(two / "trial1" / "emg.mot", "0.3", "0.31")
    other = ct.CalibrationFolder.read(two / SETUP)
    assert fingerprint(other.subject, other.trials, other.plan) != known[0]
