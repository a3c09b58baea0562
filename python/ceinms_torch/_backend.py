"""The compiled tensor module, checked against the torch it runs with.

Import ``_torch`` from here and nowhere else: ``from ceinms_torch._backend import _torch``.
LibTorch's C++ interface changes between minor versions, so a module built against one of them must
not run with another. Importing torch takes 1 to 2 s: do it inside the functions that need it.
"""

import importlib.metadata

import torch

__all__ = ["_torch"]

_CURE = (
    "Install that torch again, or rebuild ceinms_torch with the present one: in its source folder, "
    "run `pip install --force-reinstall --no-deps .`"
)


def _minor(version: str) -> tuple[str, ...]:
    """Return major and minor of a version such as ``"2.13.0+cpu"``: ``("2", "13")``."""
    return tuple(version.split(".")[:2])


def _required_torch() -> str:
    """Return the torch that the installed ceinms_torch asks for, such as ``"torch==2.13.0"``."""
    requirements = importlib.metadata.requires("ceinms-torch") or []
    return next(text for text in requirements if text.startswith("torch"))


def _check_torch(built: str, found: str) -> None:
    """Raise ImportError unless both versions of torch share their major and minor number."""
    if _minor(built) != _minor(found):
        raise ImportError(
            f"ceinms_torch was built against torch {built}, found torch {found}. {_CURE}"
        )


try:
    from . import _torch
except ImportError as error:
    # With another torch, the module may not even load ("undefined symbol"), so it cannot be asked.
    raise ImportError(
        f"ceinms_torch._torch, built for {_required_torch()}, does not load with "
        f"torch {torch.__version__}: {error}. {_CURE}"
    ) from error

_check_torch(built=_torch.torch_version, found=torch.__version__)
