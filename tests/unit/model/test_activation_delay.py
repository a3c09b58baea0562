"""Mean delay of the activation filter: by its formula, and as the kernel's filter has it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.model.activation_delay import activation_delay, coefficient, is_plausible_delay


@pytest.mark.parametrize(
    ("c", "step", "expected"),
    # The ends of the usual range and of the recommended one, at 100 Hz; the same at 1 kHz.
    [
        (-0.95, 0.01, 0.38),
        (-0.05, 0.01, 0.01 * 2 / 19),
        (-0.95, 0.001, 0.038),
        (-1 / 3, 0.01, 0.01),
    ],
)
def test_figures(c, step, expected):
    assert activation_delay(c, c, step) == pytest.approx(expected, rel=1e-12)


@given(c1=st.floats(-0.9, 0.5), c2=st.floats(-0.9, 0.5))
def test_it_is_the_mean_of_the_impulse_response(c1, c2):
    n = 1000  # 0.9^1000 is 2e-46
    response, b1, b2 = np.zeros(n), c1 + c2, c1 * c2
    for i in range(n):
        before = response[i - 1] if i > 0 else 0.0, response[i - 2] if i > 1 else 0.0
        response[i] = (1.0 + b1 + b2) * (i == 0) - b1 * before[0] - b2 * before[1]
    assert response.sum() == pytest.approx(1.0, rel=1e-9)
    mean = float(np.arange(n) @ response)
    assert activation_delay(c1, c2, 1.0) == pytest.approx(mean, rel=1e-9, abs=1e-9)


@given(delay=st.floats(0.0, 0.5), step=st.floats(1e-4, 0.1))
def test_coefficient_is_the_inverse_of_the_delay_of_one_pole(delay, step):
    c = coefficient(delay, step)
    assert -1.0 < c <= 0.0
    assert activation_delay(c, 0.0, step) == pytest.approx(delay, rel=1e-9, abs=1e-12)
    assert activation_delay(c, c, step) == pytest.approx(2.0 * delay, rel=1e-9, abs=1e-12)


def test_unstable_poles_never_arrive():
    assert activation_delay(-1.0, -0.5, 0.01) == math.inf


@pytest.mark.parametrize(
    ("delay", "step", "expected"),
    [(0.01, 0.01, True), (0.0099, 0.01, False), (0.1, 0.01, True), (0.101, 0.01, False)],
)
def test_plausible(delay, step, expected):
    assert is_plausible_delay(delay, step) is expected
