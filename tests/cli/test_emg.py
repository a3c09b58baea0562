"""``ceinms-torch emg`` as users run it: what it writes, and planted faults that leave nothing."""

import csv
import dataclasses
import json
import math

import numpy as np
import pytest

import ceinms_torch as ct
from command_line import listing, run_command
from emg_signals import CHANNELS, raw_emg, write_raw

MAP = '[channels]\nTA = "tibant_r"\nSOL = "soleus_r"\nMG = ["gasmed_r", "gaslat_r"]\n'


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Two trials, MVC trials for all channels between them, a map and a motion."""
    folder = tmp_path_factory.mktemp("session")
    for i, name in enumerate(("walk", "run")):
        write_raw(folder / f"{name}.csv", raw_emg(seconds=3.0, seed=i))
    strong = raw_emg(seconds=3.0, seed=7)
    strong = dataclasses.replace(strong, values=2.0 * strong.values)
    write_raw(folder / "mvc1.csv", strong.select(["TA", "SOL"]))
    write_raw(folder / "mvc2.csv", strong.select(["MG", "VL"]))
    (folder / "emg.toml").write_text(MAP)
    time = np.arange(0.0, 3.0, 0.01)
    ct.write_storage(folder / "walk.mot", time, ["knee"], time[:, None], name="angles", units="deg")
    return folder


def test_everything_is_written(session, tmp_path):
    out = tmp_path / "emg"
    done = run_command(
        "emg", session / "walk.csv", session / "run.csv", "--map", session / "emg.toml",
        "--mvc", session / "mvc1.csv", "--mvc", session / "mvc2.csv", "--notch", "50",
        "--beside", session / "walk.mot", "--beside", session / "walk.mot", "--out", out,
        without_torch=tmp_path / "poison",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    figures = {f"figures/{name}.png" for name in ("TA", "SOL", "MG")}
    assert names == figures | {
        "walk/emg.sto", "run/emg.sto", "maxima.csv", "quality.json", "quality.csv", "study.json",
        "excitationGenerator.xml",
    }  # fmt: skip
    written = ct.read_storage(out / "walk" / "emg.sto")
    expected = ct.process_emg(
        [ct.read_raw_emg(session / f"{name}.csv") for name in ("walk", "run")],
        processing=ct.EmgProcessing(notch=50.0),
        mvc=[ct.read_raw_emg(session / f"mvc{i}.csv") for i in (1, 2)],
        emg_map=ct.EmgMap.read(session / "emg.toml"),
    )
    assert written.columns == ("TA", "SOL", "MG")
    assert written.values == pytest.approx(expected.envelopes[0].values, abs=1e-12)
    assert written.units == "-"
    generator = ct.ExcitationGenerator.read(out / "excitationGenerator.xml")
    assert {one.id for one in generator.excitations} == set(expected.emg_map.mtus)
    study = json.loads((out / "study.json").read_text())
    assert study["processing"]["notch"] == 50.0
    assert len(study["inputs"]) == 5
    assert "third" not in study["what"]
    assert "order 3 a pass, 6 in all" in study["what"]
    # What a run wrote, another reads.
    maxima, _ = ct.read_maxima(out / "maxima.csv")
    assert maxima == pytest.approx(dict(expected.maxima))
    quality = json.loads((out / "quality.json").read_text())["recordings"]
    assert [one["name"] for one in quality] == ["walk", "run", "mvc1", "mvc2"]
    rows = list(csv.DictReader((out / "quality.csv").read_text().splitlines()))
    assert {row["channel"] for row in rows} == {"TA", "SOL", "MG"}
    assert "walk: 3 s at 1000 Hz" in done.stdout
    assert done.stdout.splitlines()[-1] == f"results: {out}"

    again = run_command("emg", session / "walk.csv", "--out", out, "--no-figures", "-q")
    assert again.returncode == 0, again.stderr
    assert "earlier results are overwritten" in again.stderr


def test_a_map_is_proposed_and_used(session, tmp_path):
    folder = tmp_path / "subject"
    from helpers import write_tiny_folder  # noqa: PLC0415  of the tests alone

    subject = write_tiny_folder(folder) / "subject.xml"
    out = tmp_path / "emg"
    done = run_command("emg", session / "walk.csv", "--suggest", subject, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "VL: no muscle of the model has that name" in done.stderr
    text = (out / "emg.toml").read_text()
    assert "# SOL: soleus" in text
    assert ct.EmgMap.read(out / "emg.toml").channels == {
        "SOL": {"soleus_r": 1.0},
        "MG": {"gasmed_r": 1.0},
    }
    twice = run_command("emg", session / "walk.csv", "--suggest", subject, "--out", out)
    assert twice.returncode == 1
    assert "expected no map yet" in twice.stderr
    used = run_command(
        "emg", session / "walk.csv", "--map", out / "emg.toml", "--out", out, "--no-figures"
    )
    assert used.returncode == 0, used.stderr


# ---- Planted faults ---------------------------------------------------------------------


def changed(session, tmp_path, change, name="walk", **options):
    """Write a trial that was changed, and return the arguments for it."""
    raw = ct.read_raw_emg(session / "walk.csv")
    return write_raw(tmp_path / f"{name}.csv", change(raw), **options)


def with_gap(raw):
    values = raw.values.copy()
    values[1000:1300, 1] = math.nan
    return dataclasses.replace(raw, values=values)


def later(raw):
    return dataclasses.replace(raw, start=0.02)


def same(raw):
    return raw


def dead(raw):
    values = raw.values.copy()
    values[:, 1] = 0.25
    return dataclasses.replace(raw, values=values)


def of_half_the_rate(raw):
    return dataclasses.replace(raw, values=raw.values[::2])


def faults(session, tmp_path):
    """Return arguments and what the one message says, by what is planted."""
    swapped = tmp_path / "swapped.toml"
    swapped.write_text('[channels]\nTA = "soleus_r"\nSOL = "tibant_r"\n')
    wrong_side = tmp_path / "side.toml"
    wrong_side.write_text('[channels]\nTA = "tibant_r"\n"R SOL" = "soleus_l"\n')
    walk, motion = session / "walk.csv", ("--beside", session / "walk.mot")
    mapped = ("--map", session / "emg.toml")

    def wrong(change, **options):
        return changed(session, tmp_path, change, **options)

    return {
        "late": ((wrong(later), *motion), "0.02 s later. If both were started together, say"),
        "swapped": ((walk, "--map", swapped), "2: TA: expected MTUs of tibialis anterior"),
        "wrong side": ((walk, "--map", wrong_side), "3: R SOL: expected MTUs of the right side"),
        "missing MVC": ((walk, *mapped, "--mvc", session / "mvc1.csv"), "got none for MG"),
        "gap": ((wrong(with_gap, name="gap"),), "SOL: expected gaps of 0.02 s at most, got 0.3 s"),
        "dead": ((wrong(dead, name="dead"), *mapped), "leaves soleus_r without"),
        "500 Hz, by --emg-rate": (
            (wrong(of_half_the_rate, name="a", times=False), "--emg-rate", "1000", *motion),
            "A rate of 500 Hz would explain it",
        ),
        "500 Hz, by the header": (
            (wrong(same, name="b", header="Sampling rate: 500 Hz"),),
            "got 500 Hz by its header",
        ),
        "below 500 Hz": (
            (wrong(same, name="c", times=False), "--emg-rate", "200"),
            "least, got 200",
        ),
        "unknown channel": ((walk, "--channels", "TA,SQL"), "There are TA, SOL, MG, VL"),
        "both ways": ((walk, "--mvc", walk, "--maxima", walk), "'channel' and 'maximum'"),
        "no band": ((walk, "--band-pass", "30"), "two frequencies in Hz"),
    }  # fmt: skip


FAULTS = (
    "late", "swapped", "wrong side", "missing MVC", "gap", "dead", "500 Hz, by --emg-rate",
    "500 Hz, by the header", "below 500 Hz", "unknown channel", "both ways", "no band",
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_message_and_nothing_written(fault, session, tmp_path):
    inputs = tmp_path / "in"
    inputs.mkdir()
    arguments, text = faults(session, inputs)[fault]
    before = listing(tmp_path)
    done = run_command("emg", *arguments, "--out", tmp_path / "out")
    assert done.returncode == 1, done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert text in errors[0]
    assert listing(tmp_path) == before


def test_a_delay_that_is_known_is_taken_off(session, tmp_path):
    file = changed(session, tmp_path, later)
    options = ("--beside", session / "walk.mot", "--delay", "0.02", "--no-figures")
    done = run_command("emg", file, *options, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    time = ct.read_storage(tmp_path / "out" / "walk" / "emg.sto").time
    assert time[[0, -1]] == pytest.approx([0.0, 2.99], abs=1e-9)


def test_no_input_is_overwritten(session, tmp_path):
    folder = tmp_path / "emg"
    folder.mkdir()
    raw = ct.read_raw_emg(session / "walk.csv")
    ct.write_storage(folder / "emg.sto", raw.time, raw.channels, raw.values, name="emg", units="V")
    done = run_command("emg", folder / "emg.sto", "--out", tmp_path)
    assert done.returncode == 1
    assert "expected a file to write, got the input" in done.stderr
    assert {path.name for path in tmp_path.rglob("*")} == {"emg", "emg.sto"}


def test_doubts_are_said_once(session, tmp_path):
    def hum(raw):
        values = raw.values.copy()
        values[:, 1] = np.clip(values[:, 1], -0.8, 0.8)
        return dataclasses.replace(raw, values=values)

    files = [changed(session, tmp_path, hum, name=name) for name in ("one", "two")]
    done = run_command("emg", *files, "--out", tmp_path / "out", "--no-figures")
    assert done.returncode == 0, done.stderr
    (line,) = [one for one in done.stderr.splitlines() if "saturated" in one]
    assert line.startswith("warning: SOL: saturated: ")
    assert line.endswith("(in one, and in 1 more)")
    table = [row for row in done.stdout.splitlines() if "│ SOL" in row]
    assert len(table) == 2
    assert all("clipped" in row for row in table)
    assert set(CHANNELS) <= set(done.stdout.replace("│", " ").split())
