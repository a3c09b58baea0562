"""A lab with several people: copies of the shipped subject, each with activations of its own."""

import shutil

from ceinms_torch import CohortStudy


def write_study(folder, gait_folder, n_subject, *, header="subject,condition,setup,tests,age"):
    """Write a study of copies of the shipped subject, and return it.

    The calibration trials are one each, so that a calibration takes no time worth mentioning.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [header]
    for number in range(n_subject):
        name = f"p{number}"
        shutil.copytree(gait_folder, folder / name)
        calibration = folder / name / "calibration.xml"
        text = calibration.read_text()
        first, _, rest = text.partition("<trialSet>")
        files, _, end = rest.partition("</trialSet>")
        calibration.write_text(f"{first}<trialSet>{files.split()[0]}</trialSet>{end}")
        subject = folder / name / "subjectUncalibrated.xml"
        text = subject.read_text().replace("<shapeFactor>-1.5", f"<shapeFactor>-1.{number}")
        subject.write_text(text)
        run = folder / name / "run_walk_145.xml"
        text = run.read_text().replace("results/subjectCalibrated.xml", subject.name)
        run.write_text(text)
        lines.append(f"P{number},walk,{name}/calibrate.xml,{name}/trials/walk_115,{20 + number}")
    file = folder / "study.csv"
    file.write_text("\n".join(lines) + "\n")
    return CohortStudy.read(file)


def numbers_of(value):
    """Return a result.json without what differs between two runs: times, versions, the command."""
    if isinstance(value, dict):
        left_out = {"seconds", "command", "files", "inputs"}
        return {name: numbers_of(one) for name, one in value.items() if name not in left_out}
    return [numbers_of(one) for one in value] if isinstance(value, list) else value
