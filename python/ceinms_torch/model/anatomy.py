"""What muscles of the usual models do at a joint, to say which of them would make a moment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# By beginning of the DOF's name: two opposite actions, each with what makes it in words, and
# beginnings of the names of such muscles in gait2392, Rajagopal et al. (2016) and Saul et al.
# (2015), without what separates words.
_ACTIONS = {
    "hipflexion": {
        ("flexion", "iliacus, psoas, sartorius"): "iliacus psoas iliopsoas recfem rectfem sart tfl",
        ("extension", "gluteus maximus"): "glmax glutmax semimem semiten bflh bifemlh addmag",
    },
    "hipadduction": {
        ("adduction", "adductors, gracilis"): "addlong addbrev addmag grac pect",
        ("abduction", "gluteus medius and minimus"): "glmed glutmed glmin glutmin tfl",
    },
    "hiprotation": {
        ("external rotation", "piriformis, gemelli"): "peri piri gem quadfem obt glmax glutmax",
        ("internal rotation", "gluteus minimus"): "glmin glutmin tfl",
    },
    "knee": {
        ("extension", "vasti, rectus femoris"): "vaslat vasmed vasint recfem rectfem",
        ("flexion", "hamstrings, gastrocnemii"): "semimem semiten bflh bifemlh bfsh bifemsh gasmed "
        "medgas gaslat latgas sart grac",
    },
    "ankle": {
        ("plantar flexion", "soleus, gastrocnemii"): "soleus gasmed medgas gaslat latgas tibpost "
        "perlong perbrev fdl flexdig fhl flexhal",
        ("dorsiflexion", "tibialis anterior"): "tibant edl extdig ehl exthal pertert",
    },
    "subtalar": {
        ("inversion", "tibialis posterior"): "tibpost tibant fdl flexdig fhl flexhal",
        ("eversion", "peroneus longus and brevis"): "perlong perbrev pertert",
    },
    "elbow": {
        ("flexion", "biceps, brachialis"): "biclong bicshort bicbrev bra brd",
        ("extension", "triceps"): "trilong trilat trimed anc",
    },
    "shoulderelv": {
        ("elevation", "deltoid, supraspinatus"): "delt supsp supraspinatus",
        ("lowering", "latissimus dorsi, teres major"): "lat tmaj teresmaj pecm pectoralismaj",
    },
}
# The same joint's other DOFs, by what their names begin with: those that a model may leave out.
_OF_JOINT = {
    "hip flexion": ("hipflexion", ("hipflex", "hipext")),
    "hip adduction": ("hipadduction", ("hipadd", "hipabd")),
    "hip rotation": ("hiprotation", ("hiprot", "hipint", "hipext")),
    "knee flexion": ("knee", ("knee",)),
    "ankle flexion": ("ankle", ("ankle",)),
    "subtalar inversion": ("subtalar", ("subtalar", "ankleinv", "ankleeve")),
}
_LEG = ("hip", "knee", "ankle", "subtalar")


def serving_muscles(dof: str, arms: Mapping[str, float]) -> tuple[str, str] | None:
    """Return what a positive moment of a DOF is called, and muscles of usual models that make it.

    Parameters
    ----------
    dof : str
        Name of the DOF.
    arms : mapping of str to float
        Mean moment arms of the subject's MTUs [m], which tell what counts as positive; negated,
        for a negative moment.

    Returns
    -------
    (str, str) or None
        Such as "flexion" and "iliacus, psoas, sartorius"; None where names say nothing.
    """
    joint = next((stem for stem in _ACTIONS if _plain(dof).startswith(stem)), None)
    if joint is None:
        return None
    votes = {
        words: sum(
            arm for name, arm in arms.items() if _plain(name).startswith(tuple(muscles.split()))
        )
        for words, muscles in _ACTIONS[joint].items()
    }
    (one, vote), (other, against) = votes.items()
    return None if vote == against else one if vote > against else other


def missing_actions(mtus: Iterable[str], dofs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what muscles of usual models do about joint axes of a leg that no DOF stands for.

    Parameters
    ----------
    mtus : iterable of str
        Names of MTUs.
    dofs : iterable of str
        Names of all DOFs of the subject.

    Returns
    -------
    dict of str to tuple of str
        By axis, such as "hip adduction", the MTUs that act about it; none where names say nothing.
    """
    known = [_plain(one) for one in dofs]
    found: dict[str, tuple[str, ...]] = {}
    if not any(one.startswith(_LEG) for one in known):
        return found
    names = tuple(mtus)
    for axis, (joint, beginnings) in _OF_JOINT.items():
        muscles = tuple(" ".join(_ACTIONS[joint].values()).split())
        acting = tuple(name for name in names if _plain(name).startswith(muscles))
        if acting and not any(one.startswith(beginnings) for one in known):
            found[axis] = acting
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
