"""``ceinms-torch study muscle`` as users run it."""

import json

import numpy as np

from command_line import run_command


def write_recordings(folder):
    """Write three short recordings of a muscle that pulls harder when it is longer."""
    time = np.linspace(0.0, 0.15, 31)
    for name, amplitude in (("slow", 0.2), ("fast", 0.6), ("middle", 0.4)):
        phase = 2.0 * np.pi * 8.0 * time
        length = 0.032 + 1e-3 * amplitude * np.sin(phase)
        force = 0.7 + amplitude * np.sin(phase + 0.5)
        activation = np.full(len(time), 0.6)
        np.savetxt(
            folder / f"{name}.csv",
            np.column_stack([time, length, force, activation]),
            delimiter=",",
            header="time_s,length_m,force_N,activation",
            comments="",
        )
    return [folder / f"{name}.csv" for name in ("slow", "fast", "middle")]


def test_study_and_once_more(tmp_path):
    files, out = write_recordings(tmp_path), tmp_path / "out"
    result = run_command("study", "muscle", *files, "--reference-force", 1.1, "--out", out)
    assert result.returncode == 0, result.stderr
    assert "Fitted on fast; errors over 1.1 N." in result.stdout
    summary = json.loads((out / "result.json").read_text())
    assert (summary["study"], summary["is_complete"]) == ("muscle", True)
    assert [len(table["rows"]) for table in summary["tables"]] == [5, 4, 16]
    assert len(summary["inputs"]) == 3
    before = (out / "tables.md").read_text()
    drawn = [out / f"{name}.{ending}" for name in ("forces", "errors") for ending in ("png", "svg")]
    for file in (*drawn, out / "tables.md"):
        file.unlink()
    again = run_command("study", "muscle", "--from", out)
    assert again.returncode == 0, again.stderr
    assert again.stdout == result.stdout
    assert (out / "tables.md").read_text() == before
    assert all(file.stat().st_size > 10_000 for file in drawn)


def test_messages(tmp_path, gait_folder):
    first, second, _ = write_recordings(tmp_path)
    (tmp_path / "bad.csv").write_text("time_s,force_N\n0,1\n1,2\n2,3\n3,4\n")
    many = gait_folder / "subjectUncalibrated.xml"
    for arguments, message in (
        ((), "a file to work on, or --from with a folder, got neither"),
        ((first, "--from", tmp_path), "got both"),
        ((first,), "recordings: expected at least two, got 1"),
        ((first, tmp_path / "bad.csv"), "a column length_m or displacement_mm"),
        ((first, second, "--subject", many), "one MTU"),
        ((first, second, "--reference-force", 0), "a force above zero"),
    ):
        result = run_command("study", "muscle", *arguments, "--out", tmp_path / "none")
        assert result.returncode == 1, arguments
        assert message in result.stderr
        assert "Traceback" not in result.stderr
