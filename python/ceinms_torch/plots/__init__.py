"""Figures: functions that take results, in memory or loaded, and return a matplotlib figure.

    import ceinms_torch as ct

    result = ct.calibrate(folder.subject, folder.trials, folder.plan)
    ct.plots.plot_moment_bands([result, ct.load_result("before")], "knee").savefig("knee.pdf")

The report draws with these functions and nothing else. It embeds the figures as SVG, text as text,
and a script of its own of 150 lines reads values off: the script of plotly alone would take 4 to
5 MB of the 6 MB that a report may have, and every figure would exist twice, once for the page and
once for a paper.
"""

from __future__ import annotations

from ceinms_torch.plots.activations import plot_activations
from ceinms_torch.plots.cycles import plot_cycles
from ceinms_torch.plots.emg import plot_emg
from ceinms_torch.plots.fibres import plot_operating_ranges
from ceinms_torch.plots.forces import plot_forces
from ceinms_torch.plots.history import plot_history
from ceinms_torch.plots.identifiability import plot_certainty, plot_singular_values
from ceinms_torch.plots.loads import plot_joint_loads
from ceinms_torch.plots.moments import plot_moment_bands, plot_moments
from ceinms_torch.plots.parameters import plot_parameters
from ceinms_torch.plots.tendons import plot_tendon_strains

__all__ = [
    "plot_activations",
    "plot_certainty",
    "plot_cycles",
    "plot_emg",
    "plot_forces",
    "plot_history",
    "plot_joint_loads",
    "plot_moment_bands",
    "plot_moments",
    "plot_operating_ranges",
    "plot_parameters",
    "plot_singular_values",
    "plot_tendon_strains",
]
