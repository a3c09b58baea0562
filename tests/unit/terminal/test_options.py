"""Options of the commands: one meaning a name; what ``--test`` and ``--synergies`` take."""

import importlib
import inspect
import re
import typing
from pathlib import Path

import pytest
from typer.models import OptionInfo

from ceinms_torch.cli.main import COMMANDS, GEOMETRY, STUDIES
from ceinms_torch.errors import OptionError
from ceinms_torch.model.nms_model import TendonKind
from ceinms_torch.terminal.options import given, synergy_number, trial_files, words

MODULES = {
    **COMMANDS,
    **{f"geometry_{name}": text for name, text in GEOMETRY.items()},
    **{f"study_{name}": text for name, text in STUDIES.items()},
}


@pytest.mark.parametrize("module", MODULES)
def test_the_list_of_commands_says_what_their_help_says(module):
    command = importlib.import_module(f"ceinms_torch.cli.{module}").command
    assert " ".join(inspect.getdoc(command).split("\n\n")[0].split()) == MODULES[module]


def every_option():
    """Yield command, name on the command line, and all that the option means."""
    for module in MODULES:
        command = importlib.import_module(f"ceinms_torch.cli.{module}").command
        name = module.removeprefix("study_").removeprefix("geometry_")
        hints = typing.get_type_hints(command, include_extras=True)
        for parameter in inspect.signature(command).parameters.values():
            kind, info = typing.get_args(hints[parameter.name])
            if isinstance(info, OptionInfo):
                # In Annotated, the first name on the command line is where typer's default was.
                first = (info.default,) if isinstance(info.default, str) else ()
                names = (*first, *(info.param_decls or ()))
                names = names or (f"--{parameter.name.replace('_', '-')}",)
                limits = (info.min, info.max, info.metavar, info.callback)
                yield name, names, (kind, info.help, limits, parameter.default)


def with_default(meaning, other):
    """Return what an option means where it may be left out, if it may be so for the other."""
    kind, text, limits, default = meaning
    if default is inspect.Parameter.empty:
        kind, default = other[0], other[3]
        assert meaning[0] in {kind, *typing.get_args(kind)}
    return kind, text, limits, default


OPTIONS = list(every_option())


def test_a_name_means_the_same_in_every_command():
    meanings, commands = {}, {}
    for command, names, meaning in OPTIONS:
        for name in names:
            commands.setdefault(name, []).append(command)
            first = meanings.setdefault(name, meaning)
            assert with_default(first, meaning) == with_default(meaning, first), (
                name,
                commands[name],
            )
    shared = {name for name, found in commands.items() if len(found) > 1}
    assert {"--out", "--test", "-q", "--seed", "--seeds", "--jobs", "--threads"} <= shared


def test_a_meaning_has_one_name():
    names = {}
    for command, name, (_, text, *_) in OPTIONS:
        assert text, (command, name)
        assert names.setdefault(text, name) == name


def test_tendons_are_those_of_the_files():
    kinds = [meaning[0] for _, names, meaning in OPTIONS if "--tendon" in names]
    assert kinds == [TendonKind | None] * 2


# ---- --test -----------------------------------------------------------------------------


@pytest.fixture
def trials(tmp_path, monkeypatch):
    """Trials beside each other, and a folder without any."""
    for name in ("walk2", "walk10", "run1"):
        (tmp_path / "trials" / name).mkdir(parents=True)
        (tmp_path / "trials" / name / "inputData.xml").touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)


def named_by(*patterns):
    """Return the trials that ``--test`` finds by patterns."""
    files = trial_files([Path(pattern) for pattern in patterns])
    assert {file.name for file in files} <= {"inputData.xml"}
    return [file.parent.as_posix() for file in files]


def test_patterns_and_folders(trials, tmp_path):
    assert named_by("trials/*/inputData.xml") == ["trials/run1", "trials/walk10", "trials/walk2"]
    assert named_by("trials/walk*", "trials/run1") == [
        "trials/walk10",
        "trials/walk2",
        "trials/run1",
    ]
    assert named_by("trials") == named_by("trials/**/inputData.xml") == named_by("trials/*/*.xml")
    assert named_by(tmp_path / "trials" / "run?") == [(tmp_path / "trials" / "run1").as_posix()]
    assert named_by() == []


def test_a_file_with_magic_letters_is_itself(trials, tmp_path):
    (tmp_path / "[bold] trial").mkdir()
    (tmp_path / "[bold] trial" / "inputData.xml").touch()
    assert named_by("[bold] trial/inputData.xml") == ["[bold] trial"]


def test_a_missing_file_is_left_to_its_reader():
    assert trial_files([Path("no.xml")]) == [Path("no.xml")]


@pytest.mark.parametrize("pattern", ["trials/swim*/inputData.xml", "empty", "trials/**bad/[/*.xml"])
def test_patterns_that_match_nothing(trials, pattern):
    message = f"--test: expected at least one inputData.xml, got none in '{pattern}'"
    with pytest.raises(OptionError, match=re.escape(message)):
        trial_files([Path("trials/run1/inputData.xml"), Path(pattern)])


# ---- Others -----------------------------------------------------------------------------


def test_numbers_of_synergies():
    assert [synergy_number(text) for text in (None, "auto", "4")] == [None, "auto", 4]
    for text in ("0", "-1", "many", "Weightings.csv"):
        with pytest.raises(OptionError, match="--synergies: expected a whole number >= 1, or auto"):
            synergy_number(text)


def test_words_and_what_is_given():
    assert words("lm, adamw,,lbfgs ") == ["lm", "adamw", "lbfgs"]
    assert given(a=None, b=0, c=False) == {"b": 0, "c": False}
