"""Where the installed commands begin: what they need is loaded only when signals are in order.

Until then, Ctrl-C ends the process as it ends any other, without a traceback of half an import.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run(program: Callable[[], int]) -> int:
    """Run a program as this process, and return the exit status."""
    # Modules are for good: looking through their many objects, while they load and when all ends,
    # is half of the time of a run.
    gc.set_threshold(50_000)
    from ceinms_torch.blas import one_blas_thread  # noqa: PLC0415  after the signals

    one_blas_thread.for_good()
    status = program()
    gc.freeze()
    return status


def ceinms_torch() -> int:
    """Run ``ceinms-torch`` with the arguments of this process, and return the exit status."""
    # Typer's library of types looks for plugins among all packages that are installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

    def program() -> int:
        from ceinms_torch.cli.main import run_as_process  # noqa: PLC0415

        return run_as_process()

    return _run(program)


def ceinms() -> int:
    """Run ``CEINMS`` with the arguments of this process, and return the exit status."""

    def program() -> int:
        from ceinms_torch.cli.programs import CEINMS  # noqa: PLC0415

        return CEINMS.run_as_process()

    return _run(program)


def ceinms_calibrate() -> int:
    """Run ``CEINMScalibrate`` with the arguments of this process, and return the exit status."""

    def program() -> int:
        from ceinms_torch.cli.programs import CEINMS_CALIBRATE  # noqa: PLC0415

        return CEINMS_CALIBRATE.run_as_process()

    return _run(program)
