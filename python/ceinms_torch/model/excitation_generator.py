"""How recorded signals drive the MTUs (``excitationGenerator.xml``)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, Place, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.xml_document import XmlDocument, new_document, read_document, write_new
from ceinms_torch.io.xml_node import XmlNode, number_text

# What people put between names, or around them, beside blanks.
_BETWEEN = '",;'


@dataclass(frozen=True, kw_only=True)
class Excitation:
    """The excitation of one MTU as a weighted sum of signals.

    Parameters
    ----------
    id : str
        Name of the MTU.
    inputs : tuple of (str, float)
        Signals and their weights; empty for an MTU that was not recorded.
    """

    id: str
    inputs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExcitationGenerator(OneLine):
    """Mapping from signals to the excitations of MTUs.

    Signals and MTUs are matched by name; CEINMS 0.9 itself needs both in the order of their files,
    and names without blanks.

    Parameters
    ----------
    input_signals : tuple of str
        Names of the signals that may be used.
    excitations : tuple of Excitation
        One per MTU.
    path : Path, optional
        The file it was read from.
    document : XmlDocument, optional
        What was read, kept to write unknown elements back.
    """

    input_signals: tuple[str, ...]
    excitations: tuple[Excitation, ...]
    path: Path | None = None
    document: XmlDocument | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ExcitationGenerator:
        """Read an ``excitationGenerator.xml``.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        ExcitationGenerator

        Raises
        ------
        FileFormatError
            If the file does not follow the grammar, a name occurs twice, or an input is not one
            of the input signals.
        """
        document = read_document(path, "excitationGenerator")
        mapping = document.root.child("mapping").children("excitation")
        signals = _read_signals(document.root.child("inputSignals"), mapping)
        excitations: dict[str, Excitation] = {}
        for node in mapping:
            excitation = _read_excitation(node, signals)
            if excitation.id in excitations:
                hint = "Put all inputs of an MTU into one <excitation>"
                raise node.error("every id once", f"'{excitation.id}' twice", hint)
            excitations[excitation.id] = excitation
        return cls(
            input_signals=signals,
            excitations=tuple(excitations.values()),
            path=document.path,
            document=document,
        )

    @classmethod
    def one_to_one(cls, mtu_names: Iterable[str]) -> ExcitationGenerator:
        """Return the mapping of signals that have the names of the MTUs they drive.

        Parameters
        ----------
        mtu_names : iterable of str
            The MTUs.

        Returns
        -------
        ExcitationGenerator
        """
        names = tuple(mtu_names)
        excitations = tuple(Excitation(id=name, inputs=((name, 1.0),)) for name in names)
        return cls(input_signals=names, excitations=excitations)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write an ``excitationGenerator.xml``.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.
        """
        document = new_document("excitationGenerator", path)
        document.root.add("inputSignals", " ".join(self.input_signals), type="EMG")
        mapping = document.root.add("mapping")
        for excitation in self.excitations:
            node = mapping.add("excitation", id=excitation.id)
            for signal, weight in excitation.inputs:
                node.add("input", signal, weight=number_text(weight))
        write_new(document, self.document)

    def weights(self, mtu_names: Sequence[str], signal_names: Sequence[str]) -> FloatArray:
        """Return the matrix that turns signals into excitations.

        Parameters
        ----------
        mtu_names : sequence of str
            The MTUs wanted, in the order of the rows.
        signal_names : sequence of str
            The signals at hand, in the order of the columns; more than needed are fine.

        Returns
        -------
        ndarray (n_mtu, n_signal)
            Excitation = weights @ signals (-); a row of zeros for an MTU that was not recorded.

        Raises
        ------
        DataError
            If an MTU has no excitation, or an excitation needs a signal that is not at hand.
        """
        by_id = self._by_id(mtu_names)
        columns = {name: i for i, name in enumerate(signal_names)}
        matrix = np.zeros((len(mtu_names), len(signal_names)))
        for row, mtu in enumerate(mtu_names):
            for signal, weight in by_id[mtu].inputs:
                if signal not in columns:
                    raise DataError(
                        where=self._where(mtu),
                        expected=f"the signal '{signal}' among the excitation signals",
                        got=", ".join(signal_names) or "no signal",
                        hint=did_you_mean(signal, signal_names),
                    )
                matrix[row, columns[signal]] += weight
        return matrix

    def recorded(self, mtu_names: Iterable[str]) -> tuple[bool, ...]:
        """Tell which MTUs are driven by at least one signal.

        Parameters
        ----------
        mtu_names : iterable of str
            The MTUs asked about.

        Returns
        -------
        tuple of bool
            One per MTU.

        Raises
        ------
        DataError
            If an MTU has no excitation.
        """
        names = tuple(mtu_names)
        by_id = self._by_id(names)
        return tuple(any(weight != 0.0 for _, weight in by_id[name].inputs) for name in names)

    def _by_id(self, mtu_names: Sequence[str]) -> dict[str, Excitation]:
        by_id = {excitation.id: excitation for excitation in self.excitations}
        for name in mtu_names:
            if name not in by_id:
                others = [key for key in by_id if key not in mtu_names]
                raise DataError(
                    where=self._where(),
                    expected=f'<excitation id="{name}">, one for every MTU of the subject',
                    got="none",
                    hint=did_you_mean(name, others)
                    or "An MTU that was not recorded needs one without inputs",
                )
        return by_id

    def _where(self, mtu: str | None = None) -> Place:
        """Return the file and, if known, the line of an MTU's excitation."""
        if self.document is None:
            return Place(self.path, element="excitation" if mtu else "mapping")
        mapping = self.document.root.child("mapping")
        for node in mapping.children("excitation"):
            if mtu is not None and node.attribute("id") == mtu:
                return node.place
        return mapping.place


def _read_signals(listing: XmlNode, mapping: list[XmlNode]) -> tuple[str, ...]:
    """Return the signals; one whose name has blanks is known by the inputs that name it."""
    words = listing.names()
    bare = tuple(word.strip(_BETWEEN) for word in words)
    inputs = dict.fromkeys(child.text() for node in mapping for child in node.children("input"))
    blanks = [tuple(name.split()) for name in inputs if " " in name]
    if not blanks:
        if set(inputs) <= set(bare):
            words = bare
        for i, name in enumerate(words):
            if name in words[:i]:
                hint = "Name every signal once in this list"
                raise listing.error("every signal once", f"'{name}' twice", hint)
        return words
    blanks.sort(key=len, reverse=True)
    words = tuple(filter(None, bare))
    signals: dict[str, None] = {}
    i = 0
    while i < len(words):
        whole = next(
            (name for name in blanks if words[i : i + len(name)] == name), words[i : i + 1]
        )
        signals[" ".join(whole)] = None
        i += len(whole)
    # Words of one name may also be others; and a name with blanks is looked for in the EMG file,
    # since no list that is separated by blanks can have it for certain.
    listed = f" {' '.join(words)} "
    found = (name for name in inputs if " " in name or f" {name} " in listed)
    return tuple(signals | dict.fromkeys(found))


def _read_excitation(node: XmlNode, signals: tuple[str, ...]) -> Excitation:
    inputs = []
    for child in node.children("input"):
        signal = child.text()
        if signal not in signals:
            raise child.error(
                "the name of one of the inputSignals",
                f"'{signal}'",
                did_you_mean(signal, signals)
                or f"Add it to <inputSignals>, which has {', '.join(signals) or 'none'}",
            )
        inputs.append((signal, child.attribute_number("weight")))
    return Excitation(id=node.attribute("id"), inputs=tuple(inputs))
