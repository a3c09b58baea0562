"""AdamW on LibTorch's autograd, on the recorded leg: ``python tests/benchmarks/libtorch.py``.

Processor time of the whole run and until it is at CEINMS's own objective, by
either way of taking steps and, to compare, on the fused engine. One run after another, with the
threads that torch takes by itself.
"""

import time

from cases import CEINMS_OBJECTIVE, read_case

import ceinms_torch as ct
from ceinms_torch.calibration.problems.tensor import TensorProblem

# Processor time of CEINMS 0.9 for its calibration of the same files, in an earlier run [s].
CEINMS_SECONDS = 206.0


def measure(name, problem, start):
    """Print how long AdamW takes."""
    problem.gradient(start)  # loads what is loaded once
    began = time.process_time()
    reached = []

    def callback(iterate):
        if not reached and iterate.objective <= CEINMS_OBJECTIVE["lower_limb"]:
            reached.append(time.process_time() - began)

    minimum = ct.minimise(problem, start, ct.AdamW(), callback)
    spent = time.process_time() - began
    print(  # noqa: T201
        f"{name}: {spent:.2f} s ({CEINMS_SECONDS / spent:.0f} x) for {minimum.evaluations} "
        f"evaluations to {minimum.objective:.4f}, {reached[0]:.2f} s "
        f"({CEINMS_SECONDS / reached[0]:.0f} x) to {CEINMS_OBJECTIVE['lower_limb']}"
    )


def main():
    case = read_case("lower_limb")
    if case is None:
        raise SystemExit("no data of the lower limb here: set CEINMS_TORCH_SHARED to their folder")
    step = case.folder.plan.steps[0]
    arguments = (case.folder.subject, case.folder.trials, step, case.space)
    start = case.space.start()
    for stepping in ("compiled", "operations"):
        problem = TensorProblem(*arguments, tendon="rosenbrockElastic", stepping=stepping)
        measure(f"tensor, {stepping}", problem, start)
    measure("fused", case.problem(), start)


if __name__ == "__main__":
    main()
