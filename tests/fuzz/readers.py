"""Files that were damaged at random: a reader takes them or refuses them by an error of its own.

    python tests/fuzz/readers.py storage                     # atheris, until Ctrl-C
    python tests/fuzz/readers.py xml -max_total_time=60      # atheris, for a minute
    python tests/fuzz/readers.py result --mutations 5000     # blind mutations, without atheris

Seeds are the files of ``subjects/``, and a result that is calibrated from them first. What atheris
finds interesting is kept in ``tests/fuzz/corpus/READER`` (git ignores it) and used the next time;
an input that fails is written to ``tests/fuzz/corpus/crash-...``, whose path behind the reader's
name shows why. Atheris is optional: ``pip install atheris==3.0.0``.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SUBJECTS = TESTS.parent / "subjects"
CORPUS = Path(__file__).resolve().parent / "corpus"
# Longer seeds are cut: damage matters where the structure is, and every run reads the whole file.
MOST_BYTES = 20_000

Reader = Callable[[bytes], None]


def _accepted(read: Callable[[], object]) -> None:
    """Read; an error of the package is an answer, any other is a fault."""
    from ceinms_torch.errors import CeinmsTorchError, CeinmsTorchWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        with contextlib.suppress(CeinmsTorchError):
            read()


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="ceinms-torch-fuzz-"))


def read_storage(data: bytes) -> None:
    """Read a .sto, .mot or .csv file."""
    from ceinms_torch.io.storage import read_storage

    path = _folder() / "one.sto"
    path.write_bytes(data)
    _accepted(lambda: read_storage(path))


def read_xml(data: bytes) -> None:
    """Read a subject, a calibration, a generator, a setup or an inputData."""
    import ceinms_torch as ct
    from ceinms_torch.io.xml_document import read_root

    path = _folder() / "one.xml"
    path.write_bytes(data)
    readers = {
        "subject": ct.Subject.read,
        "calibration": ct.CalibrationPlan.read,
        "excitationGenerator": ct.ExcitationGenerator.read,
        "inputData": ct.InputData.read,
    }

    def read() -> object:
        return readers.get(read_root(path).tag, ct.Subject.read)(path)

    _accepted(read)


@functools.cache
def _result_folder() -> Path:
    """A result folder of its own, calibrated in a few iterations."""
    import ceinms_torch as ct

    folder = _folder() / "result"
    setup = ct.CalibrationFolder.read(SUBJECTS / "gait" / "calibrate.xml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = ct.LevenbergMarquardt(max_iterations=2)
        result = ct.calibrate(setup.subject, setup.trials[:1], setup.plan, options=options)
        result.save(folder)
    return folder


def read_result(data: bytes) -> None:
    """Read a result folder whose result.json is this, and write its report's summary."""
    import ceinms_torch as ct

    folder = _result_folder()
    (folder / "result.json").write_bytes(data)

    def read() -> object:
        return ct.load_result(folder)

    _accepted(read)


READERS: dict[str, Reader] = {"storage": read_storage, "xml": read_xml, "result": read_result}


def seeds(reader: str) -> list[bytes]:
    """Return files that the reader takes, cut where they are long."""
    if reader == "result":
        return [(_result_folder() / "result.json").read_bytes()]
    endings = {"storage": (".sto", ".mot", ".csv"), "xml": (".xml",)}[reader]
    paths = sorted(path for path in SUBJECTS.rglob("*") if path.suffix in endings)
    return list(dict.fromkeys(path.read_bytes()[:MOST_BYTES] for path in paths))


# What damaged files have had, and what numbers, names and markup end with.
WORDS = """
nan inf -1 1e400 0 1e-400 -0.5 1 true null {} [] "text" , = & < > <!-- ]]> -- &#0; <?x?> <![CDATA[
xmlns="x" endheader time nRows= é
"""
PIECES = (
    *(word.encode() for word in WORDS.split()),
    *(b"\t", b"\n", b"\r", b"\0", b'"', b" " * 100, b"9" * 400),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b"\xed\xa0\x80"),
    b'<!DOCTYPE a [<!ATTLIST b c CDATA "deg">]>',
)


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return data with one to four places damaged."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((0, 1, 1, 4, 30, 1000)))
        kind = rng.randrange(7)
        if kind == 0:
            new = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 5)))
        elif kind == 1:
            new = data[at:end] * 2
        elif kind == 2:
            begin = rng.randrange(len(other) + 1)
            new = other[begin : begin + 50]
        elif kind == 3:
            return data[:at]
        elif kind == 4:
            new = b""
        else:
            new = rng.choice(PIECES)
        data = data[:at] + new + data[end:]
    return data


def mutated_json(data: bytes, rng: random.Random) -> bytes:
    """Return valid JSON with one to three values replaced, anywhere in the tree."""
    content = json.loads(data)
    for _ in range(rng.choice((1, 1, 3))):
        holder, key = content, None
        while isinstance(inner := holder if key is None else holder[key], (dict, list)) and inner:
            holder, key = (
                inner,
                rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner))),
            )
            if rng.random() < 0.2:
                break
        value = rng.choice(
            (
                None,
                True,
                -1,
                0,
                1e308,
                2**70,
                "",
                "text",
                [],
                {},
                [1],
                {"a": 1},
                ["a"],
                1.5,
                [[]],
                "1",
                "deg",
            )
        )
        if key is None:
            return json.dumps(value).encode()
        if isinstance(holder, dict) and rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = value
    return json.dumps(content).encode()


def damaged(reader: str, mutations: int, seed: int) -> Iterator[bytes]:
    """Iterate over damaged seeds; each follows from the seed and its number."""
    files = seeds(reader)
    for number in range(mutations):
        rng = random.Random(f"{seed}/{number}")
        data = rng.choice(files)
        if reader == "result" and rng.random() < 0.8:
            yield mutated_json(data, rng)
        else:
            yield mutated(data, rng.choice(files), rng)


def run_blind(reader: str, mutations: int, seed: int) -> int:
    """Read damaged files; print those that fail, with their error, and return how many."""
    faults = 0
    for number, data in enumerate(damaged(reader, mutations, seed)):
        try:
            READERS[reader](data)
        except Exception as error:
            faults += 1
            path = CORPUS / f"{reader}-{seed}-{number}"
            CORPUS.mkdir(exist_ok=True)
            path.write_bytes(data)
            print(f"{path}: {type(error).__name__}: {str(error)[:300]}")
    print(f"{reader}: {mutations} damaged files, {faults} foreign exceptions")
    return faults


def run_atheris(reader: str, options: list[str]) -> None:
    """Let atheris look for inputs that fail."""
    import atheris

    with atheris.instrument_imports(include=["ceinms_torch"]):
        import ceinms_torch.inputs.folder
        import ceinms_torch.results.read  # noqa: F401
    folder = CORPUS / reader
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(seeds(reader)):
        (folder / f"seed-{i}").write_bytes(data)
    pieces = CORPUS / "pieces.dict"
    pieces.write_text(
        "".join(f'"{"".join(f"{chr(92)}x{b:02x}" for b in one)}"\n' for one in PIECES)
    )
    given = [one for one in options if not one.startswith("-")]
    corpus = given or [str(folder)]
    flags = [one for one in options if one.startswith("-")]
    defaults = [
        f"-dict={pieces}",
        f"-artifact_prefix={CORPUS}/crash-",
        f"-max_len={2 * MOST_BYTES}",
        "-timeout=5",
    ]
    atheris.Setup([sys.argv[0], *defaults, *flags, *corpus], READERS[reader])
    atheris.Fuzz()


def main() -> int:
    """Run one reader on damaged files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reader", choices=sorted(READERS))
    parser.add_argument("--mutations", type=int, help="blind ones, without atheris")
    parser.add_argument("--seed", type=int, default=0)
    given, options = parser.parse_known_args()
    try:
        if given.mutations is not None:
            return min(run_blind(given.reader, given.mutations, given.seed), 1)
        run_atheris(given.reader, options)
    finally:
        shutil.rmtree(_folder(), ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
