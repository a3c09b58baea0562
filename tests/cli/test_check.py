"""``ceinms-torch check``, and the same check before a calibration."""

import json

import pytest

from command_line import listing, run_command
from helpers import edit

NOTHING = "Files of CEINMS 0.9.\nNothing to report.\n"


def blunt(folder):
    """Make a folder doubtful, not wrong: the MTUs of a parameter are in two groups."""
    edit(folder / "calibration.xml", "<muscles>recfem_r", "<muscles>soleus_r recfem_r")


def break_two_files(folder):
    """Make a folder wrong in two places."""
    (folder / "trial2" / "emg.mot").unlink()
    edit(folder / "trial1" / "lmt.sto", "gasmed_r", "gasmedd_r")


def check(folder, *options, setup="calibrationSetup.xml"):
    return run_command("check", folder / setup, *options, without_torch=folder.parent / "poison")


@pytest.mark.parametrize("setup", ["calibrationSetup.xml", "setup.xml"])
def test_good_folder(tiny_folder, setup):
    before = listing(tiny_folder)
    result = check(tiny_folder, "--strict", setup=setup)
    assert (result.returncode, result.stderr) == (0, "")
    is_calibration = setup == "calibrationSetup.xml"  # its ranges of c1 and c2 are the usual ones
    assert result.stdout.endswith("2 notes.\n" if is_calibration else NOTHING)
    assert listing(tiny_folder) == before


def test_errors_say_what_where_why_and_what_to_do(tiny_folder):
    break_two_files(tiny_folder)
    result = check(tiny_folder)
    assert result.returncode == 1
    assert result.stderr == ""
    assert str(tiny_folder / "trial2" / "emg.mot") in result.stdout
    assert str(tiny_folder / "trial1" / "lmt.sto") in result.stdout
    assert result.stdout.count("error ") == 2
    assert "Did you mean 'gasmedd_r'?" in result.stdout
    assert result.stdout.count("why: ") == result.stdout.count("do:  ") == 3
    assert result.stdout.endswith("1 note. Errors must be mended before anything is run.\n")


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict",), 1)])
def test_warnings_fail_only_if_strict(tiny_folder, options, status):
    blunt(tiny_folder)
    result = check(tiny_folder, *options)
    assert result.returncode == status
    assert "warning mtu-in-two-groups" in result.stdout
    assert result.stdout.endswith("1 warning, 2 notes.\n")


def test_json(tiny_folder):
    break_two_files(tiny_folder)
    blunt(tiny_folder)
    result = check(tiny_folder, "--json")
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report["setup"] == (tiny_folder / "calibrationSetup.xml").as_posix()
    assert report["counts"] == {"error": 2, "warning": 1, "note": 1}
    missing = report["findings"][1]
    assert set(missing) == {"severity", "code", "where", "what", "why", "to_do"}
    assert (missing["severity"], missing["code"]) == ("error", "column-missing")
    assert missing["where"] == {
        "file": (tiny_folder / "trial1" / "lmt.sto").as_posix(),
        "line": 7,
        "element": "gasmed_r",
        "column": None,
        "trial": "trial1",
    }


def test_setup_file_that_is_missing(tmp_path):
    result = run_command("check", tmp_path / "no.xml", "--json", without_torch=tmp_path / "poison")
    assert result.returncode == 1
    (finding,) = json.loads(result.stdout)["findings"]
    assert finding["code"] == "file-missing"


def test_wrong_use(tmp_path):
    assert run_command("check", without_torch=tmp_path / "poison").returncode == 2


def test_legacy_programs_take_more(tiny_folder):
    edit(tiny_folder / "calibration.xml", "0.5 2.5", "1.5 2.5")
    moved = "warning start-outside-range"
    assert moved in check(tiny_folder).stdout
    assert moved not in check(tiny_folder, "--legacy").stdout


def test_calibration_stops_at_errors(tiny_folder):
    break_two_files(tiny_folder)
    before = listing(tiny_folder)
    result = run_command("calibrate", tiny_folder / "calibrationSetup.xml")
    assert result.returncode == 1
    assert [line[:7] for line in result.stderr.splitlines()] == ["error: "] * 2
    assert listing(tiny_folder) == before


def test_calibration_goes_on_after_warnings_and_keeps_them(tiny_folder):
    blunt(tiny_folder)
    result = run_command(
        "calibrate", tiny_folder / "calibrationSetup.xml", "--max-iterations", 2, "--quiet"
    )
    assert result.returncode == 0, result.stderr
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 1
    assert "soleus_r in strengthCoefficient: named more than once" in warnings[0]
    written = tiny_folder / "calibrationSetup_results" / "result.json"
    findings = json.loads(written.read_text())["findings"]
    assert [one["code"] for one in findings] == [
        "mtu-in-two-groups",
        "activation-delay",
        "curve-example",
    ]


def test_doubts_of_readers_are_shown_once(tiny_folder):
    edit(tiny_folder / "subject.xml", "<emDelay>0.015", "<other/><emDelay>0.015")
    edit(tiny_folder / "calibration.xml", "<parameter>", REPEATED + "<parameter>")
    result = run_command(
        "calibrate", tiny_folder / "calibrationSetup.xml", "--max-iterations", 2, "--quiet"
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("the first one counts") == 1


REPEATED = """<parameter>
          <name>c1</name>
          <single/>
          <absolute>
            <range>-0.9 -0.1</range>
          </absolute>
        </parameter>
        """
