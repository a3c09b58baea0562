"""What reading files must not cost."""

import subprocess
import sys


def test_files_are_read_without_torch():
    code = "import sys, ceinms_torch.inputs.folder; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
