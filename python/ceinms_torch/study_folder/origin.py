"""What trials of a study were made from, which CEINMS 0.9 refuses to read in ``inputData.xml``."""

from __future__ import annotations

import json
from pathlib import Path

from ceinms_torch.errors import FileFormatError
from ceinms_torch.io.paths import kind_of
from ceinms_torch.io.source import read_source
from ceinms_torch.study_folder.steps import STUDY_FILE

MOTION, EXTERNAL_LOADS = "motion", "external_loads"
ORIGINS = "made_from"  # the object in study.json, by trial


def origin_of(input_data: Path) -> dict[str, Path]:
    """Return the files of joint angles and ExternalLoads that a trial of a study was made from.

    Parameters
    ----------
    input_data : Path
        The trial's ``inputData.xml``.

    Returns
    -------
    dict of str to Path
        By "motion" and "external_loads", as far as they are known; empty for what
        ``ceinms-torch new`` has not written.

    Raises
    ------
    FileFormatError
        If the study's file is faulty.
    """
    trial, study = input_data.parent.name, input_data.parents[2] / STUDY_FILE
    if kind_of(study) != "file":
        return {}
    text, _ = read_source(study, "the settings of a study")
    try:
        found = json.loads(text)
        names = found.get(ORIGINS, {}).get(trial, {})
        return {
            key: study.parent / names[key] for key in (MOTION, EXTERNAL_LOADS) if names.get(key)
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise FileFormatError(
            where=study,
            expected="what ceinms-torch new wrote",
            got=str(error),
            hint="Run ceinms-torch new again",
        ) from error
