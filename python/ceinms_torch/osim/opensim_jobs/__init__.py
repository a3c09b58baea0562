"""Jobs for an interpreter that has OpenSim: needs opensim and numpy, and nothing of this package.

`process` starts it as a process of its own. It may be another Python than the one that started it,
from 3.9 on.
"""
