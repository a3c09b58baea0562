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

TYPE_CHECKING = False  # `typing` takes longer to load than all that is here
if TYPE_CHECKING:
    from typing import Any


def _homes() -> dict[str, str]:
    """Return the module of every public name, of which the type checkers' stub has the list."""
    import ast  # noqa: PLC0415  as `typing`
    from pathlib import Path  # noqa: PLC0415

    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    import importlib  # noqa: PLC0415  as `typing`

    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("ceinms-torch")
    known = globals()
    if "_HOME_OF" not in known:
        known["_HOME_OF"] = _homes()
        known["__all__"] = sorted(known["_HOME_OF"])
    if name in ("_HOME_OF", "__all__"):
        return known[name]
    if name not in known["_HOME_OF"]:
        raise AttributeError(f"module 'ceinms_torch' has no attribute '{name}'")
    home = known["_HOME_OF"][name]
    if home == __name__:  # a module of the package
        return importlib.import_module(f"{home}.{name}")
    known[name] = value = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    public: list[str] = __getattr__("__all__")
    return public
