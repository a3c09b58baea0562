"""From a subject's curves to the tables that the kernel looks up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.model.subject import CURVE_NAMES, Subject

if TYPE_CHECKING:
    import torch

    from ceinms_torch import _torch

Table = tuple[FloatArray, FloatArray]


def curve_tables(subject: Subject) -> list[Table]:
    """Return the four force curves as piecewise cubics.

    A subject's own points get the spline that CEINMS draws through them (reference C.2); the
    tendon curve goes on below zero strain with a small positive slope. A subject without curves
    gets the smooth curves of De Groote et al. (2016).

    Parameters
    ----------
    subject : Subject
        With all four curves, or none.

    Returns
    -------
    list of (ndarray (n_knot,), ndarray (n_knot + 1, 5))
        Knots and pieces (origin, four coefficients) in the order of `CURVE_NAMES`.
    """
    if not subject.curves:
        return list(_kernel.default_tables())
    tables = []
    for name in CURVE_NAMES:
        curve = subject.curves[name]
        make = _kernel.tendon_table if name == "tendonForceStrain" else _kernel.spline_table
        tables.append(make(np.asarray(curve.x), np.asarray(curve.y)))
    return tables


def curve_values(table: Table, x: FloatArray) -> FloatArray:
    """Look a curve up, as the kernel does.

    Parameters
    ----------
    table : (ndarray (n_knot,), ndarray (n_knot + 1, 5))
        One of `curve_tables`.
    x : ndarray (n,)
        Where: normalised fibre length or velocity, or tendon strain [-].

    Returns
    -------
    ndarray (n,)
        Normalised force [-].
    """
    knots, pieces = table
    origin, *coefficients = pieces[np.searchsorted(knots, x, side="left")].T
    return np.asarray(np.polynomial.polynomial.polyval(x - origin, coefficients, tensor=False))


def tensor_curves(subject: Subject, device: torch.device) -> _torch.Curves:
    """Return the same curves as the tensor engine takes them.

    Parameters
    ----------
    subject : Subject
        The subject.
    device : torch.device
        Where the trials are.

    Returns
    -------
    Curves
    """
    import torch  # noqa: PLC0415  slow to load

    from ceinms_torch._backend import _torch  # noqa: PLC0415

    return _torch.Curves(
        [
            (torch.from_numpy(knots).to(device), torch.from_numpy(pieces).to(device))
            for knots, pieces in curve_tables(subject)
        ]
    )
