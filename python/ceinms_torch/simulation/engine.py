"""Which engine computes, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ceinms_torch.errors import OptionError

if TYPE_CHECKING:
    import torch

EngineName = Literal["fused", "tensor"]


def check_fused(engine: str, device: str | None) -> None:
    """Refuse an engine that is neither the tensor nor the fused one, and the latter elsewhere.

    Parameters
    ----------
    engine : str
        Not "tensor".
    device : str, optional
        Where it is to compute.

    Raises
    ------
    OptionError
        If there is no such engine, or the device is not the CPU.
    """
    if engine != "fused":
        raise OptionError(where="engine", expected="fused or tensor", got=repr(engine))
    if device not in (None, "cpu"):
        hint = "the tensor engine runs elsewhere"
        raise OptionError(
            where="device", expected="cpu, with the fused engine", got=repr(device), hint=hint
        )


def tensor_device(name: str | None = None) -> torch.device:
    """Return a device of torch, once it is known to hold float64.

    Parameters
    ----------
    name : str, optional
        As torch spells it: "cpu", "cuda", "cuda:1", ...; by default the CPU, also where there is a
        GPU: a GPU spends longer on starting the many small operations of a few trials than the CPU
        on all of them.

    Returns
    -------
    torch.device

    Raises
    ------
    OptionError
        If there is no such device, or it has no double precision.
    """
    import torch  # noqa: PLC0415  slow to load

    if name is None:
        return torch.device("cpu")
    try:
        return torch.zeros(1, dtype=torch.float64, device=name).device
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OptionError(
            where="device",
            expected="cpu, or a device of torch with float64",
            got=repr(name),
            hint=reason,
        ) from error
