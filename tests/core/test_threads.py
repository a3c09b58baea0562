"""Calibrations side by side in threads, and what importing the package loads."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.plan.options import AdamW
from helpers import write_tiny_folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same subject with either tendon, so that the threads do different work."""
    path = tmp_path_factory.mktemp("threads")
    return [
        CalibrationFolder.read(
            write_tiny_folder(path / name, tendon=tendon) / "calibrationSetup.xml"
        )
        for name, tendon in (("stiff", "<stiff/>"), ("elastic", "<rosenbrockElastic/>"))
    ]


def run(folder, *, seed=0, callback=None):
    return calibrate(
        folder.subject,
        folder.trials,
        folder.plan,
        options=AdamW(max_iterations=12, patience=12),
        start="random",
        starts=1,
        seed=seed,
        callback=callback,
    )


def test_two_threads_give_what_one_gives(folders):
    jobs = [(folder, seed) for folder in folders for seed in (1, 2)]
    alone = [run(folder, seed=seed) for folder, seed in jobs]
    together = [None] * len(jobs)
    # All threads are inside the optimiser before any of them goes on to its second iterate.
    barrier = threading.Barrier(len(jobs), timeout=60.0)

    def work(i):
        folder, seed = jobs[i]

        def callback(iteration):
            if iteration.iteration == 0:
                barrier.wait()

        together[i] = run(folder, seed=seed, callback=callback)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120.0)
    for one, other in zip(alone, together, strict=True):
        assert other is not None
        # The same operations in the same order: not a bit differs.
        assert [i.objective for i in one.history] == [i.objective for i in other.history]
        np.testing.assert_array_equal(one.subject.parameters(), other.subject.parameters())
    assert alone[0].objective != alone[1].objective


def test_error_in_one_thread_leaves_the_other_alone(folders):
    expected = run(folders[0], seed=3)
    results = {}

    def fail(iteration):
        if iteration.iteration == 3:
            raise LookupError("enough")

    def bad():
        try:
            run(folders[1], callback=fail)
        except LookupError as error:
            results["error"] = str(error)

    threads = [
        threading.Thread(target=bad),
        threading.Thread(target=lambda: results.update(good=run(folders[0], seed=3))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120.0)
    assert results["error"] == "enough"
    assert results["good"].objective == expected.objective


# ---- what is loaded when: importing torch takes seconds, and a lab starts a process per trial

LISTING = """
import sys
print("loaded", *[name for name in ("torch", "numpy", "lxml") if name in sys.modules])
if sys.platform == "linux":
    maps = open("/proc/self/maps").read()
    print("mapped", *[name for name in ("libtorch", "libc10") if name in maps])
"""
CLI = """
import sys
sys.argv = {argv!r}
from ceinms_torch.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def loaded(program):
    result = subprocess.run(
        [sys.executable, "-c", program + LISTING], check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    (found,) = [line for line in lines if line.startswith("loaded")]
    mapped = [line for line in lines if line.startswith("mapped")]
    assert mapped in ([], ["mapped"]) or "torch" in found
    return set(found.split()[1:])


def test_package_loads_nothing():
    assert loaded("import ceinms_torch") == set()


def test_public_names_without_gradients_do_not_load_torch():
    program = "import ceinms_torch\nfor name in ceinms_torch.__all__: getattr(ceinms_torch, name)"
    assert loaded(program) == {"numpy", "lxml"}


@pytest.mark.parametrize("module", ["io", "io.storage", "io.xml_document", "model", "errors"])
def test_file_work_does_not_load_torch(module):
    assert "torch" not in loaded(f"import ceinms_torch.{module}")


@pytest.mark.parametrize(
    "argv", [["--help"], ["--version"], ["calibrate", "--help"], ["run", "--help"]], ids=" ".join
)
def test_help_does_not_load_torch(argv):
    assert "torch" not in loaded(CLI.format(argv=["ceinms-torch", *argv]))


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
def test_run_does_not_load_torch(tiny_folder, tendon):
    argv = ["ceinms-torch", "run", str(tiny_folder / "setup.xml"), "--tendon", tendon]
    assert "torch" not in loaded(CLI.format(argv=argv))
    assert (tiny_folder / "output" / "Torques.sto").is_file()


@pytest.mark.parametrize("method", ["lm", "adamw", "lbfgs"])
def test_calibrate_does_not_load_torch(tiny_folder, method):
    argv = ["ceinms-torch", "calibrate", str(tiny_folder / "calibrationSetup.xml")]
    argv += ["--max-iterations", "1", "--quiet", "--method", method]
    assert "torch" not in loaded(CLI.format(argv=argv))


def test_calibrate_on_the_tensor_engine_does_load_torch(tiny_folder):
    """Otherwise the checks above would check nothing."""
    argv = ["ceinms-torch", "calibrate", str(tiny_folder / "calibrationSetup.xml")]
    argv += ["--max-iterations", "1", "--quiet", "--method", "adamw", "--engine", "tensor"]
    assert "torch" in loaded(CLI.format(argv=argv))
