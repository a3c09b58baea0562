"""A study as a whole, in this process: results, failures, what is done again, tables."""

import csv
import dataclasses
import importlib.util
import json
import math
import signal
import sys
from itertools import pairwise

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.cohort import workers
from ceinms_torch.cohort.run import run_row
from ceinms_torch.cohort.tables import impulse, mean_over_time
from ceinms_torch.cohort.task import Task
from ceinms_torch.results.write import save_result
from lab_of_many import numbers_of, write_study

OPTIONS = ct.CohortOptions(starts=1)


def rows_of(file):
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def lab(tmp_path_factory, gait_folder):
    folder = tmp_path_factory.mktemp("lab")
    study = write_study(folder, gait_folder, 3)
    (folder / "p1" / "trials" / "walk_115" / "emg.mot").write_text("nothing\n")
    with study.path.open("a") as file:
        file.write("P0,run,p0/run_walk_145.xml,,20\n")
    study = ct.CohortStudy.read(study.path)
    return study, ct.run_cohort(study, folder / "out", OPTIONS)


def test_three_are_done_and_one_says_why(lab):
    _, cohort = lab
    assert cohort.n_computed == 4
    (failed,) = cohort.failed
    assert failed.row.subject == "P1"
    assert "emg.mot" in failed.outcome.message
    table = rows_of(cohort.directory / "subjects.csv")
    assert [one["status"] for one in table] == ["done", "failed", "done", "done"]
    assert [one["kind"] for one in table] == ["calibration"] * 3 + ["run"]
    assert [one["age"] for one in table] == ["20", "21", "22", "20"]
    assert table[1]["message"] == failed.outcome.message
    assert not [*cohort.directory.rglob("*working*")]


def test_results_are_those_of_the_plain_loop(lab, tmp_path):
    study, cohort = lab
    for row in (study.rows[0], study.rows[2]):
        folder = ct.CalibrationFolder.read(row.setup)
        tests = folder.read_tests(row.test_files()).values()
        result = ct.calibrate(folder, starts=1).with_tests(tests)
        save_result(result, tmp_path / row.subject, subject_file="subjectCalibrated.xml")
        plain = json.loads((tmp_path / row.subject / "result.json").read_text())
        ours = json.loads((cohort.directory / row.folder / "result.json").read_text())
        ours["findings"] = plain["findings"]  # the plain loop does not check
        assert numbers_of(ours) == numbers_of(plain)
        assert ct.load_result(cohort.directory / row.folder).tests[0].name == "walk_115"


def test_nothing_is_done_twice(lab):
    study, cohort = lab
    before = {file: file.stat().st_mtime_ns for file in (cohort.directory / "subjects").rglob("*")}
    again = ct.run_cohort(study, cohort.directory, OPTIONS)
    assert again.n_computed == 0
    assert [one.outcome for one in again.rows] == [
        dataclasses.replace(
            one.outcome, inputs=again.rows[i].outcome.inputs, files=again.rows[i].outcome.files
        )
        for i, one in enumerate(cohort.rows)
    ]
    after = {file: file.stat().st_mtime_ns for file in (cohort.directory / "subjects").rglob("*")}
    assert after == before


def test_only_what_changes_is_done_again(gait_folder, tmp_path):
    study = write_study(tmp_path, gait_folder, 2)
    broken = tmp_path / "p1" / "excitationGenerator.xml"
    whole = broken.read_text()
    broken.unlink()
    out = tmp_path / "out"
    first = ct.run_cohort(study, out, OPTIONS)
    assert [one.outcome.status for one in first.rows] == ["done", "failed"]
    assert ct.run_cohort(study, out, OPTIONS).n_computed == 0
    assert ct.run_cohort(study, out, OPTIONS, retry=True).n_computed == 1
    broken.write_text(whole)
    told = []
    mended = ct.run_cohort(
        study, out, OPTIONS, progress=lambda one, is_new: told.append((one.row.subject, is_new))
    )
    assert told == [("P0", False), ("P1", True)]
    assert not mended.failed
    # A time limit that nobody reached makes no difference; another seed does.
    limit = dataclasses.replace(OPTIONS, time_limit=1e4)
    assert ct.run_cohort(study, out, limit).n_computed == 0
    seed = dataclasses.replace(OPTIONS, seed=1)
    assert ct.run_cohort(study, out, seed).n_computed == 2


def test_time_limit_is_a_row_and_a_longer_one_tries_again(gait_folder, tmp_path):
    study = write_study(tmp_path, gait_folder, 1)
    short = dataclasses.replace(OPTIONS, time_limit=1e-9)
    (one,) = ct.run_cohort(study, tmp_path / "out", short).failed
    assert "expected a calibration within 1e-09 s, got one that takes longer" in one.outcome.message
    assert ct.run_cohort(study, tmp_path / "out", short).n_computed == 0
    longer = dataclasses.replace(OPTIONS, time_limit=1e4)
    assert not ct.run_cohort(study, tmp_path / "out", longer).failed


def test_disk_that_is_full_ends_the_study_and_is_no_fault_of_a_person(
    gait_folder, tmp_path, monkeypatch
):
    study = write_study(tmp_path, gait_folder, 1)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ceinms_torch.results.write.save_result", full)
    with pytest.raises(OSError, match="No space"):
        ct.run_cohort(study, tmp_path / "out", OPTIONS)
    assert not [*(tmp_path / "out").rglob("outcome.json")]
    monkeypatch.undo()
    assert not ct.run_cohort(study, tmp_path / "out", OPTIONS).failed


def test_fault_of_ours_is_a_row_with_its_traceback(gait_folder, tmp_path, monkeypatch):
    study = write_study(tmp_path, gait_folder, 1)
    monkeypatch.setattr("ceinms_torch.inputs.calibrate.calibrate", lambda *_, **__: 1 / 0)
    (one,) = ct.run_cohort(study, tmp_path / "out", OPTIONS).failed
    assert one.outcome.message.startswith("ZeroDivisionError: division by zero. It is a fault of")
    assert "1 / 0" in one.outcome.traceback


def test_row_alone_and_then_all(gait_folder, tmp_path):
    study, out = write_study(tmp_path, gait_folder, 2), tmp_path / "out"
    assert run_row(study, 2, out, OPTIONS).outcome.is_done
    assert not (out / "fit.csv").exists()
    assert ct.run_cohort(study, out, OPTIONS).n_computed == 1
    with pytest.raises(ct.FileFormatError, match="expected a row of 1 to 2, got 3"):
        run_row(study, 3, out, OPTIONS)


def test_jobs_need_the_extra_and_one_does_not(gait_folder, tmp_path, monkeypatch):
    study = write_study(tmp_path, gait_folder, 1)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"Install 'ceinms-torch\[cohort\]', or take --jobs 1"):
        ct.run_cohort(study, tmp_path / "out", OPTIONS, workers=2)
    assert ct.run_cohort(study, tmp_path / "out", OPTIONS).n_computed == 1


def test_options_that_no_row_could_be_done_with():
    with pytest.raises(ct.OptionError, match="time above 0 s"):
        ct.CohortOptions(time_limit=0.0)
    with pytest.raises(ct.OptionError, match="another method than annealing"):
        ct.CohortOptions(method="annealing", recommended=True)


# ---- Tables -----------------------------------------------------------------------------


def test_tables_hold_what_the_result_holds(lab):
    study, cohort = lab
    result = ct.load_result(cohort.directory / study.rows[2].folder)
    values = {
        name: {
            (one["trial"], one["role"], one.get("DOF", one.get("MTU")), one["quantity"]): one
            for one in rows_of(table.path)
            if one["subject"] == "P2"
        }
        for name, table in cohort.tables.items()
    }
    assert all(values.values())
    trial = result.tests[0]
    for dof, fit in trial.fit.items():
        key = (trial.name, "test", dof)
        assert float(values["fit"][*key, "RMSE"]["value"]) == fit.rmse
        assert float(values["fit"][*key, "R2"]["value"]) == fit.r2
        largest = float(values["fit"][*key, "peak measured moment"]["value"])
        assert abs(largest) == np.abs(trial.measured_moment[dof]).max()
    force, time = trial.simulation.mtu_force, trial.simulation.mtu_force.time
    for mtu in result.subject.mtu_names:
        key = (trial.name, "test", mtu)
        assert float(values["forces"][*key, "peak force"]["value"]) == force[mtu].max()
        numbers = float(values["forces"][*key, "impulse"]["value"])
        assert numbers == pytest.approx(np.trapezoid(force[mtu], time), rel=1e-12)
        length = values["muscle"][*key, "least normalised fibre length"]
        assert float(length["value"]) == trial.simulation.norm_fibre_length[mtu].min()
    for one in result.parameters:
        for mtu in one.mtus:
            row = values["parameters"]["", "", mtu, one.name]
            assert (float(row["value"]), row["unit"]) == (one.value, one.unit)
            assert (
                float(values["parameters"]["", "", mtu, f"{one.name} at start"]["value"])
                == one.start
            )
    run = [one for one in rows_of(cohort.tables["forces"].path) if one["role"] == "run"]
    assert {one["trial"] for one in run} == {"walk_145"}


def test_every_quantity_is_in_the_dictionary_with_its_unit(lab):
    _, cohort = lab
    known = rows_of(cohort.directory / "dictionary.csv")
    assert all(one["meaning"] for one in known)
    quantities = {
        (one["table"], one["name"]): one["unit"] for one in known if one["kind"] == "quantity"
    }
    columns = {(one["table"], one["name"]) for one in known if one["kind"] == "column"}
    for name, table in cohort.tables.items():
        rows = rows_of(table.path)
        assert {(f"{name}.csv", column) for column in rows[0]} <= columns
        for one in rows:
            assert quantities[f"{name}.csv", one["quantity"]] == one["unit"]
    assert {
        ("subjects.csv", name) for name in rows_of(cohort.directory / "subjects.csv")[0]
    } <= columns


def test_tables_as_data_frame_and_parquet(lab, tmp_path):
    pandas = pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    _, cohort = lab
    for name, table in ct.read_cohort(cohort.directory).items():
        frame = table.to_dataframe()
        texts = [one["value"] for one in rows_of(table.path)]
        expected = [float(text) if text else math.nan for text in texts]
        assert np.array_equal(frame["value"], expected, equal_nan=True)
        table.to_parquet(tmp_path / f"{name}.parquet")
        there = parquet.read_table(tmp_path / f"{name}.parquet").to_pydict()
        assert there["subject"] == frame["subject"].tolist()
        values = [math.nan if one is None else one for one in there["value"]]
        assert np.array_equal(values, expected, equal_nan=True)
    assert pandas.notna(frame["quantity"]).all()


def test_folder_without_tables(tmp_path):
    with pytest.raises(
        ct.FileFormatError, match=r"expected a table of ceinms-torch cohort, got none"
    ):
        ct.read_cohort(tmp_path)


def test_impulse_and_mean_do_not_depend_on_where_frames_are():
    time = np.array([0.0, 0.1, 0.4, 1.0])
    assert impulse(time, 2.0 * time) == pytest.approx(1.0, rel=1e-15)
    assert mean_over_time(2.0 * time, np.full(4, 3.0)) == pytest.approx(3.0, rel=1e-15)
    assert mean_over_time(np.array([1.0]), np.array([7.0])) == 7.0
    parts = [impulse(np.array(pair), np.array(pair)) for pair in pairwise(time)]
    assert impulse(time, time) == pytest.approx(sum(parts), rel=1e-15)


def test_script_of_a_slurm_job_asks_for_what_was_asked_for():
    # Not importorskip: whoever imports it without care loses their answer to Ctrl-C.
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("needs ceinms-torch[cohort]")
    jobs = workers.SlurmJobs(
        workers=4, walltime="02:30:00", memory="3GB", directives=("--account=lab",)
    )
    on_ctrl_c = signal.getsignal(signal.SIGINT)
    lines = jobs.script().splitlines()
    assert signal.getsignal(signal.SIGINT) is on_ctrl_c
    assert lines[0] == "#!/usr/bin/env bash"
    asked = dict(
        line.removeprefix("#SBATCH ").replace("=", " ").split(" ", 1)
        for line in lines
        if line.startswith("#SBATCH")
    )
    assert asked == {
        "-J": "ceinms-torch",
        "-n": "1",
        "--cpus-per-task": "1",
        "--mem": "3G",
        "-t": "02:30:00",
        "--account": "lab",
    }
    started = lines[-1].split()
    assert started[0] == sys.executable
    assert started[started.index("--nthreads") + 1] == "1"
    with pytest.raises(ct.OptionError, match="an amount such as 2GB, got 'much'"):
        workers.SlurmJobs(memory="much").script()


def test_row_that_kills_its_workers_is_given_up_and_kept_so(gait_folder, tmp_path):
    distributed = pytest.importorskip("distributed")
    study, out = write_study(tmp_path, gait_folder, 1), tmp_path / "out"
    task = Task(row=study.rows[0], directory=out, options=OPTIONS)

    class Future:
        def result(self):
            raise distributed.KilledWorker("row", None, 3)

    outcome = workers.DaskWorkers(jobs=2)._outcome(distributed, Future(), task)
    assert "expected a worker that lives, got 4 that died of it" in outcome.message
    assert task.known() == outcome
    assert ct.run_cohort(study, out, OPTIONS).n_computed == 0
    assert not ct.run_cohort(study, out, OPTIONS, retry=True).failed
