"""
Numerical kernel of ceinms_torch: arrays in, arrays out. Does not load torch.
"""

from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing

__all__: list[str] = [
    "default_tables",
    "simulate",
    "spline_derivative",
    "spline_table",
    "spline_value",
    "table_value",
    "tendon_table",
]

def default_tables() -> list[
    tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]
]:
    """
    Smooth curves for subjects without any: active, passive, force-velocity, tendon.
    """

def simulate(
    *,
    tables: typing.Annotated[
        collections.abc.Sequence[
            tuple[
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
            ]
        ],
        "FixedSize(4)",
    ],
    parameters: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    time: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    mtu_length: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    mtu_velocity: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    moment_arm: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    excitation: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    excitation_start: typing.SupportsFloat | typing.SupportsIndex,
    excitation_rate: typing.SupportsFloat | typing.SupportsIndex,
    tendon: str,
    filter_start: str,
) -> dict[str, numpy.typing.NDArray[numpy.float64]]:
    """
    Simulate one trial in double precision.

    Parameters: tables, four (knots, pieces) in the order active, passive, force-velocity, tendon;
    parameters (12, n_mtu); time (n_step) [s]; mtu_length, mtu_velocity (n_step, n_mtu) [m], [m/s];
    moment_arm (n_step, n_dof, n_mtu) [m]; excitation (n_row, n_mtu); excitation_start [s];
    excitation_rate [Hz]; tendon 'stiff' or 'rosenbrock'; filter_start 'zero' or 'ceinms'.

    Returns a dict of arrays: activation, fibre_length [m], fibre_velocity [m/s],
    pennation_angle [rad], tendon_strain, mtu_force [N] (n_step, n_mtu) and joint_moment
    (n_step, n_dof) [N m]. Raises ValueError where shapes do not fit together.
    """

def spline_derivative(
    x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    y: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    at: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> numpy.typing.NDArray[numpy.float64]:
    """
    First derivative of CEINMS's cubic spline; outside the knots the slope at the end.
    """

def spline_table(
    x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    y: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
    """
    The spline as (knots, pieces), constant outside.
    """

def spline_value(
    x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    y: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    at: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Value of CEINMS's cubic spline through (x, y) at any positions; constant outside.
    """

def table_value(
    table: tuple[
        typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    ],
    at: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Value of a (knots, pieces) table at any positions.
    """

def tendon_table(
    x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    y: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
    """
    A tendon curve as (knots, pieces), with a small positive slope below zero strain.
    """

__version__: str = "0.1.0"
