"""Ways to damage a copy of subjects/gait: each plants one fault that a check must name first."""

import re

import numpy as np

import ceinms_torch as ct
from ceinms_torch.io.storage import read_storage, write_storage
from helpers import edit

TRIALS = ("walk_105", "walk_130", "walk_150")
SUBJECT, MAP, PLAN = "subjectUncalibrated.xml", "excitationGenerator.xml", "calibration.xml"
FIRST, SECOND, THIRD = (f"trials/{trial}/" for trial in TRIALS)


def change(folder, name, function, trials=TRIALS):
    """Replace the table of a storage file by `function(time, columns, values)`."""
    for trial in trials:
        path = folder / "trials" / trial / name
        storage = read_storage(path)
        time, columns, values = function(storage.time, storage.columns, storage.values.copy())
        write_storage(path, time, columns, values, name=storage.name, units=storage.units)


def scaled(factor, column=None):
    """Return a change that multiplies all columns, or one."""

    def function(time, columns, values):
        values[:, slice(None) if column is None else columns.index(column)] *= factor
        return time, columns, values

    return function


def one_channel(column, function):
    """Return a change of one column by `function(values)`."""

    def change_column(time, columns, values):
        i = columns.index(column)
        values[:, i] = function(values[:, i])
        return time, columns, values

    return change_column


def noisy(shape):
    """Return a change that turns envelopes into noise of their size."""

    def function(time, columns, values):
        noise = np.random.default_rng(1).standard_normal(values.shape)
        return time, columns, shape(noise) * values

    return function


def subject_values(folder, tag, factor):
    path = folder / SUBJECT
    text = re.sub(
        rf"<{tag}>([^<]+)</{tag}>",
        lambda match: f"<{tag}>{float(match[1]) * factor:.6g}</{tag}>",
        path.read_text(),
    )
    path.write_text(text)


def mtu_value(folder, mtu, tag, value):
    path = folder / SUBJECT
    pattern = rf"(<name>{mtu}</name>(?:(?!</mtu>).)*?<{tag}>)[^<]+"
    text, count = re.subn(pattern, rf"\g<1>{value}", path.read_text(), flags=re.DOTALL)
    assert count == 1
    path.write_text(text)


def lengths_in_millimetres(folder):
    change(folder, "lmt.sto", scaled(1000.0))


def moment_arms_in_millimetres(folder):
    change(folder, "ma_knee_angle_r.sto", scaled(1000.0))


def pennation_in_degrees(folder):
    subject_values(folder, "pennationAngle", 180.0 / np.pi)


def moments_per_kilogram(folder):
    change(folder, "id.sto", scaled(1.0 / 70.0))


def times_in_milliseconds(folder):
    change(folder, "lmt.sto", lambda t, c, v: (1000.0 * t, c, v))


def delay_in_milliseconds(folder):
    edit(folder / SUBJECT, "<emDelay>0.015", "<emDelay>15")


def raw_emg(folder):
    change(folder, "emg.mot", noisy(lambda noise: noise))


def rectified_emg(folder):
    change(folder, "emg.mot", noisy(np.abs))


def emg_in_percent(folder):
    change(folder, "emg.mot", scaled(100.0))


def flat_channel(folder):
    change(folder, "emg.mot", one_channel("tibant", lambda x: np.full_like(x, 0.02)))


def silent_channel(folder):
    change(folder, "emg.mot", scaled(0.0, "tibant"))


def clipped_channel(folder):
    change(folder, "emg.mot", one_channel("soleus", lambda x: np.minimum(x, 0.5 * x.max())))


def copied_channel(folder):
    def function(time, columns, values):
        values[:, columns.index("vaslat")] = values[:, columns.index("vasmed")]
        return time, columns, values

    change(folder, "emg.mot", function)


def shifted_emg(folder):
    change(folder, "emg.mot", lambda t, c, v: (t + 0.5, c, v), TRIALS[:1])


def truncated_emg(folder):
    change(folder, "emg.mot", lambda t, c, v: (t[:-50], c, v[:-50]), TRIALS[:1])


def slow_emg(folder):
    change(folder, "emg.mot", lambda t, c, v: (t[::10], c, v[::10]))


def gap_in_emg(folder):
    def function(time, columns, values):
        kept = np.r_[0:200, 240 : len(time)]
        return time[kept], columns, values[kept]

    change(folder, "emg.mot", function, TRIALS[:1])


def swapped_map(folder):
    for old, new in (("soleus", "x"), ("tibant", "soleus"), ("x", "tibant")):
        edit(folder / MAP, f">{old}</input>", f">{new}</input>")


def other_side(folder):
    def function(time, columns, values):
        return time, [f"{c}_l" if c == "tibant" else c for c in columns], values

    edit(folder / MAP, "tibant</inputSignals>", "tibant_l</inputSignals>")
    edit(folder / MAP, ">tibant</input>", ">tibant_l</input>")
    change(folder, "emg.mot", function)


def signal_left_out(folder):
    edit(folder / MAP, '<input weight="1">tibant</input>', "")


def excitation_left_out(folder):
    edit(folder / MAP, 'id="tibant_r"', 'id="tibant_l"')


def missing_file(folder):
    (folder / FIRST / "ma_knee_angle_r.sto").unlink()


def wrong_dof_name(folder):
    edit(folder / FIRST / "inputData.xml", 'dofName="knee_angle_r"', 'dofName="knee_angel_r"')


def missing_column(folder):
    edit(folder / FIRST / "lmt.sto", "tibant_r", "tib_r")


def not_a_number(folder):
    edit(folder / FIRST / "id.sto", *_cell(folder, "nan"))


def decimal_comma(folder):
    edit(folder / FIRST / "id.sto", *_cell(folder, "12,5"))


def _cell(folder, text):
    """Return the last row of the moments as it is, and with another first value."""
    row = (folder / FIRST / "id.sto").read_text().rstrip("\n").split("\n")[-1]
    cells = row.split("\t")
    return row, "\t".join([cells[0], text, *cells[2:]])


def broken_xml(folder):
    edit(folder / MAP, "</mapping>", "<mapping>")


def start_outside_range(folder):
    edit(folder / PLAN, "0.5 2.5", "1.5 2.5")


def impossible_range(folder):
    edit(folder / PLAN, "0.5 2.5", "0 2.5")


def unknown_muscle_in_group(folder):
    edit(folder / PLAN, "<muscles>tibant_r", "<muscles>tibantt_r")


def trial_twice(folder):
    edit(folder / PLAN, "<trialSet>", "<trialSet>trials/walk_105/inputData.xml ")


def trial_under_another_name(folder):
    text = (folder / FIRST / "inputData.xml").read_text()
    (folder / FIRST / "again.xml").write_text(text)
    edit(folder / PLAN, "<trialSet>", "<trialSet>trials/walk_105/again.xml ")


def constant_moment(folder):
    change(folder, "id.sto", one_channel("knee_angle_r_moment", lambda x: 0 * x + 3.0), TRIALS[:1])


def moment_of_other_sign(folder):
    change(folder, "id.sto", scaled(-1.0, "ankle_angle_r_moment"))


def arm_of_other_sign(folder):
    change(folder, "ma_knee_angle_r.sto", scaled(-1.0, "recfem_r"))


def arms_of_other_sign(folder):
    change(folder, "ma_ankle_angle_r.sto", scaled(-1.0))


def swapped_length_columns(folder):
    def function(time, columns, values):
        swap = {"soleus_r": "tibant_r", "tibant_r": "soleus_r"}
        return time, [swap.get(name, name) for name in columns], values

    change(folder, "lmt.sto", function, TRIALS[:1])


def arm_of_zeros(folder):
    change(folder, "ma_ankle_angle_r.sto", scaled(0.0, "tibant_r"))


def mtu_left_out_of_dof(folder):
    text = (folder / SUBJECT).read_text()
    sets = re.findall(r"<mtuNameSet>[^<]*</mtuNameSet>", text)
    ankle = next(one for one in sets if "soleus_r" in one)
    edit(folder / SUBJECT, ankle, ankle.replace("soleus_r ", ""))


def short_tendon(folder):
    mtu_value(folder, "soleus_r", "tendonSlackLength", 0.15)
    edit(folder / PLAN, "0.85 1.15", "0.5 1.5", count=2)


def long_tendon(folder):
    mtu_value(folder, "soleus_r", "tendonSlackLength", 0.4)


def weak_subject(folder):
    subject_values(folder, "maxIsometricForce", 0.06)


def mixed_up_curve(folder):
    edit(folder / SUBJECT, "<name>activeForceLength", "<name>x")
    edit(folder / SUBJECT, "<name>passiveForceLength", "<name>activeForceLength")
    edit(folder / SUBJECT, "<name>x", "<name>passiveForceLength")


# ---- One trial against the others ---------------------------------------------------------------


def emg_of_one_trial_in_volts(folder):
    change(folder, "emg.mot", scaled(1e-3), TRIALS[1:2])


def emg_of_one_trial_in_percent(folder):
    change(folder, "emg.mot", scaled(100.0), TRIALS[:1])


def electrode_off_in_one_trial(folder):
    change(folder, "emg.mot", scaled(1e-3, "soleus"), TRIALS[:1])


def moment_of_one_trial_turned(folder):
    change(folder, "id.sto", scaled(-1.0, "ankle_angle_r_moment"), TRIALS[1:2])


def knee_moment_of_one_trial_turned(folder):
    change(folder, "id.sto", scaled(-1.0, "knee_angle_r_moment"), TRIALS[:1])


def hip_moment_of_one_trial_turned(folder):
    change(folder, "id.sto", scaled(-1.0, "hip_flexion_r_moment"), TRIALS[2:])


def arms_of_one_trial_turned(folder):
    change(folder, "ma_hip_flexion_r.sto", scaled(-1.0), TRIALS[:1])


def knee_arms_of_one_trial_turned(folder):
    change(folder, "ma_knee_angle_r.sto", scaled(-1.0), TRIALS[2:])


def moments_of_one_trial_per_kilogram(folder):
    change(folder, "id.sto", scaled(1.0 / 70.0), TRIALS[:1])


def lengths_of_one_trial_in_millimetres(folder):
    change(folder, "lmt.sto", scaled(1000.0), TRIALS[:1])


def arms_of_one_trial_in_centimetres(folder):
    change(folder, "ma_hip_flexion_r.sto", scaled(100.0), TRIALS[:1])


def one_trial_at_half_the_rate(folder):
    for path in (folder / FIRST).glob("*.sto"):
        change(folder, path.name, lambda t, c, v: (t[::2], c, v[::2]), TRIALS[:1])


# ---- Signs ----------------------------------------------------------------------------------


def hip_moment_of_other_sign(folder):
    change(folder, "id.sto", scaled(-1.0, "hip_flexion_r_moment"))


def knee_moment_of_other_sign(folder):
    change(folder, "id.sto", scaled(-1.0, "knee_angle_r_moment"))


def all_moments_of_other_sign(folder):
    change(folder, "id.sto", scaled(-1.0))


def hip_arms_of_other_sign(folder):
    change(folder, "ma_hip_flexion_r.sto", scaled(-1.0))


def knee_arms_of_other_sign(folder):
    change(folder, "ma_knee_angle_r.sto", scaled(-1.0))


# ---- Sizes ----------------------------------------------------------------------------------


def moments_in_newton_millimetres(folder):
    change(folder, "id.sto", scaled(1000.0))


def moment_of_next_to_nothing(folder):
    change(folder, "id.sto", scaled(0.01, "hip_flexion_r_moment"))


def emg_in_volts(folder):
    change(folder, "emg.mot", scaled(1e-3))


def each_trial_normalised_by_itself(folder):
    change(folder, "emg.mot", lambda t, c, v: (t, c, v / v.max(axis=0)))


def one_channel_normalised_by_trial(folder):
    change(folder, "emg.mot", one_channel("soleus", lambda x: x / x.max()))


def channel_on_a_floor(folder):
    change(folder, "emg.mot", one_channel("soleus", lambda x: x + 0.2))


def ringing_channel(folder):
    def dip(values):
        return values - 0.4 * values.max() * np.exp(-(((np.arange(len(values)) - 200) / 15) ** 2))

    change(folder, "emg.mot", one_channel("soleus", dip))


def emg_above_one(folder):
    change(folder, "emg.mot", scaled(5.0))


def force_that_no_muscle_has(folder):
    mtu_value(folder, "soleus_r", "maxIsometricForce", 1e9)


def strength_that_no_muscle_has(folder):
    mtu_value(folder, "soleus_r", "strengthCoefficient", 1000)
    edit(folder / PLAN, "0.5 2.5", "0.5 1000")


def damping_beyond_measure(folder):
    edit(folder / SUBJECT, "<damping>0.1", "<damping>1e9")


def range_without_end(folder):
    edit(folder / PLAN, "0.5 2.5", "0.5 1e308")


def fibres_on_the_descending_limb(folder):
    mtu_value(folder, "soleus_r", "tendonSlackLength", 0.225)


# ---- Activation, conditions, muscles that are missing ---------------------------------------


def activation_that_is_late(folder):
    edit(folder / PLAN, "-0.95 -0.05", "-0.995 -0.05", count=2)


def activation_within_a_sample(folder):
    for tag in ("c1", "c2"):
        subject_values(folder, tag, 0.4)
    edit(folder / PLAN, "-0.95 -0.05", "-0.3 -0.05", count=2)


def fast_test(folder):
    test = folder / "trials" / "fast"
    test.mkdir()
    for path in (folder / "trials" / TRIALS[2]).iterdir():
        (test / path.name).write_bytes(path.read_bytes())
    for path in (*test.glob("*.sto"), *test.glob("*.mot")):  # at the same rate
        change(folder, path.name, lambda t, c, v: (t[::2] / 2.0, c, v[::2]), ["fast"])
    return [test / "inputData.xml"]


def hip_without_flexors(folder):
    generator = ct.ExcitationGenerator.read(folder / MAP)
    for name in ("iliopsoas", "tfl", "recfem"):
        edit(folder / MAP, f'<input weight="1">{name}</input>', "")
    names = [one for one in generator.input_signals if one not in ("iliopsoas", "tfl", "recfem")]
    old = re.search(r"<inputSignals[^>]*>([^<]*)<", (folder / MAP).read_text())[1]
    edit(folder / MAP, old, " ".join(names))


# ---- Others ---------------------------------------------------------------------------------


def mtu_in_two_groups(folder):
    edit(folder / PLAN, "<muscles>tibant_r", "<muscles>tibant_r soleus_r")


def step_without_the_dof_of_a_group(folder):
    edit(folder / PLAN, "<dofs>hip_flexion_r knee_angle_r ankle_angle_r", "<dofs>hip_flexion_r")


def trial_of_few_rows(folder):
    for path in (folder / FIRST).glob("*.sto"):
        change(folder, path.name, lambda t, c, v: (t[:8], c, v[:8]), TRIALS[:1])


def gap_in_lengths(folder):
    def function(time, columns, values):
        kept = np.r_[0:40, 60 : len(time)]
        return time[kept], columns, values[kept]

    change(folder, "lmt.sto", function, TRIALS[:1])


def gap_in_signals(folder):
    path = folder / FIRST / "emg.mot"
    lines = path.read_text().split("\n")
    cells = lines[-20].split("\t")
    lines[-20] = "\t".join([*cells[:-1], "nan"])
    path.write_text("\n".join(lines))


def no_moments(folder):
    text = (folder / FIRST / "inputData.xml").read_text()
    text = re.sub(r"<externalTorquesFile>[^<]*</externalTorquesFile>", "", text)
    (folder / FIRST / "inputData.xml").write_text(text)


# Damage, code of the first finding, and the file that it blames (or a part of its name).
DAMAGES = (
    (lengths_in_millimetres, "length-unit", FIRST + "lmt.sto"),
    (moment_arms_in_millimetres, "moment-arm-unit", FIRST + "ma_knee_angle_r.sto"),
    (pennation_in_degrees, "pennation-unit", SUBJECT),
    (moments_per_kilogram, "moment-unit", FIRST + "id.sto"),
    (times_in_milliseconds, "time-unit", FIRST + "lmt.sto"),
    (delay_in_milliseconds, "delay-unit", SUBJECT),
    (raw_emg, "emg-raw", FIRST + "emg.mot"),
    (rectified_emg, "emg-not-enveloped", FIRST + "emg.mot"),
    (emg_in_percent, "emg-not-normalised", FIRST + "emg.mot"),
    (flat_channel, "emg-flat", FIRST + "emg.mot"),
    (silent_channel, "emg-zero", FIRST + "emg.mot"),
    (clipped_channel, "emg-clipped", FIRST + "emg.mot"),
    (copied_channel, "emg-copied", FIRST + "emg.mot"),
    (shifted_emg, "emg-too-short", FIRST + "emg.mot"),
    (truncated_emg, "emg-too-short", FIRST + "emg.mot"),
    (slow_emg, "emg-slow", FIRST + "emg.mot"),
    (gap_in_emg, "emg-uneven", FIRST + "emg.mot"),
    (swapped_map, "map-name", MAP),
    (other_side, "map-side", MAP),
    (signal_left_out, "signal-unmapped", MAP),
    (excitation_left_out, "excitation-missing", MAP),
    (missing_file, "file-missing", FIRST + "ma_knee_angle_r.sto"),
    (wrong_dof_name, "moment-arm-file-missing", FIRST + "inputData.xml"),
    (missing_column, "column-missing", FIRST + "lmt.sto"),
    (not_a_number, "not-a-number", FIRST + "id.sto"),
    (decimal_comma, "decimal-comma", FIRST + "id.sto"),
    (broken_xml, "excitation-map-file", MAP),
    (start_outside_range, "start-outside-range", PLAN),
    (impossible_range, "range-impossible", PLAN),
    (unknown_muscle_in_group, "unknown-name", PLAN),
    (trial_twice, "trial-name-repeated", FIRST + "inputData.xml"),
    (trial_under_another_name, "trial-copied", "trials/walk_105/inputData.xml"),
    (constant_moment, "moment-constant", FIRST + "id.sto"),
    (moment_of_other_sign, "moment-sign", FIRST + "id.sto"),
    (arm_of_other_sign, "arms-contradict-lengths", FIRST + "lmt.sto"),
    (arms_of_other_sign, "moment-sign", FIRST + "id.sto"),
    (swapped_length_columns, "arms-contradict-lengths", FIRST + "lmt.sto"),
    (arm_of_zeros, "moment-arm-zero", FIRST + "ma_ankle_angle_r.sto"),
    (mtu_left_out_of_dof, "moment-arm-unused", FIRST + "ma_ankle_angle_r.sto"),
    (short_tendon, "tendon-too-short", SUBJECT),
    (long_tendon, "tendon-too-long", SUBJECT),
    (weak_subject, "moment-capacity", FIRST + "id.sto"),
    (mixed_up_curve, "curve-shape", SUBJECT),
    (emg_of_one_trial_in_volts, "emg-small-in-trial", SECOND + "emg.mot"),
    (emg_of_one_trial_in_percent, "emg-not-normalised", FIRST + "emg.mot"),
    (electrode_off_in_one_trial, "emg-lost", FIRST + "emg.mot"),
    (moment_of_one_trial_turned, "moment-turned", SECOND + "id.sto"),
    (knee_moment_of_one_trial_turned, "moment-turned", FIRST + "id.sto"),
    (hip_moment_of_one_trial_turned, "moment-turned", THIRD + "id.sto"),
    (arms_of_one_trial_turned, "arms-turned", FIRST + "ma_hip_flexion_r.sto"),
    (knee_arms_of_one_trial_turned, "arms-turned", THIRD + "ma_knee_angle_r.sto"),
    (moments_of_one_trial_per_kilogram, "moment-unit-of-trial", FIRST + "id.sto"),
    (lengths_of_one_trial_in_millimetres, "length-unit", FIRST + "lmt.sto"),
    (arms_of_one_trial_in_centimetres, "moment-arm-unit", FIRST + "ma_hip_flexion_r.sto"),
    (one_trial_at_half_the_rate, "rates-differ", FIRST + "inputData.xml"),
    (hip_moment_of_other_sign, "moment-sign", FIRST + "id.sto"),
    (knee_moment_of_other_sign, "moment-sign", FIRST + "id.sto"),
    (all_moments_of_other_sign, "moment-sign", FIRST + "id.sto"),
    (hip_arms_of_other_sign, "moment-sign", FIRST + "id.sto"),
    (knee_arms_of_other_sign, "moment-sign", FIRST + "id.sto"),
    (moments_in_newton_millimetres, "moment-unit", FIRST + "id.sto"),
    (moment_of_next_to_nothing, "moment-small", FIRST + "id.sto"),
    (emg_in_volts, "emg-tiny", FIRST + "emg.mot"),
    (each_trial_normalised_by_itself, "emg-normalised-by-trial", FIRST + "emg.mot"),
    (one_channel_normalised_by_trial, "emg-normalised-by-trial", FIRST + "emg.mot"),
    (channel_on_a_floor, "emg-floor", FIRST + "emg.mot"),
    (ringing_channel, "emg-negative", FIRST + "emg.mot"),
    (emg_above_one, "emg-above-one", FIRST + "emg.mot"),
    (force_that_no_muscle_has, "parameter-doubtful", SUBJECT),
    (strength_that_no_muscle_has, "parameter-doubtful", SUBJECT),
    (damping_beyond_measure, "parameter-doubtful", SUBJECT),
    (range_without_end, "range-impossible", PLAN),
    (fibres_on_the_descending_limb, "fibre-descending", SUBJECT),
    (activation_that_is_late, "activation-delay", PLAN),
    (activation_within_a_sample, "activation-delay", PLAN),
    (fast_test, "condition-not-covered", "trials/fast/inputData.xml"),
    (hip_without_flexors, "moment-unserved", THIRD + "id.sto"),
    (mtu_in_two_groups, "mtu-in-two-groups", PLAN),
    (step_without_the_dof_of_a_group, "group-outside-dofs", PLAN),
    (trial_of_few_rows, "trial-short", FIRST + "lmt.sto"),
    (gap_in_lengths, "time-gap", FIRST + "lmt.sto"),
    (gap_in_signals, "not-a-number", FIRST + "emg.mot"),
    (no_moments, "moments-missing", FIRST + "inputData.xml"),
)
