"""The page: whole, linked, self-contained, and safe against what names may hold."""

import re
from dataclasses import replace

import pytest
from lxml import html

from ceinms_torch.calibration.identifiability import Loading, OpenDirection
from ceinms_torch.errors import OptionError
from ceinms_torch.report import html as page
from ceinms_torch.report.figures import file_name, report_figures
from ceinms_torch.report.references import REFERENCES, references_of
from ceinms_torch.report.tables import (
    direction_sentences,
    fit_rows,
    provenance_rows,
)
from ceinms_torch.results.read import load_results
from helpers import DOF_NAMES

FINDING = {
    "severity": "warning",
    "code": "flat-emg",
    "what": "EMG of soleus_r is flat",
    "where": {
        "file": "trial1/emg.mot",
        "line": 7,
        "element": None,
        "column": "soleus_r_emg",
        "trial": "trial1",
    },
    "why": "a flat signal drives nothing",
    "to_do": "check <b>the electrode</b>",
}


@pytest.fixture(scope="module")
def results(saved_folder, annealed_folder):
    """Two results; the first has findings and a label that is no HTML."""
    first, second = load_results([saved_folder, annealed_folder])
    provenance = replace(first.provenance, findings=(FINDING,), warnings=("odd & strange",))
    return replace(first, label="<b>&first", provenance=provenance), second


@pytest.fixture(scope="module")
def text(results):
    return page.render_report(results)


@pytest.fixture(scope="module")
def tree(text):
    return html.fromstring(text)


def test_every_section_is_there_and_linked(tree):
    assert [section.get("id") for section in tree.iter("section")] == list(page.SECTIONS)
    for section in tree.iter("section"):
        (heading,) = section.findall("h2")
        assert heading.text == page.SECTIONS[section.get("id")]
        assert len(section.text_content().split()) > 10, section.get("id")


def test_links_lead_to_places_of_the_page(tree):
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    links = [link.get("href") for link in tree.iter("a")]
    assert len(links) > len(page.SECTIONS)
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_every_figure_is_drawn_once_in_its_section(tree, results):
    figures = report_figures(results)
    assert len({figure.name for figure in figures}) == len(figures)
    places = {figure.get("id"): figure for figure in tree.iter("figure")}
    assert set(places) == {f"figure-{figure.name}" for figure in figures}
    for figure in figures:
        place = places[f"figure-{figure.name}"]
        (svg,) = place.iter("svg")
        assert svg.get("aria-label") == figure.caption
        assert place.find("figcaption").text == figure.caption
        assert len(list(svg.iter("path"))) > 5
        (home,) = [one.get("id") for one in place.iterancestors("section")]
        assert home == {"moment_trials": "moments"}.get(figure.section, figure.section)


def test_nothing_is_loaded_from_elsewhere(text, tree):
    for element in tree.iter():
        for name, value in element.items():
            if name in {"src", "href", "xlink:href", "action", "data"}:
                assert value.startswith(("#", "data:")), (element.tag, name, value)
    assert not re.search(r"url\((?!#)|@import", text)
    assert tree.xpath("//link/@href") == ["data:,"]


def test_page_suits_phones_and_readers(tree):
    assert tree.get("lang") == "en"
    assert "width=device-width" in tree.xpath("//meta[@name='viewport']/@content")[0]
    levels = [int(element.tag[1]) for element in tree.iter("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for table in tree.iter("table"):
        assert "scroll" in table.getparent().get("class")
        assert all(head.get("scope") for head in table.xpath(".//th[text()]"))


def test_names_are_text(text, tree):
    assert "<b>&first" not in text
    assert "<b>the electrode" not in text
    title = tree.findtext("head/title")
    assert title == "Calibration report: <b>&first, annealing"


def test_findings_and_warnings_are_told(tree):
    (section,) = tree.xpath("//section[@id='findings']")
    words = section.text_content()
    for name in ("code", "what", "why", "to_do"):
        assert FINDING[name] in words
    assert "Warning" in words
    assert "trial1/emg.mot:7: soleus_r_emg" in words
    assert "odd & strange" in words


def test_figures_as_files_are_those_of_the_page(results, tmp_path):
    files = page.write_figures(results[1:], tmp_path / "figures", suffix="svg")
    names = [figure.name for figure in report_figures(results[1:])]
    assert [file.stem for file in files] == names
    for file in files:
        texts = html.fromstring(file.read_bytes()).xpath("//*[local-name() = 'text']/text()")
        assert any("[" in text for text in texts), file  # units, as text
    with pytest.raises(OptionError, match="format: expected one of png, svg, got 'pdf'"):
        page.write_figures(results, tmp_path / "none", suffix="pdf")


# ---- Tables -----------------------------------------------------------------------------


def test_fit_table_has_every_trial_and_the_means(results):
    rows = fit_rows(results)
    first, second = results
    knee = [row for row in rows if row["dof"] == DOF_NAMES[0]]
    assert [(row["trial"], row["role"]) for row in knee] == [
        ("mean", "calibration"),
        ("mean", "test"),
        ("trial1", "calibration"),
        ("trial2", "calibration"),
        ("trial3", "test"),
    ]
    fit = first.tests[0].fit[DOF_NAMES[0]]
    assert knee[4]["figures"][0][:2] == [f"{fit.rmse:#.3g}".rstrip("."), f"{fit.r2:.3f}"]
    assert knee[4]["figures"][1] == ["–"] * 3  # the second result has no such trial
    mean = sum(trial.fit[DOF_NAMES[0]].rmse for trial in second.trials) / len(second.trials)
    assert knee[0]["figures"][1][0] == f"{mean:#.3g}".rstrip(".")


def test_table_of_activation_delays(results, tree):
    rows = tree.xpath("//section[@id='activations']//tbody/tr")
    cells = [[cell.text for cell in row][-5:] for row in rows]
    expected = [
        (mtu, result.start_activation_delays[mtu], ms)
        for result in results
        for mtu, ms in result.activation_delays.items()
    ]
    assert [row[0] for row in cells] == [mtu for mtu, *_ in expected]
    for row, (_, *delays) in zip(cells, expected, strict=True):
        assert list(map(float, row[3:])) == pytest.approx(delays, rel=5e-3)  # three digits


def test_parameter_table_has_every_parameter(results, tree):
    heads = [head.text for head in tree.xpath("//table[contains(@class, 'filtered')]//th")]
    cells = [
        [cell.text for cell in row]
        for row in tree.xpath("//table[contains(@class, 'filtered')]/tbody/tr")
    ]
    rows = [dict(zip(heads, row, strict=True)) for row in cells]
    assert len(rows) == sum(len(result.parameters) for result in results)
    for row, one in zip(rows, results[0].parameters, strict=False):
        assert float(row["Value"]) == pytest.approx(one.value, rel=1e-3)
        assert (row["95 % interval"] == "–") == (one.interval is None)
    assert {row["Certainty"] for row in rows[len(results[0].parameters) :]} == {"–"}
    units = {row["Parameter"]: row["Unit"] for row in rows}
    assert units["tendonSlackLength"] == "m"


def test_directions_are_put_in_words(results):
    def loading(name, mtu, value):
        return Loading(name=name, mtus=(mtu,), loading=value)

    directions = [
        [loading("c1", "soleus_r", 0.7), loading("c2", "soleus_r", -0.7)],
        [loading("tendonSlackLength", "soleus_r", 0.8), loading("damping", "gasmed_r", -0.6)],
        [loading("shapeFactor", "recfem_r", 1.0)],
    ]
    found = replace(
        results[0].identifiability,
        directions=tuple(
            OpenDirection(singular_value=0.0, loadings=tuple(one)) for one in directions
        ),
    )
    result = replace(results[0], identifiability=found)
    swap, traded, alone = direction_sentences(result)
    assert swap.startswith("c1 against c2 of soleus_r:")
    assert (
        traded == "tendonSlackLength of soleus_r up (80 %) while damping of gasmed_r down (60 %)."
    )
    assert alone == "shapeFactor of recfem_r up (100 %), alone."
    assert direction_sentences(results[1]) == []


def test_provenance_tells_how_to_repeat_it(results):
    rows = dict(provenance_rows(results))
    assert rows["command"][0].startswith("ceinms-torch calibrate ")
    assert "--max-iterations 25" in rows["command"][0]
    assert rows["seed"] == [str(result.seed) for result in results]
    assert rows["option maxIterations"] == ["25", "–"]
    assert rows["version of ceinms-torch"][0] == results[0].provenance.versions["ceinms-torch"]


def test_references_are_those_of_the_methods_that_ran(results):
    def titles(*chosen):
        return {one.what for one in references_of(chosen)}

    by_gradient, annealed = titles(results[0]), titles(results[1])
    assert "Levenberg-Marquardt: scaled damping" in by_gradient
    assert "Elastic tendon, integrated by a Rosenbrock step" in by_gradient
    assert "Simulated annealing" in annealed
    assert not {"Simulated annealing", "AdamW", "Muscle and tendon curves"} & by_gradient
    assert not {"Calibration by gradient through the model"} & annealed
    assert titles(*results) == by_gradient | annealed
    polished = replace(results[0], method="adamw", polished=True)
    assert {"AdamW", "Levenberg-Marquardt: scaled damping"} <= titles(polished)
    assert all(re.search(r"\(\d{4}\)|Hambly", one.citation) for one in REFERENCES)


def test_file_names_hold_nothing_odd_and_differ(results):
    assert file_name("walk fast/3 (é)") == "walk_fast_3____"
    trial = results[0].trials[0]
    trials = tuple(replace(trial, name=name) for name in ("a b", "a_b", "a/b"))
    names = [one.name for one in report_figures([replace(results[0], trials=trials)])]
    assert {"moments_a_b", "moments_a_b_2", "moments_a_b_3"} <= set(names)
    assert len(set(names)) == len(names)
