"""``ceinms-torch synergies`` as users run it."""

import json

import numpy as np
import pytest

from ceinms_torch.io.storage import read_storage, write_storage
from command_line import run_command
from helpers import MTU_NAMES

SIGNALS = tuple(f"{name}_emg" for name in MTU_NAMES)


def test_synergies_of_a_calibration(tiny_folder, tmp_path):
    out = tmp_path / "out"
    result = run_command(
        "synergies",
        tiny_folder / "calibrationSetup.xml",
        *("--subject", tiny_folder / "subject.xml", "--gaussian", 2, "--out", out),
        without_torch=tmp_path / "poison",
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads((out / "result.json").read_text())
    assert summary["study"] == "synergies"
    number = summary["data"]["n_synergy"]
    assert summary["data"]["rule"] == "score"
    assert f"{number} synergies, by the rule 'moments'" in result.stdout
    assert "2 Gaussians per primitive" in result.stdout
    assert [row[0] for row in summary["tables"][0]["rows"]] == [1, 2]
    for trial in ("trial1", "trial2"):
        folder = out / "trials" / trial
        primitives = read_storage(folder / "Primitives.sto")
        rows = (folder / "Weightings.csv").read_text().splitlines()
        assert rows[0].split(",") == ["channel", *primitives.columns]
        weightings = np.array([[float(x) for x in row.split(",")[1:]] for row in rows[1:]])
        rebuilt = read_storage(folder / "ReconstructedExcitations.sto")
        assert rebuilt.columns == SIGNALS
        # Files hold at least ten digits.
        np.testing.assert_allclose(rebuilt.values, primitives.values @ weightings.T, atol=1e-9)
        lengths = read_storage(tiny_folder / trial / "lmt.sto")
        assert rebuilt.time[[0, -1]] == pytest.approx(lengths.time[[0, -1]])
    for figure in ("synergies", "number", "reliability"):
        assert (out / f"{figure}.png").stat().st_size > 10_000
        assert "</svg>" in (out / f"{figure}.svg").read_text()


def test_a_given_number_of_trials_without_a_setup(tiny_folder, tmp_path):
    out = tmp_path / "out"
    files = [tiny_folder / trial / "inputData.xml" for trial in ("trial1", "trial2")]
    result = run_command(
        "synergies", *files, *("--synergies", 2, "--per-trial", "--out", out, "--quiet")
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"results: {out}\n"
    data = json.loads((out / "result.json").read_text())["data"]
    assert (data["n_synergy"], data["rule"]) == (2, "given")
    own = [np.array(data["trials"][trial]["weightings"]) for trial in ("trial1", "trial2")]
    assert own[0].shape == (3, 2)
    assert not np.allclose(*own)


def with_signals(path, change):
    storage = read_storage(path)
    values = storage.values.copy()
    change(values)
    write_storage(path, storage.time, storage.columns, values, name="EMG", units="-")


def silence(values):
    values[:, 1] = 0.0


@pytest.mark.parametrize(
    ("arguments", "change", "messages"),
    [
        (
            ("--synergies", 4),
            None,
            ["number of synergies: expected 1 to 3", "recorded channels, got 4"],
        ),
        (("--synergies", "some"), None, ["--synergies: expected a whole number >= 1, or auto"]),
        ((), silence, ["excitation of gasmed_r_emg: expected a recorded signal, got zeros"]),
        (
            ("--rule", "moments"),
            None,
            ["rule: expected 'vaf' or 'held-out' with these data, got 'moments'"],
        ),
    ],
)
def test_messages(tiny_folder, tmp_path, arguments, change, messages):
    if change is not None:
        for trial in ("trial1", "trial2"):
            with_signals(tiny_folder / trial / "emg.mot", change)
    setup = tiny_folder / "calibrationSetup.xml"
    result = run_command("synergies", setup, *arguments, "--out", tmp_path / "out")
    assert result.returncode == 1
    for message in messages:
        assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
