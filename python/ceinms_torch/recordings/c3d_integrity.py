"""Whether a C3D file is whole: ezc3d reads what was cut off without a word, or without an end.

References
----------
The C3D File Format: A Technical User Guide, Motion Lab Systems 2021: header and parameter section.
"""

from __future__ import annotations

import struct
from pathlib import Path

from ceinms_torch.errors import FileFormatError

EXPORT_AGAIN = "Export the recording again, or open and save it with the program that recorded it"
_BLOCK = 512  # bytes
# Processors whose numbers a file may have, and where the sign of the scale is then.
_DEC, _MIPS = b"\x55", b"\x56"
_SIGN = {_DEC: 13, _MIPS: 12}


def check_whole(path: Path, raw: bytes) -> None:
    """Refuse what is no C3D file, was cut off, or has parameters that lead nowhere.

    Parameters
    ----------
    path : Path
        The file, for messages.
    raw : bytes
        All of it.

    Raises
    ------
    FileFormatError
        If it is not whole.
    """

    def fault(expected: str, got: str) -> FileFormatError:
        return FileFormatError(
            where=path, expected=expected, got=got, hint=EXPORT_AGAIN, code="c3d-damaged"
        )

    if len(raw) < 2 * _BLOCK or raw[1] != 0x50:
        raise fault("a C3D file", "no C3D header")
    start = (raw[0] - 1) * _BLOCK
    processor = raw[start + 3 : start + 4]
    order = ">" if processor == _MIPS else "<"
    words = struct.unpack(f"{order}10H", raw[:20])
    n_point, n_analog, first, last, data = words[1], words[2], words[3], words[4], words[8]
    parameters = raw[start : start + raw[start + 2] * _BLOCK] if start + 4 <= len(raw) else b""
    if not _leads_to_an_end(parameters, order):
        raise fault("parameters of a C3D file", "ones that are damaged or cut off")
    # Longer files than these words can count have their number of frames in a parameter.
    n_frame = last - first + 1 if last < 0xFFFF else 1
    size = 4 if raw[_SIGN.get(processor, 15)] & 0x80 else 2  # the scale is negative: floats
    whole = (data - 1) * _BLOCK + n_frame * (4 * n_point + n_analog) * size
    if len(raw) < whole:
        raise fault(
            f"{n_frame} frames, at least {whole} bytes", f"{len(raw)} bytes: it was cut off"
        )


def _leads_to_an_end(parameters: bytes, order: str) -> bool:
    """Follow the chain of groups and parameters, which ezc3d would follow for ever."""
    at = 4
    while at + 2 <= len(parameters):
        name = abs(struct.unpack_from("b", parameters, at)[0])
        link = at + 2 + name
        if name == 0:
            return True
        if link + 2 > len(parameters):
            return False
        step = struct.unpack_from(f"{order}h", parameters, link)[0]
        if step == 0:
            return True
        if step < 0:
            return False
        at = link + step
    return at == len(parameters) and at > 4
