"""Dataclasses as JSON and back: what comes back is what went in."""

import json
import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from ceinms_torch.errors import FileFormatError
from ceinms_torch.io.plain import plain, read_json, revived


@dataclass(frozen=True)
class Inner:
    name: str
    value: float
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Outer:
    parts: tuple[Inner, ...]
    pair: tuple[str, tuple[int, ...]]
    by_count: dict[int, list[float]]
    maybe: Inner | None
    word: str | int


OUTER = Outer(
    parts=(Inner("a", 1.5, line=3), Inner("b", math.inf)),
    pair=("x", (1, 2)),
    by_count={2: [0.1, math.nan]},
    maybe=None,
    word=4,
)


def test_round_trip():
    text = json.dumps(plain(OUTER), allow_nan=False)
    again = revived(Outer, json.loads(text))
    assert again.parts[0] == OUTER.parts[0]
    assert again.parts[0].line is None  # what does not compare is not written
    assert math.isnan(again.parts[1].value)  # JSON has neither infinity nor NaN
    assert (again.pair, again.maybe, again.word) == (OUTER.pair, None, 4)
    assert again.by_count[2][0] == 0.1
    assert math.isnan(again.by_count[2][1])
    maybe = Outer(**{**vars(OUTER), "maybe": Inner("c", 2.0)})
    assert revived(Outer, plain(maybe)).maybe == Inner("c", 2.0)


def test_numbers_of_numpy_are_plain():
    assert plain({"n": np.int64(3), "x": np.array([1.0, np.nan])}) == {"n": 3, "x": [1.0, None]}


def test_other_shape_is_an_error():
    with pytest.raises(TypeError):
        revived(Inner, {"name": "a"})
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        revived(tuple[str, int], ["a"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"a\.json: expected results, got none that can be read \(No such.*\)\. Look again"),
        ("{", r"a\.json:1: expected JSON, got Expecting property name"),
        ("[1]", r"a\.json: expected results, got no object\. Look again"),
    ],
)
def test_files_that_hold_no_results(tmp_path, text, message):
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_json(tmp_path / "a.json", "results", "look again")
