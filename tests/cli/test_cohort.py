"""``ceinms-torch cohort`` as users run it: processes that are killed, stopped, and go on."""

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from command_line import COMMAND, environment, run_command
from lab_of_many import numbers_of, write_study


def command(study, out, *more):
    return ["cohort", study.path, "--out", out, "--starts", "1", "--jobs", "1", *more]


def statuses(out):
    with (out / "subjects.csv").open(newline="", encoding="utf-8") as file:
        return {one["subject"]: one["status"] for one in csv.DictReader(file)}


def results(out):
    found = sorted(out.glob("subjects/*/*/result.json"))
    return {file.parts[-3]: file for file in found if not file.parts[-2].startswith(".")}


def descendants(pid):
    """Return the processes below one, by number, whichever thread began them."""
    try:
        lists = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    found = [int(one) for text in lists for one in text.split()]
    return [*found, *(one for child in found for one in descendants(child))]


def is_worker(pid):
    try:
        return "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def until(condition, process):
    """Wait until something is true or a process has ended."""
    end = time.monotonic() + 120.0
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert condition(), process.communicate(timeout=60.0)


def start(study, out, *more):
    return subprocess.Popen(
        [str(COMMAND), *map(str, command(study, out, *more))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def test_one_after_the_other_without_dask(gait_folder, tmp_path):
    study, out = write_study(tmp_path, gait_folder, 2), tmp_path / "out"
    (tmp_path / "p1" / "calibrate.xml").write_text("<nothing/>")
    arguments = command(study, out)
    first = run_command(*arguments)
    assert first.returncode == 1, first.stderr
    assert "1 done (2 rows computed now), 1 failed" in first.stdout
    assert "P1" in first.stdout
    assert "calibrate.xml:1" in first.stdout
    assert statuses(out) == {"P0": "done", "P1": "failed"}
    again = run_command(*arguments, "--quiet")
    assert again.stdout.splitlines() == [
        "1 done (0 rows computed now), 1 failed",
        f"results: {out}",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--row", "1", "--scheduler", "tcp://x:1"), "one of --scheduler, --slurm and --row"),
        (("--row", "3"), "expected a row of 1 to 1, got 3"),
        (("--row", "1", "--slurm"), "got --slurm and --row"),
        (("--time-limit", "0"), "time limit: expected a time above 0 s, got 0.0"),
    ],
)
def test_refusals(tmp_path, arguments, message):
    (tmp_path / "study.csv").write_text("subject,setup\nA,calibrate.xml\n")
    result = run_command("cohort", tmp_path / "study.csv", "--out", tmp_path / "out", *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_killed_worker_killed_command_and_signals_cost_only_what_was_in_flight(
    gait_folder, tmp_path
):
    pytest.importorskip("distributed")
    study, out = write_study(tmp_path, gait_folder, 8), tmp_path / "out"
    (tmp_path / "p5" / "trials" / "walk_105" / "emg.mot").write_text("nothing\n")
    more = ("--jobs", "2")

    process = start(study, out, *more)
    until(lambda: results(out), process)
    workers = [one for one in descendants(process.pid) if is_worker(one)]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: len(results(out)) > 2, process)
    workers = descendants(process.pid)
    process.kill()
    process.communicate(timeout=60.0)
    kept = {file: file.stat().st_mtime_ns for file in results(out).values()}
    end = time.monotonic() + 60.0
    while any(map(is_worker, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(is_worker, workers)), "workers outlive the command that was killed"

    process = start(study, out, *more)
    n_before = len(results(out))
    until(lambda: len(results(out)) > n_before, process)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60.0)
    if process.returncode != 1:  # it may just have ended
        assert process.returncode == 128 + signal.SIGTERM
        assert "interrupted; what is done is kept, and the same command goes on" in stderr
        assert "Traceback" not in stderr
    assert not [*out.rglob("*working*")]

    process = start(study, out, *more)
    stdout, _ = process.communicate(timeout=120.0)
    assert process.returncode == 1
    assert "7 done" in stdout
    expected = dict.fromkeys((f"P{i}" for i in range(8)), "done")
    assert statuses(out) == {**expected, "P5": "failed"}
    assert not [*out.rglob("*working*")]
    assert kept.items() <= {file: file.stat().st_mtime_ns for file in results(out).values()}.items()
    again = run_command(*command(study, out, *more))
    assert "7 done (0 rows computed now), 1 failed" in again.stdout

    alone = run_command(*command(study, tmp_path / "alone", "--row", 3))
    assert alone.returncode == 0, alone.stderr
    read = [
        numbers_of(json.loads(results(folder)["P2"].read_text()))
        for folder in (out, tmp_path / "alone")
    ]
    assert read[0] == read[1]


def test_ctrl_c_of_one_after_the_other(gait_folder, tmp_path):
    study, out = write_study(tmp_path, gait_folder, 6), tmp_path / "out"
    process = start(study, out)
    until(lambda: results(out), process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60.0)
    assert process.returncode == 128 + signal.SIGINT
    assert "the same command goes on" in stderr
    n_done = len(results(out))
    assert 0 < n_done < 6
    assert not [*out.rglob("*working*")]
    again = run_command(*command(study, out))
    assert f"6 done ({6 - n_done} rows computed now), 0 failed" in again.stdout


def test_job_array_of_the_examples(gait_folder, tmp_path):
    study, out = write_study(tmp_path, gait_folder, 2), tmp_path / "out"
    script = gait_folder.parents[1] / "python" / "examples" / "job_array.sh"
    for number in (1, 2):
        path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["/bin/bash", script, study.path, out, "--starts", "1"],
            check=False,
            capture_output=True,
            text=True,
            timeout=120.0,
            env=environment(SLURM_ARRAY_TASK_ID=str(number), PATH=path),
        )
        assert done.returncode == 0, done.stderr
    assert sorted(results(out)) == ["P0", "P1"]
    tables = run_command(*command(study, out))
    assert "2 done (0 rows computed now), 0 failed" in tables.stdout
