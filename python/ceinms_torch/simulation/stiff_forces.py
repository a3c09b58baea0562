"""MTU forces under several guesses of the parameters, with a stiff tendon, which keeps it short."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.curves import curve_tables
from ceinms_torch.simulation.trial_input import check_names, trial_arrays


def stiff_forces(
    subject: Subject, trial: Trial, guesses: Sequence[FloatArray], rows: NDArray[np.intp]
) -> FloatArray:
    """Return the forces along the tendon at some rows of a trial.

    Parameters
    ----------
    subject : Subject
        Names and curves.
    trial : Trial
        The data, read with this subject.
    guesses : sequence of ndarray (n_kind, n_mtu)
        Parameters, as `Subject.parameters` has them. The activation filter steps from one of the
        rows to the next, so C1 and C2 near 0 and the delay in `emDelay` say what is meant.
    rows : ndarray (n_row,)
        Which rows, increasing.

    Returns
    -------
    ndarray (n_guess, n_row, n_mtu)
        [N].
    """
    check_names(subject, trial)
    arrays = trial_arrays(trial)
    for name in ("time", "mtu_length", "mtu_velocity", "moment_arm"):
        arrays[name] = np.ascontiguousarray(arrays[name][rows])
    taken, tables = _kernel.Trial(**arrays), curve_tables(subject)
    return np.stack(
        [
            _kernel.simulate(
                tables=tables,
                parameters=guess,
                trial=taken,
                tendon="stiff",
                filter_start="ceinms",
            )["mtu_force"]
            for guess in guesses
        ]
    )
