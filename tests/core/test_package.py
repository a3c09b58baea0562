"""What is installed: small, without LibTorch, and a kernel that does not load torch."""

import importlib.metadata
import subprocess
import sys
import zlib

import pytest

from ceinms_torch import _backend


def installed_files():
    files = importlib.metadata.files("ceinms-torch")
    assert files, "ceinms-torch is not installed"
    return [file for file in files if file.suffix != ".pyc"]


def test_wheel_is_below_5_mb():
    # Its files are compressed as in a wheel, one by one.
    sizes = [len(zlib.compress(file.locate().read_bytes())) for file in installed_files()]
    assert 1e5 < sum(sizes) < 5e6


def test_no_library_of_torch_is_installed():
    shared_libraries = {file.name.split(".")[0] for file in installed_files() if ".so" in file.name}
    assert shared_libraries == {"_kernel", "_torch"}


def test_kernel_does_not_load_torch():
    program = (
        "import sys, ceinms_torch._kernel\n"
        "maps = open('/proc/self/maps').read() if sys.platform == 'linux' else ''\n"
        "sys.exit('torch' in sys.modules or 'libtorch' in maps or 'libc10' in maps)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_torch_of_the_same_minor_version_is_accepted():
    _backend._check_torch(built="2.13.0", found="2.13.1+cpu")


@pytest.mark.parametrize("found", ["2.14.0", "2.1.3", "3.13.0"])
def test_torch_of_another_minor_version_is_refused(found):
    with pytest.raises(
        ImportError, match=rf"against torch 2\.13\.0, found torch {found}.*pip install"
    ):
        _backend._check_torch(built="2.13.0", found=found)


def test_module_that_does_not_load_is_explained():
    program = (
        "import sys, torch\n"
        "torch.__version__ = '2.14.0'\n"
        "sys.modules['ceinms_torch._torch'] = None\n"
        "import ceinms_torch._backend"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert "built for torch==2.13.0, does not load with torch 2.14.0" in result.stderr
