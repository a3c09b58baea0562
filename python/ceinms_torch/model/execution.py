"""Which model is run, and how excitations are found (``execution.xml``)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ceinms_torch.io.display import OneLine
from ceinms_torch.io.xml_document import XmlDocument, new_document, read_document, write_new
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.nms_model import (
    ACTIVATIONS,
    Activation,
    SimulatedAnnealing,
    Tendon,
    read_activation,
    read_tendon,
    write_annealing,
    write_model,
)
from ceinms_torch.model.settings import check_choice, check_number


@dataclass(frozen=True, kw_only=True)
class Hybrid(OneLine):
    """How excitations are adjusted and synthesised to match measured moments.

    The weights are those the program of CEINMS uses; its manual has beta and gamma the other way
    round.

    Parameters
    ----------
    alpha : float
        Weight of the squared moment errors [1/(N m)^2].
    beta : float
        Weight of the squared excitations of all MTUs (-).
    gamma : float
        Weight of the absolute changes of the recorded excitations (-).
    dof_set : tuple of str
        DOFs whose moment errors count; all if empty. Not in CEINMS 0.9, but in later versions.
    synth_mtus : tuple of str
        MTUs whose excitation is synthesised.
    adjust_mtus : tuple of str
        MTUs whose recorded excitation is adjusted.
    algorithm : SimulatedAnnealing
        Settings of the search, per frame.
    """

    alpha: float
    beta: float
    gamma: float
    dof_set: tuple[str, ...] = ()
    synth_mtus: tuple[str, ...] = ()
    adjust_mtus: tuple[str, ...] = ()
    algorithm: SimulatedAnnealing

    def __post_init__(self) -> None:
        """Check every value."""
        for name in ("alpha", "beta", "gamma"):
            check_number(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Execution(OneLine):
    """How a trial is run.

    Parameters
    ----------
    type : {"openLoop", "hybrid"}
        Whether excitations are taken as mapped or searched for.
    tendon : Tendon
        The tendon model.
    activation : {"exponential", "piecewise"}
        The activation model.
    online : bool, optional
        True for a causal fibre velocity, False for one from a spline through the whole trial; None
        where the file does not say, as those of versions after 0.9 (see `is_online`).
    elaborated_dofs : tuple of str
        Read and written, but without effect, as in CEINMS 0.9.
    hybrid : Hybrid, optional
        Settings of the search; given if and only if the type is "hybrid".
    path : Path, optional
        The file it was read from.
    document : XmlDocument, optional
        What was read, kept to write unknown elements back.

    Raises
    ------
    OptionError
        If a value is not one of those allowed.
    """

    type: Literal["openLoop", "hybrid"] = "openLoop"
    tendon: Tendon
    activation: Activation = "exponential"
    online: bool | None = False
    elaborated_dofs: tuple[str, ...] = ()
    hybrid: Hybrid | None = None
    path: Path | None = None
    document: XmlDocument | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check every value."""
        check_choice("type", self.type, ("openLoop",) if self.hybrid is None else ("hybrid",))
        check_choice("activation", self.activation, ACTIVATIONS)

    @property
    def is_online(self) -> bool:
        """Whether the model of CEINMS 0.9 runs online: as the file says, else hybrid only."""
        # CEINMS 0.9 has hybrid online only, and recommends offline for the rest.
        return self.hybrid is not None if self.online is None else self.online

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Execution:
        """Read an ``execution.xml``.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        Execution

        Raises
        ------
        FileFormatError
            If the file does not follow the grammar or a value is outside its range.
        """
        document = read_document(path, "execution")
        model = document.root.child("NMSmodel")
        hybrid = model.child("type").find("hybrid")
        listing = document.root.find("elaboratedDoFs")
        mode = document.root.find("online", "offline")
        return cls(
            type="openLoop" if hybrid is None else "hybrid",
            tendon=read_tendon(model),
            activation=read_activation(model),
            online=None if mode is None else mode.tag == "online",
            elaborated_dofs=() if listing is None else listing.names(),
            hybrid=None if hybrid is None else _read_hybrid(hybrid),
            path=document.path,
            document=document,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write an ``execution.xml``.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.
        """
        document = new_document("execution", path)
        kind = write_model(document.root, self.tendon, self.activation).add(self.type)
        if self.hybrid is not None:
            for name in ("alpha", "beta", "gamma"):
                kind.add(name, number_text(getattr(self.hybrid, name)))
            if self.hybrid.dof_set:
                kind.add("dofSet", " ".join(self.hybrid.dof_set))
            kind.add("synthMTUs", " ".join(self.hybrid.synth_mtus))
            kind.add("adjustMTUs", " ".join(self.hybrid.adjust_mtus))
            write_annealing(kind, self.hybrid.algorithm)
        if self.online is not None:
            document.root.add("online" if self.online else "offline")
        if self.elaborated_dofs:
            document.root.add("elaboratedDoFs", " ".join(self.elaborated_dofs))
        write_new(document, self.document)


def _read_hybrid(node: XmlNode) -> Hybrid:
    dof_set = node.find("dofSet")
    return Hybrid(
        alpha=node.child("alpha").number(),
        beta=node.child("beta").number(),
        gamma=node.child("gamma").number(),
        dof_set=() if dof_set is None else dof_set.names(),
        synth_mtus=node.child("synthMTUs").names(),
        adjust_mtus=node.child("adjustMTUs").names(),
        algorithm=SimulatedAnnealing.read_from(node.child("algorithm").child("simulatedAnnealing")),
    )
