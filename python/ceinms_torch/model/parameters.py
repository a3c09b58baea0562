"""The twelve parameters of an MTU: their XML names, Python names and order."""

from __future__ import annotations

from ceinms_torch.errors import unknown_name

# The order is that of CEINMS's enumeration and of the rows of every parameter matrix.
PARAMETER_ATTRIBUTES = {
    "c1": "c1",
    "c2": "c2",
    "shapeFactor": "shape_factor",
    "optimalFibreLength": "optimal_fibre_length",
    "pennationAngle": "pennation_angle",
    "tendonSlackLength": "tendon_slack_length",
    "maxIsometricForce": "max_isometric_force",
    "maxContractionVelocity": "max_contraction_velocity",
    "strengthCoefficient": "strength_coefficient",
    "emDelay": "em_delay",
    "damping": "damping",
    "percentageChange": "percentage_change",
}
PARAMETER_KINDS: tuple[str, ...] = tuple(PARAMETER_ATTRIBUTES)

# Units of the values, "-" for pure numbers.
PARAMETER_UNITS = {
    "c1": "-",
    "c2": "-",
    "shapeFactor": "-",
    "optimalFibreLength": "m",
    "pennationAngle": "rad",
    "tendonSlackLength": "m",
    "maxIsometricForce": "N",
    "maxContractionVelocity": "1/s",
    "strengthCoefficient": "-",
    "emDelay": "s",
    "damping": "-",
    "percentageChange": "-",
}


def parameter_row(name: str) -> int:
    """Return the row of a kind of parameter in every matrix of parameters.

    Parameters
    ----------
    name : str
        One of `PARAMETER_KINDS`.

    Returns
    -------
    int

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    if name not in PARAMETER_KINDS:
        raise unknown_name("parameters", "a parameter", name, PARAMETER_KINDS)
    return PARAMETER_KINDS.index(name)
