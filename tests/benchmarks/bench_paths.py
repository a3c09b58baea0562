"""How long the lengths and moment arms of a leg take from joint angles, compiled."""

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.geometry.polynomials import n_term

# As the paths of OpenSim's example3DWalking are: MTUs that cross hip, hip and knee, knee, ...
CROSSING = {(0, 1, 2): 18, (0, 1, 2, 3): 7, (3,): 4, (3, 4): 2, (4,): 9}
ORDER = 5
N_POSE = 10_000


@pytest.mark.parametrize("instruction_set", _kernel.instruction_sets())
def test_lengths_and_moment_arms(benchmark, instruction_set):
    rng = np.random.default_rng(1)
    coordinates = [np.array(crossed) for crossed, n in CROSSING.items() for _ in range(n)]
    paths = _kernel.PathSet(
        n_coordinate=5,
        coordinates=coordinates,
        orders=np.full(len(coordinates), ORDER),
        coefficients=[0.01 * rng.normal(size=n_term(len(one), ORDER)) for one in coordinates],
        dofs=np.arange(5),
        instruction_set=instruction_set,
    )
    q = rng.uniform(-1.0, 1.0, (N_POSE, 5))
    benchmark.pedantic(paths.evaluate, (q,), rounds=20, warmup_rounds=2)
    if benchmark.stats is not None:  # not with --benchmark-disable
        benchmark.extra_info |= {
            "n_mtu": len(coordinates),
            "microseconds_a_pose": 1e6 * benchmark.stats.stats.min / N_POSE,
        }


def test_fit(benchmark):
    """Forty MTUs, 300 poses, with their moment arms."""
    rng = np.random.default_rng(1)
    names = tuple("abcde")
    crossed = [tuple(names[i] for i in one) for one, n in CROSSING.items() for _ in range(n)]
    truth = ct.PathSet(
        paths=tuple(
            ct.PolynomialPath(
                mtu=f"m{i}",
                coordinate_paths=own,
                order=ORDER,
                coefficients=0.01 * rng.normal(size=n_term(len(own), ORDER)),
            )
            for i, own in enumerate(crossed)
        )
    )
    q = rng.uniform(-0.5, 0.5, (300, 5))
    geometry = truth.evaluate(q[:, [names.index(name) for name in truth.coordinate_names]], names)
    samples = ct.PoseSamples(
        coordinate_names=names,
        coordinates=q,
        mtu_names=truth.mtu_names,
        mtu_length=geometry.mtu_length,
        dof_names=names,
        moment_arm=geometry.moment_arm,
    )
    benchmark.pedantic(ct.fit_paths, (samples,), rounds=1)
