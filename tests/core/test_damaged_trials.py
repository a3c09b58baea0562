"""CEINMS on shortened, shifted and damaged trials: results, or one message that names the file."""

import contextlib
import io
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceinms_torch.cli.programs import CEINMS, CEINMS_CALIBRATE
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.subject import Subject
from helpers import write_tiny_folder

N_STEP = 12
FILES = ("lmt.sto", "emg.mot", "id.sto", "ma_knee_angle_r.sto", "ma_ankle_angle_r.sto")
ANNEALING = """<simulatedAnnealing><noEpsilon>2</noEpsilon><rt>0.3</rt><T>20</T><NS>1</NS><NT>1</NT>
<epsilon>1E-3</epsilon><maxNoEval>30</maxNoEval></simulatedAnnealing>"""
HYBRID = f"""<hybrid><alpha>1</alpha><beta>2</beta><gamma>3</gamma>
<synthMTUs>soleus_r</synthMTUs><adjustMTUs>gasmed_r</adjustMTUs>
<algorithm>{ANNEALING}</algorithm></hybrid>"""
TENDONS = {"stiff": "<stiff/>", "elastic": "<equilibriumElastic/>"}
TOKENS = [
    "nan",
    "inf",
    "-inf",
    "",
    "abc",
    "1e999",
    "1e300",
    "-1e30",
    "0",
    "1,5",
    "0x1",
    "1 2",
    "µ",
    "\0",
]

# Each of these is a function of the rows (lists of numbers as text) of a storage file.
CUT = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(
    lambda ends: lambda rows: rows[ends[0] : len(rows) - ends[1]]
)
SHIFT = st.floats(-0.3, 0.3).map(
    lambda seconds: lambda rows: [[f"{float(row[0]) + seconds:.6g}", *row[1:]] for row in rows]
)
THIN = st.integers(2, 5).map(lambda step: lambda rows: rows[::step])
SCALE = st.sampled_from([-1.0, 0.0, 0.3, 0.9, 1.05, 30.0]).map(
    lambda factor: (
        lambda rows: [
            [row[0], *(f"{factor * float(value):.6g}" for value in row[1:])] for row in rows
        ]
    )
)
PLACE = st.floats(0.0, 0.999)


def damaged(rows, where, column, token):
    changed = [list(row) for row in rows]
    if changed:
        row = changed[int(where * len(changed))]
        row[column % len(row)] = token
    return changed


def reordered(rows, where, how):
    i = int(where * len(rows))
    if how == "twice":
        return rows[: i + 1] + rows[i:]
    if how == "missing":
        return rows[:i] + rows[i + 1 :]
    return rows[i:] + rows[:i]


DAMAGE = st.tuples(PLACE, st.integers(0, 3), st.sampled_from(TOKENS)).map(
    lambda item: lambda rows: damaged(rows, *item)
)
ORDER = st.tuples(PLACE, st.sampled_from(["twice", "missing", "turned"])).map(
    lambda item: lambda rows: reordered(rows, *item)
)
# What is done to a whole trial leaves it sound, more often than what is done to one file.
ROWS = st.lists(
    st.tuples(st.just(FILES), CUT | SHIFT | THIN | SCALE)
    | st.tuples(st.sampled_from(FILES).map(lambda name: (name,)), SCALE | CUT | SHIFT)
    | st.tuples(st.sampled_from(FILES).map(lambda name: (name,)), THIN | DAMAGE | ORDER),
    min_size=1,
    max_size=2,
)
SELDOM = st.sampled_from([False, False, False, False, True])
# Bytes: where to cut off the file, and what to put there instead.
BYTES = st.tuples(
    st.sampled_from(FILES),
    st.floats(0.0, 1.0),
    st.sampled_from([b"", b"\xff\xfe", b"\n", b"\t9\n"]),
)
CUT_OFF = SELDOM.flatmap(lambda is_cut: BYTES if is_cut else st.none())
COUNTED = SELDOM.map(lambda is_not: not is_not)  # whether the header's number of rows is mended


class Trials:
    """A CEINMS folder whose first trial is damaged anew for every example."""

    def __init__(self, folder):
        self.folder = folder
        self.trial = folder / "trial1"
        self.sound = {name: (self.trial / name).read_bytes() for name in FILES}

    def damage(self, changes, cut, counted):
        texts = dict(self.sound)
        for name, change in [(name, change) for names, change in changes for name in names]:
            lines = texts[name].decode().split("\n")
            first = next(i for i, line in enumerate(lines) if line.startswith("time")) + 1
            rows = [line.split("\t") for line in lines[first:] if line]
            with contextlib.suppress(ValueError):  # a time that is no number is not shifted
                rows = change(rows)
            head = lines[:first]
            if counted:
                head = [f"nRows={len(rows)}" if "nRows" in line else line for line in head]
            texts[name] = "\n".join([*head, *("\t".join(row) for row in rows), ""]).encode()
        if cut is not None:
            name, where, instead = cut
            texts[name] = texts[name][: int(where * len(texts[name]))] + instead
        for name, data in texts.items():
            (self.trial / name).write_bytes(data)

    def run(self, program, setup):
        """Run a program and return its status; a failure must be one message about the trial."""
        said, wrong = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
            status = program.main(["-S", str(self.folder / setup)])
        errors = [line for line in wrong.getvalue().split("\n") if line.startswith("error: ")]
        assert (status, len(errors)) in {(0, 0), (1, 1)}, wrong.getvalue()
        assert all("trial1" in error for error in errors), errors
        return status


def assert_complete(folder, n_file):
    """Check that a run wrote every file, with every frame of the MTU lengths, and only numbers."""
    lengths = read_storage(folder / "trial1" / "lmt.sto")
    files = sorted((folder / "output").iterdir())
    assert len(files) == n_file
    for file in files:
        written = read_storage(file)  # refuses what is not finite
        assert len(written.time) == len(lengths.time)
    shutil.rmtree(folder / "output")


@pytest.fixture(scope="module", autouse=True)
def without_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield


@pytest.fixture(scope="module", params=[(t, m) for t in TENDONS for m in ("offline", "online")])
def trials(request, tmp_path_factory):
    tendon, mode = request.param
    folder = tmp_path_factory.mktemp("damaged") / "subject"
    return Trials(write_tiny_folder(folder, tendon=TENDONS[tendon], mode=mode, n_step=N_STEP))


@settings(max_examples=125)  # of each of four ways to run: 500
@given(changes=ROWS, cut=CUT_OFF, counted=COUNTED)
def test_run(trials, changes, cut, counted):
    trials.damage(changes, cut, counted)
    if trials.run(CEINMS, "setup.xml") == 0:
        assert_complete(trials.folder, n_file=12)
    else:
        assert not (trials.folder / "output").exists()


@pytest.fixture(scope="module", params=TENDONS)
def searched(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged") / "subject"
    tendon = TENDONS[request.param]
    return Trials(
        write_tiny_folder(
            folder,
            tendon=tendon,
            mode="online",
            type_xml=HYBRID,
            algorithm=ANNEALING,
            n_step=N_STEP,
        )
    )


@settings(max_examples=30)
@given(changes=ROWS, cut=CUT_OFF, counted=COUNTED)
def test_hybrid(searched, changes, cut, counted):
    searched.damage(changes, cut, counted)
    if searched.run(CEINMS, "setup.xml") == 0:
        assert_complete(searched.folder, n_file=14)
    else:
        assert not (searched.folder / "output").exists()


@settings(max_examples=30)
@given(changes=ROWS, cut=CUT_OFF, counted=COUNTED)
def test_calibration(searched, changes, cut, counted):
    searched.damage(changes, cut, counted)
    written = searched.folder / "calibrated" / "subject.xml"
    if searched.run(CEINMS_CALIBRATE, "calibrationSetup.xml") == 0:
        assert np.isfinite(Subject.read(written).parameters()).all()
        written.unlink()
    else:
        assert not written.exists()
