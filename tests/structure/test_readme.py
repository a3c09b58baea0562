"""The READMEs: their examples run, their commands and links exist."""

import dataclasses
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

import ceinms_torch as ct
from ceinms_torch.cli.main import app
from ceinms_torch.results.trials import RECORDING_FILES, STORAGE_FILES
from command_line import run_command

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
CALIBRATION = REPOSITORY / "python" / "CALIBRATION.md"
API = REPOSITORY / "python" / "API.md"
EXTENDING = REPOSITORY / "python" / "EXTENDING.md"
DOCUMENTS = [
    README,
    REPOSITORY / "cpp" / "README.md",
    REPOSITORY / "cpp" / "EQUATIONS.md",
    *sorted((REPOSITORY / "python").glob("*.md")),
    REPOSITORY / "tests" / "README.md",
    REPOSITORY / "tests" / "benchmarks" / "README.md",
    *sorted((REPOSITORY / "subjects").glob("*/README.md")),
]
# What users read, and not developers.
USERS_PAGES = [README, *sorted((REPOSITORY / "python").glob("*.md"))]


def text_of(path):
    return path.read_text(encoding="utf-8")


def blocks(path, language):
    """Return the content of all code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(path), flags=re.DOTALL | re.MULTILINE)


def shell_lines():
    """Return every line of every sh block that is not a comment, with its document."""
    return [
        (path, line)
        for path in DOCUMENTS
        for block in blocks(path, "sh")
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    ]


PAGES_WITH_PYTHON = [page for page in DOCUMENTS if page != README and blocks(page, "python")]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with a copy of the subjects, in which the README's examples may write."""
    ignored = shutil.ignore_patterns("results", "*_results")
    shutil.copytree(REPOSITORY / "subjects", tmp_path / "subjects", ignore=ignored)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---- The two commands -------------------------------------------------------------------


def test_first_block_is_the_contract():
    first = re.search(r"^```(\w*)\n(.*?)^```$", text_of(README), flags=re.DOTALL | re.MULTILINE)
    assert first[1] == "sh"
    set_up, tests = first[2].splitlines()
    assert set_up.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert set_up.endswith("ceinms-torch calibrate subjects/gait/calibrate.xml")
    assert tests == ".venv/bin/pytest -n 2"


def test_continuous_integration_runs_that_block():
    script = text_of(REPOSITORY / ".ci" / "run")
    extraction = next(line for line in script.splitlines() if line.startswith("mapfile"))
    program = extraction + "\nprintf '%s\\n' \"${commands[@]}\""
    result = subprocess.run(
        ["/bin/bash", "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout == blocks(README, "sh")[0]
    assert 'bash -c "$set_up"' in script
    assert 'bash -c "$test_command"' in script


# ---- Examples ---------------------------------------------------------------------------


def run_examples(*pages):
    """Run all Python of the pages, one after the other, and return what they define."""
    example = "".join(block for page in pages for block in blocks(page, "python"))
    names = {}
    exec(compile(example, str(pages[-1]), "exec"), names)  # noqa: S102  our own pages
    return names


def test_python_example_runs(elsewhere, capsys):
    names = run_examples(README)
    # "finds the truth to ten digits"
    truth = ct.Subject.read(elsewhere / "subjects" / "gait" / "truth" / "subjectTrue.xml")
    for found, true in zip(names["result"].subject.mtus, truth.mtus, strict=True):
        assert found.optimal_fibre_length == pytest.approx(true.optimal_fibre_length, rel=1e-9)
        assert found.tendon_slack_length == pytest.approx(true.tendon_slack_length, rel=1e-9)
    assert len(names["soleus"]) == len(names["trial"].time)
    assert capsys.readouterr().out.count("RMSE") == 3
    forces = ct.read_storage(elsewhere / "results" / "MuscleForces.sto")
    assert "soleus_r" in forces.columns
    assert ct.Subject.read(elsewhere / "results" / "subjectCalibrated.xml").mtus


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=lambda path: path.name)
def test_examples_of_every_page_run(page, elsewhere, capsys):
    """They go on from the README's, and CALIBRATION.md's from what the first command left."""
    if page == CALIBRATION:
        calibrated = run_command("calibrate", "subjects/gait/calibrate.xml", "--quiet")
        assert calibrated.returncode == 0, calibrated.stderr
    names = run_examples(README, page)
    printed = capsys.readouterr().out
    if page == API:
        assert printed.endswith("(3,) (14,)\n")
    if page == CALIBRATION:
        assert (elsewhere / "knee.pdf").read_bytes().startswith(b"%PDF")
    if page == EXTENDING:
        assert names["own"].objective < names["own"].history[0].objective
        assert ct.Subject.read(elsewhere / "results" / "subjectOwnLoss.xml").mtus
        assert len(names["both"].validation_losses) == len(names["both"].history)
        assert names["found"].fun < 0.1 * names["objective"](names["start_point"])[0]


def test_xml_example_is_read_and_spells_out_the_defaults(elsewhere):
    example = blocks(CALIBRATION, "xml")[0]
    path = elsewhere / "subjects" / "gait" / "example.xml"
    path.write_text(example, encoding="utf-8")
    plan = ct.CalibrationPlan.read(path)
    assert plan.algorithm == ct.LevenbergMarquardt()
    assert [step.objective for step in plan.steps] == [ct.Objective()]
    for name in [*ct.LevenbergMarquardt().to_dict(), *ct.Objective().to_dict()]:
        assert f"<{name}>" in example
    plan.check_names(ct.Subject.read(elsewhere / "subjects" / "gait" / "subjectUncalibrated.xml"))
    # "<levenbergMarquardt/> and <minimizeTorqueError/> mean the same"
    empty = r"<(levenbergMarquardt|minimizeTorqueError)>.*?</\1>"
    path.write_text(re.sub(empty, r"<\1/>", example, flags=re.DOTALL), encoding="utf-8")
    again = ct.CalibrationPlan.read(path)
    assert (again.algorithm, again.steps) == (plan.algorithm, plan.steps)


def test_other_optimisers_spell_out_their_defaults(elsewhere):
    whole, adamw, lbfgs, *_ = blocks(CALIBRATION, "xml")
    path = elsewhere / "subjects" / "gait" / "example.xml"
    algorithm = r"<levenbergMarquardt>.*?</levenbergMarquardt>"
    for fragment, defaults in ((adamw, ct.AdamW()), (lbfgs, ct.Lbfgs())):
        path.write_text(re.sub(algorithm, fragment, whole, flags=re.DOTALL), encoding="utf-8")
        assert ct.CalibrationPlan.read(path).algorithm == defaults
        assert all(f"<{name}>" in fragment for name in defaults.to_dict())


def test_synergies_spell_out_their_defaults(elsewhere):
    whole, _, _, fragment, *_ = blocks(CALIBRATION, "xml")
    path = elsewhere / "subjects" / "gait" / "example.xml"
    path.write_text(whole.replace("<openLoop/>", fragment), encoding="utf-8")
    hybrid = ct.CalibrationPlan.read(path).synergy_hybrid
    assert dataclasses.replace(hybrid, synthesise=None) == ct.SynergyHybrid()
    assert all(f"<{name}>" in fragment for name in hybrid.to_dict())


def test_example_of_preferences_is_read(elsewhere):
    whole, *_, fragment, _ = blocks(CALIBRATION, "xml")
    path = elsewhere / "subjects" / "gait" / "example.xml"
    pattern = r"<minimizeTorqueError>.*?</minimizeTorqueError>"
    path.write_text(re.sub(pattern, fragment, whole, flags=re.DOTALL), encoding="utf-8")
    plan = ct.CalibrationPlan.read(path)
    assert plan.steps[0].objective == ct.Objective(
        parameter_prior_weight=0.06,
        group_coherence_weight=0.1,
        group_coherence_muscles=(("vaslat_r", "vasmed_r", "vasint_r"), ("gasmed_r", "gaslat_r")),
    )
    plan.check_names(ct.Subject.read(elsewhere / "subjects" / "gait" / "subjectUncalibrated.xml"))


def test_example_of_priors_is_read(elsewhere):
    (fragment,) = (block for block in blocks(CALIBRATION, "xml") if "<prior>" in block)
    whole, *_ = blocks(CALIBRATION, "xml")
    path = elsewhere / "subjects" / "gait" / "example.xml"
    pattern = r"<parameterSet>.*?</parameterSet>"
    parameters = f"<parameterSet>{fragment}</parameterSet>"
    path.write_text(re.sub(pattern, parameters, whole, flags=re.DOTALL), encoding="utf-8")
    plan = ct.CalibrationPlan.read(path)
    assert plan.steps[0].parameters[0].priors == (
        ct.Prior(weight=0.2, centre=1.1, muscles=("soleus_r", "gasmed_r")),
        ct.Prior(weight=0.1),
    )
    plan.check_names(ct.Subject.read(elsewhere / "subjects" / "gait" / "subjectUncalibrated.xml"))


def test_example_of_composites_is_read(elsewhere):
    (fragment,) = (block for block in blocks(CALIBRATION, "xml") if "<torqueErrorNorm" in block)
    whole, *_ = blocks(CALIBRATION, "xml")
    path = elsewhere / "subjects" / "gait" / "example.xml"
    pattern = r"<objectiveFunction>.*?</objectiveFunction>"
    path.write_text(re.sub(pattern, fragment, whole, flags=re.DOTALL), encoding="utf-8")
    penalty = ct.RangePenalty(quantity="normalisedFibreLength", range=(0.6, 1.4), weight=100.0)
    assert ct.CalibrationPlan.read(path).steps[0].objective == ct.Objective(
        normalisation="rmse", composites=(ct.TorqueError(), penalty)
    )


def test_examples_of_delays_are_read(elsewhere):
    whole, *_ = blocks(CALIBRATION, "xml")
    delay, pole = (
        block
        for block in blocks(CALIBRATION, "xml")
        if block.startswith("<parameter>") and "<prior>" not in block
    )
    path = elsewhere / "subjects" / "gait" / "example.xml"
    head, _, rest = whole.partition("<parameterSet>")
    rest = rest.partition("</parameterSet>")[2]
    for fragment, kinds in ((delay, {"c1", "c2"}), (pole, {"c1"})):
        text = f"{head}<parameterSet>{fragment}</parameterSet>{rest}"
        path.write_text(text, encoding="utf-8")
        specs = ct.CalibrationPlan.read(path).steps[0].parameters
        assert {spec.kind for spec in specs} == kinds
        assert {(spec.range_type, spec.low, spec.high) for spec in specs} == (
            {("timeConstant", 5.0, 50.0)}
        )


# Where the commands of a page are typed.
TYPED_IN = {
    README: "subjects/gait",
    CALIBRATION: ".",
    REPOSITORY / "python" / "EXCITATIONS.md": "subjects/gait_synergies",
    REPOSITORY / "subjects" / "gait" / "README.md": ".",
}
# Enough to see that a command runs; what it finds is tested elsewhere.
SHORTER = {"calibrate": ("--max-iterations", "2")}
TOO_LONG = {"compare", "study", "synergies"}


@pytest.mark.parametrize("page", TYPED_IN, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_run_one_after_the_other(page, elsewhere, monkeypatch):
    monkeypatch.chdir(elsewhere / TYPED_IN[page])
    lines = [shlex.split(line, comments=True) for path, line in shell_lines() if path == page]
    commands = [words[1:] for words in lines if words[0] == "ceinms-torch"]
    done = 0
    for command, file, *options in commands:
        # What needs files that no shipped subject has is left out.
        if command in TOO_LONG or not Path(file).exists():
            continue
        result = run_command(command, file, *options, *SHORTER.get(command, ()))
        assert result.returncode == 0, f"{command} {file} {options}\n{result.stderr}"
        done += 1
    assert done


# ---- Commands, links, names -------------------------------------------------------------


def every_command(group=None):
    """Return all commands by name; those of a group are in it, such as ``study electrodes``."""
    group = group or typer.main.get_command(app)
    result = {}
    for name in group.commands:
        command = group.get_command(None, name)  # which loads it
        inner = every_command(command) if hasattr(command, "commands") else {"": command}
        result |= {f"{name} {rest}".strip(): one for rest, one in inner.items()}
    return result


def check_command(words):
    """Check that the words after ``ceinms-torch`` are a command and options that it has."""
    commands = every_command()
    name = next((n for n in (" ".join(words[:2]), words[0]) if n in commands), None)
    assert name is not None, f"no command {words[0]}"
    params = commands[name].params
    options = {option for param in params for option in (*param.opts, *param.secondary_opts)}
    for word in words[1:]:
        assert not word.startswith("-") or word in options, f"{name} has no option {word}"


def test_quoted_commands_exist():
    checked = 0
    for path, line in shell_lines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            programs = [i for i, word in enumerate(words) if Path(word).name == "ceinms-torch"]
            for i in programs[:1]:
                check_command(words[i + 1 :])
                checked += 1
            script = words[0] if words else ""
            if script.startswith((".ci/", "subjects/")):
                assert (REPOSITORY / script).is_file(), f"{path}: no {script}"
            if words[:1] == ["python"] and words[1].endswith(".py"):
                assert (REPOSITORY / words[1]).is_file(), f"{path}: no {words[1]}"
            for word in words[1:] if words[:1] == ["pytest"] else ():
                name = word.split("::")[0]
                assert not name.startswith("tests") or (REPOSITORY / name).exists(), line
    assert checked >= 5


@pytest.mark.parametrize("path", USERS_PAGES, ids=lambda path: path.name)
def test_options_named_in_prose_exist(path):
    params = [p for c in every_command().values() for p in c.params]
    known = {option for param in params for option in (*param.opts, *param.secondary_opts)}
    for script in (REPOSITORY / "python" / "examples").glob("*.py"):
        known |= set(re.findall(r'add_argument\("(--[\w-]+)"', text_of(script)))
    prose = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    named = {word for code in re.findall(r"`([^`]+)`", prose) for word in code.split()}
    assert {word for word in named if word.startswith("--")} <= known


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_named_in_prose_exist(path):
    prose = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    for code in re.findall(r"`([^`]+)`", prose):
        words = code.split()
        if words[:1] == ["ceinms-torch"] and len(words) > 1:
            check_command(words[1:])


def test_presets_named_exist():
    presets = text_of(REPOSITORY / "CMakePresets.json")
    for _, line in shell_lines():
        for name in re.findall(r"--preset (\S+)", line):
            assert f'"name": "{name}"' in presets


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_to_files_and_headings(path):
    for link, heading in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text_of(path)):
        if "://" in link:
            continue
        target = path.parent / link if link else path
        assert target.exists(), f"{path} links to {link}"
        assert not heading or heading in headings(target), f"{path} links to {link}#{heading}"


def headings(path):
    """Return what links to the headings of a document are spelt like."""
    titles = re.findall(r"^#+ (.*)$", text_of(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_public_names_in_documents_exist():
    names = {name for page in DOCUMENTS for name in re.findall(r"\bct\.(\w+)", text_of(page))}
    assert len(names) > 20
    assert names <= set(ct.__all__)


def test_written_files_are_all_named():
    text = text_of(README)
    files = (*STORAGE_FILES.values(), *RECORDING_FILES.values())
    missing = [name for name in files if f"`{name.removesuffix('.sto')}`" not in text]
    assert missing == []
    for name in ("result.json", "loss_history.csv"):
        assert name in text


def test_map_of_the_core_names_every_header():
    text = text_of(REPOSITORY / "cpp" / "README.md")
    include = REPOSITORY / "cpp" / "include" / "ceinms_torch"
    headers = {str(path.relative_to(include)) for path in include.rglob("*.hpp")}
    named = set(re.findall(r"`(\w+/\w+\.hpp)`", text))
    assert sorted(headers - named) == []
    assert sorted(named - headers) == []


def test_folders_of_tests_are_described():
    text = text_of(REPOSITORY / "tests" / "README.md")
    folders = {path.parent for path in (REPOSITORY / "tests").rglob("test_*")}
    tops = {folder.relative_to(REPOSITORY / "tests").parts[0] for folder in folders}
    assert sorted(name for name in tops if f"`{name}/`" not in text) == []
