"""What the compiled modules refuse before it is a crash, a hang or a wrong number."""

import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.simulation.trial_input import trial_arrays

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"
sys.path.insert(0, str(FUZZ))

import wrong_calls  # noqa: E402
from calls import Case  # noqa: E402


@pytest.fixture(scope="module")
def case():
    return Case()


# ---- sizes that follow from numbers


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"rate": 1e18}, "rate"),
        ({"rate": 1e-320}, "rate"),
        ({"rate": np.nan}, "rate"),
        ({"longest_delay": 1.4e15}, "longest_delay"),
        ({"longest_delay": 9e16}, "longest_delay"),
        ({"longest_delay": 1e308}, "longest_delay"),
        ({"rate": 1e6, "longest_delay": 1.1}, "longest_delay"),
        ({"acts": np.zeros((1 << 40, 0), dtype=bool)}, "acts"),
    ],
)
def test_stream_of_absurd_size(case, changes, where):
    with pytest.raises(ct.DataError) as caught:
        _kernel.Stream(**{**case.stream_arguments(), **changes})
    assert caught.value.where.element == where


@pytest.mark.parametrize("damping", [0.0, -27.0, np.nan, np.inf])
def test_damping_that_never_grows(case, damping):
    """It would never grow to where a step is given up, and the search would not end."""
    options = types.SimpleNamespace(**{**vars(ct.LevenbergMarquardt()), "damping": damping})
    with pytest.raises(ct.DataError) as caught:
        _kernel.minimise_levenberg_marquardt(case.problem(), case.x, options=options)
    assert caught.value.where.element == "damping"


def test_longest_stream_is_made(case):
    stream = _kernel.Stream(**{**case.stream_arguments(), "rate": 1e6, "longest_delay": 1.0})
    assert stream.n_step == 0


@pytest.mark.parametrize(
    "changes",
    [{"excitation_start": -1e15}, {"excitation_start": -1e308}, {"excitation_rate": 1e300}],
)
def test_run_in_longer_than_the_signal(case, changes):
    trial = _kernel.Trial(**{**trial_arrays(case.trials[0]), **changes})
    arguments = {"tables": case.tables, "parameters": case.parameters, **case.options}
    with pytest.raises(ct.DataError, match=r"^excitation: expected rows up to the first"):
        _kernel.simulate(trial=trial, **arguments)
    one = {"trials": [trial] * 2, "measured": [case.measured[0]] * 2}
    problem = _kernel.Problem(**{**case.problem_arguments(), **one})
    with pytest.raises(ct.DataError, match=r"^excitation: "):
        problem.evaluate(case.x)


def test_more_synergies_than_excitations(case):
    for n in (4, 1 << 40, 1 << 61):
        with pytest.raises(ct.DataError, match=r"^n_synergy: expected at most"):
            _kernel.Synergies(**{**case.synergy_arguments(), "n_synergy": n})


def test_shapes_changed_later_change_nothing(case):
    arrays = {name: np.array(value) for name, value in trial_arrays(case.trials[0]).items()}
    arrays["excitation_start"], arrays["excitation_rate"] = -0.103, 200.0
    trial = _kernel.Trial(**arrays)
    rest = {"tables": case.tables, "parameters": case.parameters, **case.options}
    before = _kernel.simulate(trial=trial, **rest)
    arrays["mtu_length"].shape = (1, -1)
    after = _kernel.simulate(trial=trial, **rest)
    np.testing.assert_array_equal(before["mtu_force"], after["mtu_force"])


# ---- sizes that do not fit


def test_legacy_point_of_another_size(case):
    problem = _kernel.LegacyProblem(**case.legacy_arguments())
    for x in (case.space.lower[:-1], np.append(case.space.lower, 1.0), np.zeros(0)):
        with pytest.raises(ct.DataError, match=r"^x: expected shape"):
            problem.evaluate(x)


@pytest.mark.parametrize(
    "changes",
    [
        {"start": np.zeros(0), "lower": np.zeros(0), "upper": np.zeros(0)},
        {"lower": np.zeros(2)},
        {"upper": np.full(9, -1e3)},
        {"upper": np.full(9, np.nan)},
    ],
)
def test_annealing_within_bounds_that_are_none(case, changes):
    box = {"start": case.space.lower, "lower": case.space.lower, "upper": case.space.upper}
    with pytest.raises(ct.DataError):
        _kernel.legacy_anneal(
            _kernel.LegacyProblem(**case.legacy_arguments()),
            **{**box, **changes},
            options=_kernel.AnnealingOptions(**case.annealing_arguments()),
        )


ENDLESS = {"ns": 1 << 40, "nt": 1 << 40, "max_no_eval": 1 << 62}


def interrupted_after(seconds, run):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        return run()
    finally:
        timer.cancel()


def test_annealing_stops_inside_a_temperature(case):
    options = _kernel.AnnealingOptions(**{**case.annealing_arguments(), **ENDLESS})
    problem = _kernel.LegacyProblem(**case.legacy_arguments())
    box = {"start": case.space.lower, "lower": case.space.lower, "upper": case.space.upper}
    found = interrupted_after(0.3, lambda: _kernel.legacy_anneal(problem, **box, options=options))
    assert found.status == "interrupted"


def test_hybrid_stops_inside_a_frame(case):
    options = _kernel.AnnealingOptions(**{**case.annealing_arguments(), **ENDLESS})
    arguments = {
        "tables": case.tables,
        "parameters": case.parameters,
        "trial": case.legacy_trial(),
        "model": case.legacy_model(online=True),
        "measured": case.measured[0],
        "alpha": 1.0,
        "beta": 1.0,
        "gamma": 1.0,
        **{name: np.array([i]) for i, name in enumerate(("adjust", "synth"))},
        "dofs": np.array([0]),
        "annealing": options,
    }
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(0.3, lambda: _kernel.legacy_run_hybrid(**arguments))


# ---- values that mean something else


@pytest.mark.parametrize("dtype", [complex, str, object, "M8[s]"])
def test_arrays_of_other_things_than_numbers(case, dtype):
    trial = case.trials[0]
    stream = _kernel.Stream(**case.stream_arguments())
    excitation = np.zeros(3).astype("i8").astype(dtype)
    for given in (excitation, excitation[:, None]):
        with pytest.raises(
            ct.DataError, match=r"^array: expected real numbers, got values of dtype"
        ):
            stream.step(given, trial.mtu_length[0], trial.moment_arm[0])
    assert stream.n_step == 0


def test_stream_refuses_text_and_complex_numbers(case):
    stream = ct.Stream(case.subject, rate=100.0)
    trial = case.trials[0]
    for given in (["0.1", "0.2", "0.3"], np.full(3, 0.1 + 0.2j)):
        with pytest.raises(ct.DataError, match="expected real numbers"):
            stream.step(given, trial.mtu_length[0], trial.moment_arm[0])
        with pytest.raises(ct.DataError, match="expected real numbers"):
            stream.run_in([given])
    stream.step([0, True, np.float32(0.5)], trial.mtu_length[0].tolist(), trial.moment_arm[0])


def test_indices_are_whole_numbers(case):
    with pytest.raises(ct.DataError, match=r"^array: expected whole numbers"):
        _kernel.Problem(**{**case.problem_arguments(), "dofs": np.array([0.0, 1.7])})


# ---- one problem, several threads


def uses(case):
    """Problems by name, each with a call that takes it long."""
    searched = {"x": np.full((12, 2), 0.4)}
    excitation = _kernel.ExcitationProblem(**case.excitation_arguments())
    fused, legacy = case.problem(), _kernel.LegacyProblem(**case.legacy_arguments())
    synergies = _kernel.SynergyProblem(problem=fused, synergies=case.synergies())
    point = np.full(synergies.n_component, 0.5)
    return {
        "fused": (lambda: fused.gradient(case.x), lambda: fused.residuals(case.x)),
        "synergies": (lambda: synergies.gradient(point), lambda: fused.evaluate(case.x)),
        "excitation": (lambda: excitation.square_errors(**searched),) * 2,
        "legacy": (lambda: legacy.evaluate(case.space.lower),) * 2,
    }


@pytest.mark.parametrize("name", ["fused", "synergies", "excitation", "legacy"])
def test_one_problem_of_several_threads_refuses(case, name):
    calls = uses(case)[name]
    expected = [repr_of(call()) for call in calls]
    refused, wrong, done = [], [], []
    stop = time.perf_counter() + 60.0

    def work(i):
        while not (refused and done) and time.perf_counter() < stop:
            try:
                if repr_of(calls[i % 2]()) == expected[i % 2]:
                    done.append(i)
                else:
                    wrong.append(i)
            except ct.DataError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert done
    assert refused
    assert set(refused) == {
        (
            "problem: expected one call at a time, got another while one is at work. "
            "Give each thread a problem of its own."
        )
    }


def repr_of(value):
    """Return numbers of a result, to the bit."""
    if isinstance(value, tuple):
        return [repr_of(one) for one in value]
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return value.objective


def test_problem_is_free_again_after_an_error(case):
    problem = case.problem()

    def fail(_):
        raise LookupError("enough")

    with pytest.raises(LookupError):
        _kernel.minimise_levenberg_marquardt(
            problem, case.x, options=ct.LevenbergMarquardt(), callback=fail
        )
    problem.evaluate(case.x)


# ---- threads that cannot start

LIMITED = """
import resource, sys, warnings
sys.path[:0] = {paths!r}
from calls import Case
from ceinms_torch import _kernel
case = Case()
alone = case.problem().gradient(case.x)[1]
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (60 << 20),) * 2)
arguments = {{**case.problem_arguments(), "trials": [case.trial(0)] * 60, "threads": 1000}}
arguments |= {{"measured": [case.measured[0]] * 60, "variance": [[100.0, 100.0]] * 60}}
arguments["linear_terms"] = []
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    problem = _kernel.Problem(**arguments)
print(problem.evaluate(case.x).objective, *[type(w.message).__name__ for w in told])
print(told[0].message)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_threads_that_cannot_start_are_told_and_done_without():
    program = LIMITED.format(paths=[str(FUZZ), str(FUZZ.parent)])
    result = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    first, message = result.stdout.splitlines()
    assert first.split()[1:] == [CeinmsTorchWarning.__name__]
    assert message.endswith("more of them or more memory.")


def test_more_threads_than_work_are_not_started(case):
    before = len(list(Path("/proc/self/task").iterdir()))
    with pytest.warns(CeinmsTorchWarning, match=r"^\d of 20000 threads: there is no work for more"):
        problem = _kernel.Problem(**{**case.problem_arguments(), "threads": 20_000})
    assert len(list(Path("/proc/self/task").iterdir())) - before < 20
    problem.evaluate(case.x)


# ---- the attack, in small


def test_wrong_calls(capsys):
    """Every function twice or more; ``python tests/fuzz/wrong_calls.py`` makes thousands."""
    status = wrong_calls.main(["--calls", str(3 * len(wrong_calls.CALLS)), "--seed", "7"])
    assert status == 0, capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
@pytest.mark.parametrize("starts", [1, 8])
def test_many_threads_in_little_address_space_end_with_a_result_and_a_note(tiny_folder, starts):
    import resource  # noqa: PLC0415

    limit = 1_000_000 * 1024
    command = [str(Path(sys.executable).with_name("ceinms-torch")), "calibrate"]
    command += [str(tiny_folder / "calibrationSetup.xml"), "--threads", "100"]
    command += ["--starts", str(starts), "--max-iterations", "2", "--out", str(tiny_folder / "out")]
    result = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert result.returncode == 0, result.stderr
    assert (tiny_folder / "out" / "result.json").is_file()
    assert " threads: " in result.stderr, result.stderr
