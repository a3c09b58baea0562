"""Converted files appear together or not at all."""

import errno

import pytest

from ceinms_torch.conversion.files import read_conversion


def full_disk(_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_failure_halfway_writes_nothing(tiny_folder, tmp_path):
    conversion = read_conversion(tiny_folder / "setup.xml", tmp_path / "new")
    *_, last = conversion.outputs
    conversion.outputs[last] = full_disk
    with pytest.raises(OSError, match="No space left"):
        conversion.write()
    assert len(conversion.outputs) > 3
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []
