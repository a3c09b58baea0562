"""Maps of channels: written and read again, checked against labels, proposed from names."""

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.emg.channel_names import MUSCLES, muscles_of, side

MAP = ct.EmgMap(
    channels={
        "VL": {"vaslat_r": 1.0, "vasint_r": 0.5},
        "VM": {"vasmed_r": 1.0, "vasint_r": 0.5},
        "Sensor 4": {"soleus_r": 1.0},
    }
)
RAJAGOPAL = re.findall(
    r"\w+",
    "addbrev addlong addmagDist addmagIsch addmagMid addmagProx bflh bfsh edl ehl fdl fhl gaslat "
    "gasmed glmax1 glmax2 glmax3 glmed1 glmed2 glmed3 glmin1 glmin2 glmin3 grac iliacus perbrev "
    "perlong piri psoas recfem sart semimem semiten soleus tfl tibant tibpost vasint vaslat vasmed",
)
BOTH_SIDES = [f"{name}_{end}" for name in RAJAGOPAL for end in "rl"]


def test_a_map_is_written_and_read_again(tmp_path):
    MAP.write(tmp_path / "emg.toml", ["look"])
    assert ct.EmgMap.read(tmp_path / "emg.toml") == MAP


NAMES = st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable())


@given(
    channels=st.dictionaries(
        NAMES,
        st.dictionaries(NAMES, st.floats(1e-3, 1.0), min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    )
)
def test_any_names_survive(tmp_path_factory, channels):
    file = tmp_path_factory.mktemp("map") / "emg.toml"
    one = _map(channels)
    one.write(file)
    with_six_digits = {
        name: {mtu: float(f"{weight:g}") for mtu, weight in mtus.items()}
        for name, mtus in channels.items()
    }
    assert tuple(one.relabelled) == tuple(channels)
    assert _read(file).channels == with_six_digits


@pytest.mark.filterwarnings("ignore:.*weights add up")
def _map(channels):
    import warnings  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ct.CeinmsTorchWarning)
        return ct.EmgMap(channels=channels, relabelled=tuple(channels))


def _read(file):
    import warnings  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ct.CeinmsTorchWarning)
        return ct.EmgMap.read(file)


def test_short_ways_to_write_it(tmp_path):
    (tmp_path / "emg.toml").write_text(
        '[channels]\nSOL = "soleus_r"\nBF = ["bflh_r", "bfsh_r"]\nTA = {tibant_r = 1}\n'
    )
    assert ct.EmgMap.read(tmp_path / "emg.toml").channels == {
        "SOL": {"soleus_r": 1.0},
        "BF": {"bflh_r": 1.0, "bfsh_r": 1.0},
        "TA": {"tibant_r": 1.0},
    }


def test_it_is_an_excitation_generator():
    generator = MAP.excitation_generator([*MAP.mtus, "psoas_r"])
    assert generator.input_signals == ("VL", "VM", "Sensor 4")
    by_mtu = {one.id: dict(one.inputs) for one in generator.excitations}
    assert by_mtu["vasint_r"] == {"VL": 0.5, "VM": 0.5}
    assert by_mtu["psoas_r"] == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[channels]\nVL vaslat_r", "2: expected TOML"),
        ("[channel]\nVL = 'vaslat_r'", r"a table \[channels\].*got 'channel'"),
        ("x = 1", "a table"),
        ("[channels]\nVL = 3", "2: VL: expected an MTU, a list of MTUs, or weights"),
        ("[channels]\nVL = {vaslat_r = 'a'}", "2: VL: expected an MTU"),
        ("[channels]\n\nVL = {vaslat_r = 0}", "3: VL, vaslat_r: expected a weight above 0, got 0"),
        ("[channels]\nVL = []", "2: VL: expected one MTU at least"),
        ("[channels]", "one channel at least"),
        ("relabelled = ['VM']\n[channels]\nVL = 'vaslat_r'", "1: relabelled: .*got 'VM'"),
        ("relabelled = 3\n[channels]\nVL = 'vaslat_r'", "1: relabelled: expected a list"),
    ],
)
def test_what_is_no_map_is_refused(text, expected, tmp_path):
    (tmp_path / "emg.toml").write_text(text)
    with pytest.raises((ct.DataError, ct.FileFormatError), match=expected):
        ct.EmgMap.read(tmp_path / "emg.toml")


def test_weights_above_one_are_doubtful():
    with pytest.warns(ct.CeinmsTorchWarning, match="more than 1 for soleus_r"):
        ct.EmgMap(channels={"a": {"soleus_r": 0.7}, "b": {"soleus_r": 0.7}})


@pytest.mark.parametrize(
    ("channels", "code", "text"),
    [
        (
            {"TA": {"soleus_r": 1.0}, "SOL": {"tibant_r": 1.0}},
            "emg-map-muscle",
            "TA: expected MTUs of tibialis anterior, as the label says, got soleus_r",
        ),
        (
            {"vastus_lateralis": {"bflh_r": 1.0, "bfsh_r": 1.0}},
            "emg-map-muscle",
            "MTUs of vastus lateralis",
        ),
        ({"L_VL": {"vaslat_r": 1.0}}, "emg-map-side", "MTUs of the left side"),
        ({"RTA": {"tibant_l": 1.0}}, "emg-map-side", "MTUs of the right side"),
    ],
)
def test_swapped_channels_are_named(channels, code, text):
    with pytest.raises(ct.DataError, match=text) as caught:
        ct.EmgMap(channels=channels)
    assert caught.value.code == code
    assert "relabelled = [" in str(caught.value)
    ct.EmgMap(channels=channels, relabelled=tuple(channels))


def test_a_map_may_say_more_than_labels():
    ct.EmgMap(
        channels={
            "EMG3": {"soleus_r": 1.0},
            "gluteus maximus": {"glmax1_r": 1.0, "glmed1_r": 1.0},
            "GM": {"gasmed_r": 1.0},
            "SM": {"semimem_r": 1.0, "semiten_r": 1.0},
        }
    )


def test_mtus_must_be_the_models():
    with pytest.raises(ct.UnknownNameError, match="an MTU of the model, got 'vasint_r'"):
        MAP.check_mtus(["vaslat_r", "vasmed_r", "soleus_r"])


# ---- Names ------------------------------------------------------------------------------

LABELS = {
    "vastus lateralis": "VL,vastus_lateralis,Vastus Lateralis,vaslat_r,vas_lat_l,R_VL,RVL,VastLat,"
    "Sensor 3: EMG VL,M. vastus lateralis,lateral vastus,VL [right],vast. lat.",
    "gastrocnemius medialis": "MG,gastrocnemius medialis,medial gastrocnemius,gasmed_r,med_gas_l,"
    "GastrocMed,Gas Med,GASmed,L_MG,Gastroc medial",
    "tibialis anterior": "TA,tibialis_anterior,tib_ant_r,tibant_l,Tib Ant,anterior tibialis,LTA",
    "biceps femoris": "BF,biceps femoris,lateral hamstrings,Bic Fem,bicfem,"
    "biceps femoris long head,bifemlh_r,bflh_l",
    "peroneus longus": "PL,peroneus longus,fibularis longus,perlong_r,per_long_l",
    "medial hamstrings": "medial_hamstrings,MH,Hams Med",
    "rectus femoris": "RF,rectus femoris,recfem_r,rect_fem_l,rec fem",
    "deltoideus, middle": "MD,middle deltoid,deltoideus acromialis,medial delt,DM,DELT2",
    "deltoideus, anterior": "deltoideus pars clavicularis,anterior deltoid,DA,front delt,DELT1",
    "trapezius, upper": "upper trapezius,trapezius descendens,UT,TS,trap sup",
    "pectoralis major, clavicular": "PM_Clav,pectoralis major clavicularis,pec clavicular,PECM1",
    "latissimus dorsi": "LatD,latissimus dorsi,LD,lat dorsi",
    "biceps brachii": "Bic,biceps brachii,BB,BIClong",
    "triceps brachii, long head": "triceps brachii long head,triceps caput longum",
    "tensor fasciae latae": "TFL,tfl_r,tensor fasciae latae,Tensor Fascia Lata",
}


@pytest.mark.parametrize(("muscle", "labels"), LABELS.items(), ids=LABELS)
def test_labels_of_both_languages(muscle, labels):
    for label in labels.split(","):
        assert [one.name for one in muscles_of(label)] == [muscle], label


def test_initials_of_several_muscles_stay_open():
    names = {one.name for one in muscles_of("GM")}
    assert names == {"gastrocnemius medialis", "gluteus maximus", "gluteus medius"}
    assert muscles_of("EMG 12") == muscles_of("Fz1") == muscles_of("quadriceps") == ()


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("soleus_r", "r"),
        ("Left TA", "l"),
        ("TA dx", "r"),
        ("RVL", "r"),
        ("LTA", "l"),
        ("RF", None),
        ("LG", None),
        ("left right", None),
    ],
)
def test_sides(label, expected):
    assert side(label) == expected


@pytest.mark.parametrize("muscle", MUSCLES, ids=lambda one: one.name)
def test_every_muscle_is_known_by_its_own_name(muscle):
    assert muscles_of(re.sub(r"[(),]", " ", muscle.name)) == (muscle,)
    for text in muscle.initials:
        assert muscle in muscles_of(text.upper())


# ---- Proposals --------------------------------------------------------------------------


def test_neighbours_without_electrode_are_driven_in_equal_parts():
    found = ct.suggest_map(["R_VL", "R_VM", "R_GM", "R_SOL", "R_TFL"], BOTH_SIDES)
    assert found.map.channels["R_VL"] == {"vaslat_r": 1.0, "vasint_r": 0.5}
    assert found.ambiguous["R_GM"][0] == "gastrocnemius medialis"
    assert "vasint_l" in found.silent
    with_others = ct.suggest_map(
        ["R_VL", "R_GM", "gluteus maximus right", "gluteus medius right"], BOTH_SIDES
    )
    assert with_others.muscles["R_GM"] == "gastrocnemius medialis"
    assert with_others.map.channels["R_GM"] == {"gasmed_r": 1.0, "gaslat_r": 1.0}


def test_a_side_is_asked_for():
    with pytest.raises(ct.OptionError, match="--side: expected r or l"):
        ct.suggest_map(["VL"], BOTH_SIDES)
    assert ct.suggest_map(["VL"], BOTH_SIDES, body_side="l").map.mtus == ("vaslat_l", "vasint_l")
    with pytest.raises(ct.DataError, match="labels that name muscles of the model, got EMG1"):
        ct.suggest_map(["EMG1"], BOTH_SIDES)


@given(order=st.permutations(["VL", "VM", "RF", "GM", "SOL", "EMG9", "BF", "gluteus maximus"]))
def test_the_order_of_channels_does_not_matter(order):
    found = ct.suggest_map(order, RAJAGOPAL)
    again = ct.suggest_map(sorted(order), RAJAGOPAL)
    assert dict(found.map.channels) == dict(again.map.channels)
    assert found.unknown == ("EMG9",)


def channels_of(file):
    wanted = {}
    for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
        pairs = zip(row["emg_channels"].split(";"), row["weights"].split(";"), strict=True)
        for name, weight in pairs:
            wanted.setdefault(name, {})[row["mtu"]] = float(weight)
    return wanted


@pytest.mark.parametrize(
    ("data", "model"),
    [
        ("shoulder", "shoulder_raw/TSM_subject_noWeight.osim"),
        ("lower_limb", "treadmill_full/gait2392.osim"),
    ],
)
def test_published_maps_are_proposed(data, model, shared_dir):
    text = (shared_dir / "data" / model).read_text(encoding="utf-8")
    mtus = re.findall(r'<\w*Muscle name="([^"]*)"', text)
    wanted = channels_of(shared_dir / "data" / data / "excitation_mapping.csv")
    found = ct.suggest_map(list(wanted), mtus)
    assert {name: dict(one) for name, one in found.map.channels.items()} == wanted
    assert not found.ambiguous
    assert not found.unknown
