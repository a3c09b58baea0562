"""Calibrate and run EMG-informed neuromusculoskeletal models from CEINMS's own files.

    import ceinms_torch as ct

    folder = ct.CalibrationFolder.read("calibrate.xml")
    result = ct.calibrate(folder)
    result.subject.write("subjectCalibrated.xml")
    forces = ct.simulate(result.subject, folder.trials[0]).mtu_force

Names are resolved when first used, so that importing the package costs next to nothing; torch is
loaded by the first calibration and not before.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any


def _homes() -> dict[str, str]:
    """Return the module of every public name, of which the type checkers' stub has the list."""
    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return {alias.name: str(node.module) for node in imports for alias in node.names}


_HOME_OF = _homes()
__all__ = sorted(_HOME_OF)  # noqa: PLE0605  strings, all of them


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("ceinms-torch")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ceinms_torch' has no attribute '{name}'")
    home = _HOME_OF[name]
    if home == __name__:  # a module of the package
        return importlib.import_module(f"{home}.{name}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
