"""How long a step of a stream takes from Python, and a re-fit of its last two seconds."""

import dataclasses
import itertools
import time

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.model.subject import Dof
from engine_cases import make_subject, make_trial

RATE = 100.0  # [Hz]
N_MTU = 46


def whole_leg():
    """Return a subject of 46 MTUs and 3 DOFs, and ten seconds of its signals."""
    subject = make_subject([{"strength_coefficient": 1.0 + 0.01 * i} for i in range(N_MTU)])
    hip = Dof(name="hip", mtu_names=subject.mtu_names[1::3])
    subject = dataclasses.replace(subject, dofs=(*subject.dofs, hip))
    trial = make_trial(subject, "trial", n_step=1000, emg_rate=RATE, emg_start=0.0)
    instants = zip(trial.excitation, trial.mtu_length, trial.moment_arm, strict=False)
    return subject, list(instants)


def latencies(stream, instants, n, *, paced):
    """Return the seconds that every one of n steps takes."""
    result = np.empty(n)
    for i, instant in enumerate(itertools.islice(itertools.cycle(instants), n)):
        begin = time.perf_counter()
        stream.step(*instant)
        result[i] = time.perf_counter() - begin
        if paced:
            time.sleep(1.0 / RATE)
    return result


# Paced, the processor does something else in between: caches are cold, clocks are low.
@pytest.mark.parametrize("paced", [False, True], ids=["one after another", "at 100 Hz"])
def test_stream_step(benchmark, paced):
    subject, instants = whole_leg()
    stream = ct.Stream(subject, rate=RATE)
    latencies(stream, instants, 100, paced=False)
    n = 500 if paced else 20_000
    found = benchmark.pedantic(latencies, (stream, instants, n), {"paced": paced}, rounds=1)
    p50, p99 = np.percentile(found, [50.0, 99.0])
    benchmark.extra_info |= {
        "n_mtu": N_MTU,
        "n_dof": len(subject.dofs),
        "paced": paced,
        "step_us": {"steps": n, "p50": 1e6 * p50, "p99": 1e6 * p99, "max": 1e6 * found.max()},
    }


def recorded_instants(trials):
    """Yield the instants of trials one after another, for ever."""
    for trial in itertools.cycle(trials):
        excitation = np.stack(
            [np.interp(trial.time, trial.excitation_time, e) for e in trial.excitation.T], axis=1
        )
        yield from zip(
            excitation, trial.mtu_length, trial.moment_arm, trial.measured_moment, strict=True
        )


def test_refit(benchmark, case):
    """Warm-started, half a second of new data each."""
    folder = case.folder
    calibrator = ct.WindowedCalibrator(folder.subject, folder.plan, rate=RATE, window=2.0)
    instants = recorded_instants(folder.trials)

    def half_a_second():
        for instant in itertools.islice(instants, 50):
            calibrator.push(*instant)

    for _ in range(8):
        half_a_second()
    cold = calibrator.recalibrate()
    fits = []
    benchmark.pedantic(
        lambda: fits.append(calibrator.recalibrate()), setup=half_a_second, rounds=30
    )
    benchmark.extra_info |= {
        "case": case.name,
        "n_mtu": len(folder.subject.mtus),
        "n_step": 200,
        "cold_seconds": cold.seconds,
        "iterations": float(np.mean([fit.iterations for fit in fits])),
        "start_objective": float(np.mean([fit.start_objective for fit in fits])),
        "objective": float(np.mean([fit.objective for fit in fits])),
    }
