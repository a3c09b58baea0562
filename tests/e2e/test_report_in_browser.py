"""The report in a browser: no errors, every figure has a size, values are read off.

Chromium runs as a process of its own. A copy of the page gets one more script, which does what a
reader does and leaves what it saw in the document.
"""

import json
import shutil
import subprocess

import pytest
from lxml import html

from ceinms_torch.report.figures import report_figures
from ceinms_torch.report.html import SECTIONS, write_report
from ceinms_torch.results.read import load_results
from command_line import run_command

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless",
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
)
READER = """
{
const seen = { sizes: {} };
seen.requests = performance.getEntriesByType("resource").map((one) => one.name);
for (const group of document.querySelectorAll("select")) {
  group.value = "all";
  group.dispatchEvent(new Event("change"));
}
for (const figure of document.querySelectorAll("figure")) {
  const box = figure.querySelector("svg").getBoundingClientRect();
  seen.sizes[figure.id] = [box.width, box.height];
}
seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const figure = document.querySelector("#figure-moments_trial1");
figure.scrollIntoView();
const svg = figure.querySelector("svg");
const [panel] = JSON.parse(figure.querySelector("script.values").textContent);
const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
const place = svg.getBoundingClientRect();
svg.dispatchEvent(new PointerEvent("pointermove", {
  clientX: place.left + scale * panel.box[0],
  clientY: place.top + (scale * (panel.box[1] + panel.box[3])) / 2,
}));
seen.readout = figure.querySelector(".readout").innerText;
const table = document.querySelector("table.filtered");
const rows = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
seen.all = rows().length;
const input = document.querySelector("#parameters input");
input.value = "tendonSlack soleus";
input.dispatchEvent(new Event("input"));
seen.filtered = rows().map((row) => row.textContent);
input.value = "";
input.dispatchEvent(new Event("input"));
table.tHead.querySelectorAll("button")[5].click();
seen.sorted = rows().map((row) => parseFloat(row.cells[5].textContent));
document.body.dataset.seen = JSON.stringify(seen);
}
"""


def browse(page, profile, *flags):
    """Load a page; return its document after all scripts ran, and what the console said."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH (Debian: apt-get install chromium)")
    result = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=300.0,
        check=True,
    )
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    return html.fromstring(result.stdout), console


def read_by_a_reader(page, tmp_path, width):
    """Return what `READER` saw on the page at a width."""
    copy = tmp_path / "read.html"
    text = page.read_text(encoding="utf-8")
    copy.write_text(text.replace("</body>", f"<script>{READER}</script></body>"), encoding="utf-8")
    tree, console = browse(copy, tmp_path / "profile", f"--window-size={width},900")
    assert console == []
    return json.loads(tree.find("body").get("data-seen"))


@pytest.fixture(scope="module")
def report(saved_folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    results = load_results([saved_folder])
    write_report(results, path)
    return results, path


def test_console_is_heard(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text("<!DOCTYPE html><title>x</title><script>nothing.here</script>")
    _, console = browse(page, tmp_path / "profile")
    assert len(console) == 1
    assert "nothing is not defined" in console[0]


@pytest.mark.parametrize("width", [1280, 500])  # no window of Chromium is narrower than 500
def test_page_as_readers_use_it(report, tmp_path, width):
    results, path = report
    seen = read_by_a_reader(path, tmp_path, width)
    assert seen["requests"] == []
    assert seen["overflow"] <= 0  # tables scroll, the page does not
    assert set(seen["sizes"]) == {f"figure-{one.name}" for one in report_figures(results)}
    for name, (wide, high) in seen["sizes"].items():
        assert wide > 250, name
        assert high > 60, name
    trial = results[0].trials[0]
    dof = results[0].subject.dof_names[0]
    # The pointer is at the first frame.
    assert f"measured: {trial.measured_moment[dof][0]:.4g}" in seen["readout"]
    assert f"predicted: {trial.simulation.joint_moment[dof][0]:.4g}" in seen["readout"]
    assert "Moment [N m]" in seen["readout"]
    assert "Time [s]: 0" in seen["readout"]
    assert seen["all"] == len(results[0].parameters)
    assert len(seen["filtered"]) == 1
    assert "tendonSlackLength" in seen["filtered"][0]
    assert seen["sorted"] == sorted(seen["sorted"])


def test_lower_limb_of_twelve_mtus_and_nine_trials(shared_dir, tmp_path):
    folder = shared_dir / "data" / "lower_limb" / "ceinms"
    trials = [
        f"{kind}_c{number}" for kind in ("walk36", "walk45", "run81") for number in ("02", "08")
    ]
    tests = [
        argument
        for name in trials
        for argument in ("--test", folder / "trials" / name / "inputData.xml")
    ]
    out = tmp_path / "results"
    setup = folder / "calibrate_elastic.xml"
    result = run_command("calibrate", setup, "--out", out, "--quiet", *tests)
    assert result.returncode == 0, result.stderr
    result = run_command("report", out)
    assert result.returncode == 0, result.stderr
    page = out / "report.html"
    assert page.stat().st_size < 6_000_000
    tree, console = browse(page, tmp_path / "profile", "--window-size=1280,900")
    assert console == []
    assert [section.get("id") for section in tree.iter("section")] == list(SECTIONS)
    (saved,) = load_results([out])
    assert len(saved.subject.mtus) == 12
    assert len(saved.trials) + len(saved.tests) == 9
    assert len(list(tree.iter("svg"))) == len(report_figures([saved]))
