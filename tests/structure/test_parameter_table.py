"""python/CALIBRATION.md has a row for every kind of parameter, with what the list says of it."""

from pathlib import Path

from ceinms_torch.model.parameters import PARAMETERS

CALIBRATION = Path(__file__).resolve().parents[2] / "python" / "CALIBRATION.md"


def row(kind):
    """Return a kind as a row of the table."""
    default = "" if kind.default is None else f"{kind.default:g}"
    values = str(kind.allowed).removeprefix("a number ").removeprefix("a ")
    cells = [f"`{kind.name}`", kind.meaning, kind.unit, values, default]
    return f"| {' | '.join(cells)} | {'yes' if kind.in_ceinms else 'no'} |"


def test_every_kind_has_its_row():
    lines = CALIBRATION.read_text(encoding="utf-8").splitlines()
    head = lines.index("| parameter | what it is | unit | values | default | in CEINMS 0.9 |")
    assert lines[head + 2 : head + 3 + len(PARAMETERS)] == [*map(row, PARAMETERS.values()), ""]
