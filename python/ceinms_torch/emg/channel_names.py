"""Which muscle an electrode's label means, and which MTUs are that muscle.

Labels are read as lists of electrodes have them: Latin ("vastus lateralis", "M. deltoideus pars
acromialis", as SENIAM does), English ("lateral gastrocnemius", "middle deltoid"), shortened words
of both ("GastrocMed", "bic fem"), the usual initials ("TA", "MG", "LD"), and names of MTUs. MTUs
are those of gait2392, of Rajagopal et al. 2016 with its successors, of the thoracoscapular shoulder
(Seth et al. 2019), and of the upper limb of Saul et al. 2015 and Wu et al. 2016.
"""

# ruff: noqa: E501  a table of muscles, a line each
from __future__ import annotations

import functools
import re
from dataclasses import dataclass

# Words of both languages by what they are shortened to; any beginning of three letters or more of a
# word stands for it, unless it is a key itself.
_WORDS = {
    "add": "adductor adductors",
    "ant": "anterior front",
    "bic": "biceps",
    "brach": "brachii",
    "brachialis": "brachialis",
    "brachiorad": "brachioradialis",
    "brev": "brevis short",
    "clav": "clavicular clavicularis clavicle",
    "delt": "deltoid deltoideus deltoids",
    "dors": "dorsi",
    "fem": "femoris femoral",
    "gas": "gastrocnemius gastrocs",
    "glut": "gluteus glutaeus gluteal",
    "grac": "gracilis",
    "ham": "hamstrings hamstring",
    "iliacus": "iliacus",
    "iliopsoas": "iliopsoas",
    "inf": "inferior lower ascendens ascending",
    "infra": "infraspinatus",
    "int": "intermedius intermediate",
    "lat": "lateral lateralis",
    "latiss": "latissimus",
    "long": "longus longum",
    "mag": "magnus",
    "maj": "major",
    "max": "maximus",
    "med": "medial medialis medius middle acromial acromialis transversus transverse",
    "min": "minor minimus",
    "pec": "pectoralis",
    "per": "peroneus peroneal fibularis fibular",
    "post": "posterior rear spinalis spinal",
    "psoas": "psoas",
    "rec": "rectus",
    "sart": "sartorius",
    "semimem": "semimembranosus",
    "semiten": "semitendinosus",
    "serr": "serratus",
    "sol": "soleus",
    "stern": "sternal sternalis sternocostal sternocostalis",
    "subscap": "subscapularis",
    "sup": "superior upper descendens descending",
    "supra": "supraspinatus",
    "ter": "teres",
    "tfl": "tensor",
    "tib": "tibialis",
    "trap": "trapezius",
    "tric": "triceps",
    "vas": "vastus",
}
# Words that say nothing about the muscle.
_NOISE = re.compile(
    r"(emg|raw|ch(annel)?|sensor|trigno|avanti|delsys|noraxon|cometa|voltage|analog|semg|m|musculus|"
    r"muscle|fasciae?|latae?|pars|caput|head|of|the|fiber|fibers|fibre|fibres|part|im|mv|v|uv|\d+)"
)
_SIDES = {
    **dict.fromkeys(("r", "right", "dx", "rt", "rechts", "re", "dexter"), "r"),
    **dict.fromkeys(("l", "left", "sx", "lt", "links", "li", "sinister"), "l"),
}


@dataclass(frozen=True)
class Muscle:
    """A muscle, or a part of one, that an electrode lies on.

    Parameters
    ----------
    name : str
        Latin.
    words : tuple of frozenset of str
        Keys of words that a label has when it means this muscle; one set of them.
    initials : tuple of str
        Of labels that are shorter.
    own : str
        Regular expression of its MTUs, without the side, in lower case.
    lent : str
        Of MTUs nearby that are driven by it, too, as long as they have no electrode of their own.
    """

    name: str
    words: tuple[frozenset[str], ...]
    initials: tuple[str, ...]
    own: str
    lent: str = "(?!)"

    def has(self, mtu: str) -> bool:
        """Tell whether an MTU is this muscle."""
        return re.fullmatch(self.own, stem(mtu)) is not None

    def lends_to(self, mtu: str) -> bool:
        """Tell whether an MTU may be driven by this muscle's electrode."""
        return re.fullmatch(self.lent, stem(mtu)) is not None


def _muscle(name: str, words: str, initials: str, own: str, lent: str = "(?!)") -> Muscle:
    sets = tuple(frozenset(one.split()) for one in words.split("|"))
    return Muscle(name, sets, tuple(initials.split()), own, lent)


# Which MTUs an electrode drives beside its own: Sartori et al. 2014, table 1; Durandau et al. 2019.
MUSCLES = (
    _muscle("soleus", "sol", "so sol", "soleus"),
    _muscle("gastrocnemius medialis", "gas med", "gm mg gmed gam", "med_gas|gasmed", "lat_gas|gaslat"),
    _muscle("gastrocnemius lateralis", "gas lat", "gl lg glat gal", "lat_gas|gaslat", "med_gas|gasmed"),
    _muscle("gastrocnemius", "gas", "ga gas gc", "(med|lat)_gas|gas(med|lat)"),
    _muscle("tibialis anterior", "tib ant", "ta", "tib_?ant"),
    _muscle("tibialis posterior", "tib post", "tp", "tib_?post"),
    _muscle("peroneus longus", "per long|per", "pl perl fl", "per_?long", "per_?brev"),
    _muscle("peroneus brevis", "per brev", "pb", "per_?brev", "per_?long"),
    _muscle("vastus lateralis", "vas lat", "vl", "vas_?lat", "vas_?int"),
    _muscle("vastus medialis", "vas med", "vm vmo", "vas_?med", "vas_?int"),
    _muscle("vastus intermedius", "vas int", "vi", "vas_?int"),
    _muscle("rectus femoris", "rec fem|rec", "rf", "rect?_?fem"),
    _muscle("biceps femoris", "bic fem|bic fem long|ham lat", "bf bflh bfl lh", "bifemlh|bflh", "bifemsh|bfsh"),
    _muscle("biceps femoris, short head", "bic fem brev", "bfsh bfs", "bifemsh|bfsh"),
    _muscle("semitendinosus", "semiten", "st semit", "semiten", "semimem"),
    _muscle("semimembranosus", "semimem", "sm semim", "semimem", "semiten"),
    _muscle("medial hamstrings", "ham med", "mh", "semimem|semiten"),
    _muscle("hamstrings", "ham", "ham hams", "semimem|semiten|bifemlh|bflh", "bifemsh|bfsh"),
    _muscle("gluteus maximus", "glut max", "gm gmax glmax gmx", "(glut_max|glmax)\\d?"),
    _muscle("gluteus medius", "glut med", "gm gmed glmed gmd", "(glut_med|glmed)\\d?", "(glut_min|glmin)\\d?"),
    _muscle("tensor fasciae latae", "tfl", "tfl", "tfl"),
    _muscle("sartorius", "sart", "sa sar", "sart?"),
    _muscle("gracilis", "grac", "gr gra", "grac"),
    _muscle("adductor longus", "add long", "al addl", "add_?long", "add_?brev"),
    _muscle("adductor magnus", "add mag", "am addm", "add_?mag(\\d|dist|isch|mid|prox)"),
    _muscle("adductors", "add", "ad add", "add_?(long|brev|mag(\\d|dist|isch|mid|prox))"),
    _muscle("iliopsoas", "iliopsoas", "ip il", "iliacus|psoas"),
    _muscle("deltoideus, anterior", "delt ant|delt clav", "ad da delta adelt", "deltoideusclavicle_a|delt1"),
    _muscle("deltoideus, middle", "delt med|delt lat|delt", "md dm deltm mdelt", "deltoideusscapula_m|delt2"),
    _muscle("deltoideus, posterior", "delt post", "pd dp deltp pdelt", "deltoideusscapula_p|delt3"),
    _muscle("trapezius, upper", "trap sup", "ts ut tu trapu", "trapezius(scapula|clavicle)_s|trp1"),
    _muscle("trapezius, middle", "trap med", "tm mt trapm", "trapeziusscapula_m|trp[23]"),
    _muscle("trapezius, lower", "trap inf", "ti lt tl trapl", "trapeziusscapula_i|trp4"),
    _muscle("infraspinatus", "infra", "is inf infsp isp", "infraspinatus_.|infsp"),
    _muscle("supraspinatus", "supra", "ss sup supsp ssp", "supraspinatus_.|supsp"),
    _muscle("subscapularis", "subscap", "sub subsc ssc", "subscapularis_.|subsc"),
    _muscle("serratus anterior", "serr ant|serr", "sa", "serratusanterior_.|sra\\d"),
    _muscle("latissimus dorsi", "latiss dors|latiss|lat dors", "ld latd lats", "latissimusdorsi_.|lat\\d?"),
    _muscle("pectoralis major, clavicular", "pec maj clav|pec clav", "pmc pecc pmclav", "pectoralismajorclavicle_s|pecm1"),
    _muscle("pectoralis major, sternal", "pec maj stern|pec stern", "pms pecs pmsternal", "pectoralismajorthorax_.|pecm[23]"),
    _muscle("pectoralis major", "pec maj|pec", "pm pec", "pectoralismajor(clavicle|thorax)_.|pecm\\d"),
    _muscle("teres major", "ter maj", "tm tmaj tmajor", "teresmajor|tmaj"),
    _muscle("teres minor", "ter min", "tmin tminor", "teresminor|tmin"),
    _muscle("biceps brachii", "bic brach|bic", "bb bi bic", "bic_?(long|brevis|short|l|b)"),
    _muscle("triceps brachii, long head", "tric long|tric brach long", "trilong tlh", "tri_?(long|lon)|tric_long"),
    _muscle("triceps brachii, lateral head", "tric lat|tric brach lat", "trilat tlat", "tri_?lat"),
    _muscle("triceps brachii", "tric brach|tric", "tb tri", "tri_?(long|lat|med|lon)|tric_long"),
    _muscle("brachialis", "brachialis", "br bra", "brachialis|bra"),
    _muscle("brachioradialis", "brachiorad", "brd brachrad", "brachioradialis|brd"),
)  # fmt: skip


def side(label: str) -> str | None:
    """Return which side a label or the name of an MTU says.

    Parameters
    ----------
    label : str
        Such as "R_VL", "RVL", "soleus_r" or "left biceps".

    Returns
    -------
    str or None
        "r", "l", or None where it says none.
    """
    words, sides = _parted(label)
    joined = "".join(words)
    if not sides and joined[:1] in ("r", "l") and not _of_initials(joined):
        sides = {joined[0]} if _of_initials(joined[1:]) else set()
    return sides.pop() if len(sides) == 1 else None


def _parted(label: str) -> tuple[list[str], set[str]]:
    """Return the words of a label that tell the muscle, and the sides that others say."""
    words = _split(label)
    telling = [word for word in words if word not in _SIDES and not _NOISE.fullmatch(word)]
    if not telling:  # LT is a lower trapezius
        return words, set()
    return telling, {_SIDES[word] for word in words if word in _SIDES}


def stem(name: str) -> str:
    """Return a name in lower case without its side."""
    return re.sub(r"^[rl]_|_[rl]$", "", name.strip().casefold())


def _split(label: str) -> list[str]:
    """Return the words of a label: at signs, and where a capital follows a small letter."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", label)
    return [word for word in re.split(r"[\W_]+", apart.casefold()) if word]


@functools.cache
def _key(word: str) -> str | None:
    """Return what a word is shortened to, or None for one that no list of electrodes has."""
    if word in _WORDS:
        return word
    fitting = {
        key
        for key, words in _WORDS.items()
        if any(full == word or (len(word) >= 3 and full.startswith(word)) for full in words.split())
    }
    return fitting.pop() if len(fitting) == 1 else None


def muscles_of(label: str) -> tuple[Muscle, ...]:
    """Return the muscles that an electrode's label may mean.

    Parameters
    ----------
    label : str
        The channel's name.

    Returns
    -------
    tuple of Muscle
        Several where initials are used for several, such as GM; empty where nothing is known.
    """
    by_mtu = tuple(one for one in MUSCLES if one.has(label))[:1]  # those of parts come first
    if by_mtu:
        return by_mtu
    words, _ = _parted(label)
    keys = [_key(word) for word in words]
    if words and None not in keys:
        meant = tuple(one for one in MUSCLES if frozenset(keys) in one.words)
        if meant:
            return meant
    joined = "".join(words)
    by_initials = _of_initials(joined)
    if not by_initials and joined[:1] in ("r", "l"):  # RVL, LTA
        by_initials = _of_initials(joined[1:])
    return by_initials or _of_joined(joined)


def _of_initials(text: str) -> tuple[Muscle, ...]:
    return tuple(one for one in MUSCLES if text in one.initials)


def _of_joined(text: str) -> tuple[Muscle, ...]:
    """Return the muscles whose words, shortened and joined, are a text: vaslat, recfem."""
    return tuple(one for one in MUSCLES if any(_is_joined(text, set(words)) for words in one.words))


def _is_joined(text: str, keys: set[str]) -> bool:
    if not keys:
        return not text
    return any(
        _key(text[:n]) == key and _is_joined(text[n:], keys - {key})
        for key in keys
        for n in range(3, len(text) + 1)
    )
