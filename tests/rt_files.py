"""Maker of a small subject file of CEINMS-RT."""

from pathlib import Path

from helpers import CURVES


def write_rt_subject(path):
    """Write a subject file of CEINMS-RT: two muscles, two DOFs, three channels.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Path
        The file.
    """
    curves = "\n".join(
        f"    <Curve>\n      <name>{name}</name>\n      <xPoints>{x}</xPoints>\n"
        f"      <yPoints>{y}</yPoints>\n    </Curve>"
        for name, (x, y) in CURVES.items()
        if name != "tendonForceStrain"
    )
    muscles = "\n".join(
        f"""    <muscle>
      <name>{name}</name>
      <C1>-0.5</C1>
      <C2>-0.4</C2>
      <shapeFactor>-0.8</shapeFactor>
      <optimalFiberLength>{fibre}</optimalFiberLength>
      <pennationAngle>{pennation}</pennationAngle>
      <tendonSlackLength>{tendon}</tendonSlackLength>
      <maxIsometricForce>{force}</maxIsometricForce>
      <strengthCoefficient>0.9</strengthCoefficient>
    </muscle>"""
        for name, fibre, pennation, tendon, force in (
            ("soleus_r", 0.05, 25, 0.25, 3549),
            ("vasint_r", 0.087, 3, 0.136, 1365),
        )
    )

    def groups(tag, content):
        return "\n".join(
            f"    <{tag}>\n      <name>{name}</name>\n"
            f"      <muscleSequence>{names}</muscleSequence>\n    </{tag}>"
            for name, names in content
        )

    dofs = groups("DoF", [("ankle_angle_r", "soleus_r"), ("knee_angle_r", "vasint_r")])
    channels = groups("Channel", [("SOL", "soleus_r"), ("VM", "vasint_r"), ("VL", "vasint_r")])
    file = Path(path)
    file.write_text(f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<subject>
  <muscleDefault>
    <percentageChange>0.15</percentageChange>
    <damping>0.5</damping>
{curves}
  </muscleDefault>
  <muscles>
{muscles}
  </muscles>
  <DoFs>
{dofs}
  </DoFs>
  <Channels>
{channels}
  </Channels>
</subject>
""")
    return file
