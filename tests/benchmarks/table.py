"""Turn a benchmark JSON into the tables of the page beside this file.

``python tests/benchmarks/table.py FILE.json`` writes them into its README.md, between the markers.
"""

import argparse
import json
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name("README.md")
BEGIN = "<!-- benchmarks: begin -->"
END = "<!-- benchmarks: end -->"

_BACKENDS = {
    "scalar": "one MTU after another",
    "baseline": "2 lanes (SSE2)",
    "x86_64_v3": "4 lanes (AVX2)",
    "x86_64_v4": "8 lanes (AVX-512)",
}
_CASES = {"gait": "`subjects/gait`", "lower_limb": "lower limb, recorded"}
_METHODS = {
    "lm": "Levenberg-Marquardt",
    "adamw": "AdamW",
    "lbfgs": "L-BFGS-B",
    "scipy trf": "`scipy.optimize.least_squares`",
}


def markdown(header, rows):
    """Return a table, its first column left, the others right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def significant(value, digits=2):
    """Return a positive number to some digits, without an exponent where one can read it."""
    if value == 0 or value < 1e-4:
        return f"{value:.0e}" if value else "0"
    text = f"{value:.{digits}g}"
    return str(round(value)) if "e" in text or value >= 10**digits else text


def core_table(result):
    """Nanoseconds per MTU and step, and as multiples of the forward pass."""

    def cell(row, name):
        if name not in row:
            return "-"
        time, forward = row[name]["best"], row["forward"]["best"]
        return f"{significant(time)} ns" + (
            "" if name == "forward" else f" ({time / forward:.1f} x)"
        )

    rows = [
        [_BACKENDS[row["backend"]], *(cell(row, n) for n in ("forward", "gradient", "jacobian"))]
        for row in result["cpp"]["bench_kernel"]["ns_per_mtu_and_step"]
    ]
    return markdown(["per MTU and step", "forward", "gradient", "Jacobian, 6 parameters"], rows)


def calibration_table(result):
    """Milliseconds per calibration, and as multiples of Levenberg-Marquardt."""
    python = result["python"]
    rows = []
    for case, title in _CASES.items():
        searches = [one for one in python["method"] + python["scipy"] if one["case"] == case]
        reference = next((s["time"]["min"] for s in searches if s["method"] == "lm"), None)
        rows += [
            [
                title,
                _METHODS[one["method"]],
                f"{significant(1e3 * one['time']['min'])} ms",
                f"{one['time']['min'] / reference:.1f} x",
                f"{one['evaluations']}",
                significant(one["objective"], 4),
            ]
            for one in searches
        ]
        for threads in (1, 2):
            found = [s for s in python["starts"] if s["case"] == case and s["threads"] == threads]
            if not found:
                continue
            time = min(s["seconds"] for s in found)
            objectives = sorted(s["objective"] for s in found)
            plural = "" if threads == 1 else "s"
            rows.append(
                [
                    title,
                    f"32 starts, {threads} thread{plural}",
                    f"{significant(1e3 * time)} ms",
                    f"{time / reference:.0f} x",
                    "",
                    significant(objectives[-1], 4),
                ]
            )
    return markdown(["data", "method", "time", "", "evaluations", "objective"], rows)


def iteration_ratios(result):
    """How many times faster an AdamW iteration is on the fused engine, by case."""
    seconds = {
        (one["case"], one["engine"]): one["seconds_per_iteration"]
        for one in result["python"]["adamw_iteration"]
    }
    return {
        case: seconds[case, "tensor"] / seconds[case, "fused"]
        for case, engine in seconds
        if engine == "fused"
    }


def stream_sentence(result):
    """Return the latency of a stream, if it was measured, of the best instruction set."""
    stream = result["cpp"].get("bench_stream")
    if stream is None:
        return []
    case = next(
        one
        for one in stream["cases"]
        if one["tendon"] == "rosenbrock" and one["signals"] == "moving"
    )
    step = case["step_us"]
    sentence = (
        f"A step of a stream of {stream['n_mtu']:.0f} MTUs and {stream['n_dof']:.0f} DOFs takes "
        f"{step['p50']:.1f} µs (median), {step['p99']:.1f} µs (99 %), {step['max']:.0f} µs at "
        "most, from C++."
    )
    return [sentence]


def sentences(result):
    """Return what no table shows, as list items."""
    kernel = result["cpp"]["bench_kernel"]
    ratios = " and ".join(
        f"{significant(ratio)} times ({_CASES[case]})"
        for case, ratio in iteration_ratios(result).items()
    )
    growth = ", ".join(
        f"{name} {kernel['growth'][key]['gradient_exponent']:.2f}"
        for key, name in (("trials", "trials"), ("frames", "frames"), ("mtus", "MTUs"))
    )
    largest = kernel["threads"][-1]
    speed_up = max(one["gradient_speed_up"] for one in kernel["threads"] if one["n_trial"] >= 6)
    size = f"{largest['n_mtu']:.0f} MTUs x {largest['n_trial']:.0f} trials x"
    memory = result["peak_memory_mib"]
    sizes = (
        f"A gradient of {size} {largest['n_frame']:.0f} frames takes "
        f"{largest['gradient_one_thread_ms']['best']:.0f} ms on one thread and "
        f"{largest['gradient_two_threads_ms']['best']:.0f} ms on two; "
        f"on six trials or more two threads are up to {speed_up:.2f} times as fast as one."
    )
    peaks = (
        f"Peak memory of a process: {memory['import']:.0f} MiB after the import, "
        f"{memory['lm']:.0f} MiB with a calibration of `subjects/gait`, "
        f"{memory['adamw on the tensor engine']:.0f} MiB on the tensor engine."
    )
    return [
        f"An AdamW iteration is {ratios} faster than on the tensor engine.",
        f"The cost of a gradient grows with {growth} (exponents; 1 is linear).",
        sizes,
        *stream_sentence(result),
        peaks,
    ]


def tables(result):
    """Return everything between the markers."""
    machine, versions = result["machine"], result["versions"]
    origin = (
        f"{machine['processor']} (family {machine.get('family', '?')}), {machine['cores']} cores, "
        f"{versions['compiler']}, Python {versions['python']}, torch {versions['torch']}, "
        f"commit {result['commit']}, {result['date']}. The least of several repetitions, one "
        "thread unless it says otherwise; of the objectives of 32 starts, the worst of three seeds."
    )
    items = "\n".join(f"- {sentence}" for sentence in sentences(result))
    return "\n\n".join([core_table(result), calibration_table(result), items, origin])


def replaced(text, result):
    """Return the page's text with other tables."""
    block = f"{BEGIN}\n{tables(result)}\n{END}"
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", flags=re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{PAGE}: expected the markers {BEGIN} and {END}")
    return pattern.sub(lambda _: block, text, count=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=Path, help="what run.py wrote")
    result = json.loads(parser.parse_args().json.read_text(encoding="utf-8"))
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")


if __name__ == "__main__":
    main()
