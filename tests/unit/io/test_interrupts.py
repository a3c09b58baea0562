"""Signals wait while something is found and not yet kept."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from ceinms_torch.io.interrupts import held, raise_if_stopped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_waits_until_the_end():
    done = []

    def work():
        with held(), held():
            press()
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]
    with pytest.raises(KeyboardInterrupt):
        press()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_asks_is_told_once():
    with held():
        raise_if_stopped()
        press()
        with pytest.raises(KeyboardInterrupt):
            raise_if_stopped()
        raise_if_stopped()


def test_another_exception_goes_through():
    def work():
        with held():
            press()
            raise ValueError("faulty")

    with pytest.raises(ValueError, match="faulty"):
        work()
    with pytest.raises(KeyboardInterrupt):
        raise_if_stopped()


def test_threads_are_left_alone():
    before = signal.getsignal(signal.SIGINT)

    def work():
        with held():
            assert signal.getsignal(signal.SIGINT) is before

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_all_signals_are_ctrl_c_but_ignored_ones(name):
    code = (
        "import os, signal, sys; from ceinms_torch.io import interrupts\n"
        f"number = signal.{name}\n"
        "if sys.argv[1:]: signal.signal(number, signal.SIG_IGN)\n"
        "interrupts.stop_on_signals()\n"
        "try:\n"
        "    os.kill(os.getpid(), number)\n"
        "    print('went on')\n"
        "except KeyboardInterrupt:\n"
        "    print(interrupts.first_signal() == number)\n"
    )

    def said(*words):
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert said() == "True\n"
    assert said("ignored") == "went on\n"
