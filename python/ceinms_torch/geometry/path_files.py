"""Polynomial paths in files of OpenSim: ``FunctionBasedPathSet``, and models that have such paths.

In a set, a path is named after its muscle (``/forceset/soleus_r``); in a model it is inside it. Its
arguments are coordinates in radians (or metres), its value a length in metres::

    <FunctionBasedPath name="/forceset/soleus_r">
      <coordinate_paths>/jointset/ankle_r/ankle_angle_r</coordinate_paths>
      <length_function>
        <MultivariatePolynomialFunction>
          <coefficients>0.2803 0.0417 -0.0021</coefficients>
          <dimension>1</dimension>
          <order>2</order>

``<coordinate_ranges>``, lowest and highest value of every coordinate in the poses that a path was
fitted to, is ours; OpenSim passes over it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from lxml import etree

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError
from ceinms_torch.geometry.path_set import PathSet, PolynomialPath, name_in
from ceinms_torch.geometry.polynomials import derivative_coefficients, n_term
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.xml_document import read_root
from ceinms_torch.io.xml_node import XmlNode, number_text

_PATH = "FunctionBasedPath"
_FUNCTION = "MultivariatePolynomialFunction"
# Version of the documents that OpenSim 4.6 writes.
_VERSION = "40600"
# Written coefficients of a derivative may differ by this share of the largest.
_ROUNDING = 1e-6


def read_paths(path: str | os.PathLike[str]) -> PathSet:
    """Read the polynomial paths of a file.

    Parameters
    ----------
    path : path-like
        A ``FunctionBasedPathSet``, or a model whose muscles have such paths.

    Returns
    -------
    PathSet

    Raises
    ------
    FileFormatError
        If there is no such path, one is not a polynomial or does not fit together, or two are of
        one muscle.
    """
    root = read_root(path)
    nodes = root.descendants(_PATH)
    if not nodes:
        raise root.error(
            f"a <{_PATH}>, as OpenSim's FunctionBasedPathSet has",
            "none",
            "Fit polynomials to poses of the model: ceinms-torch geometry fit",
        )
    found: dict[str, PolynomialPath] = {}
    for node in nodes:
        one = _read_path(node)
        if one.mtu in found:
            raise node.error("one path of every muscle", f"another one of '{one.mtu}'")
        found[one.mtu] = one
    return PathSet(paths=tuple(found.values()))


def _read_path(node: XmlNode) -> PolynomialPath:
    """Read one path; in a model its muscle is what it is inside."""
    parent = node.element.getparent()
    in_model = parent is not None and parent.tag != "objects"
    holder = XmlNode(parent, node.path) if parent is not None and in_model else node
    coordinates = node.child("coordinate_paths", "coordinates").names()
    if not coordinates:
        raise node.error("the paths of its coordinates", "none")
    function = _polynomial(node.child("length_function"))
    order, coefficients = _read_function(function, len(coordinates))
    ranges = node.find("coordinate_ranges")
    bounds = () if ranges is None else ranges.numbers()
    try:
        result = PolynomialPath(
            mtu=name_in(holder.attribute("name")),
            coordinate_paths=coordinates,
            order=order,
            coefficients=coefficients,
            ranges=tuple(zip(bounds[::2], bounds[1::2], strict=True)),
        )
    except DataError as error:
        raise node.error(error.expected, error.got) from error
    except ValueError as error:
        raise (ranges or node).error("a lowest and a highest value of each", str(error)) from error
    arms = node.find("moment_arm_functions")
    if arms is not None and arms.elements():
        _check_arms(arms, result)
    return result


def _polynomial(holder: XmlNode) -> XmlNode:
    """Return the polynomial inside an element that may hold any function."""
    functions = holder.elements()
    if len(functions) != 1 or functions[0].tag != _FUNCTION:
        got = ", ".join(f"<{one.tag}>" for one in functions) or "none"
        raise holder.error(
            f"one <{_FUNCTION}>",
            got,
            "Other functions are not read: fit polynomials to poses of the model",
        )
    return functions[0]


def _read_function(function: XmlNode, n_coordinate: int) -> tuple[int, FloatArray]:
    """Return order and coefficients of a polynomial."""
    dimension, order = function.child("dimension"), function.child("order")
    if dimension.integer() != n_coordinate:
        raise dimension.error(f"{n_coordinate}, as there are coordinate paths", dimension.text())
    if not 0 <= order.integer() <= 12:
        raise order.error("an order of 0 to 12", order.text())
    node = function.child("coefficients")
    coefficients = np.array(node.numbers())
    expected = n_term(n_coordinate, order.integer())
    if len(coefficients) != expected:
        raise node.error(
            f"{expected} numbers, as {n_coordinate} coordinates and order {order.text()} have",
            str(len(coefficients)),
        )
    return order.integer(), coefficients


def _check_arms(arms: XmlNode, path: PolynomialPath) -> None:
    """Refuse moment arms that are not the derivative of the length: ours always are."""
    functions = arms.elements()
    n = len(path.coordinate_paths)
    if len(functions) != n:
        raise arms.error(f"{n} functions, one of every coordinate", str(len(functions)))
    scale = np.abs(path.coefficients).max()
    for i, function in enumerate(functions):
        expected = -derivative_coefficients(path.coefficients, n, path.order, i)
        order, found = (
            _read_function(function, n) if function.tag == _FUNCTION else (-1, np.zeros(0))
        )
        if order != max(path.order - 1, 0) or np.abs(found - expected).max() > _ROUNDING * scale:
            raise function.error(
                f"minus the derivative of the length by {path.coordinate_names[i]}",
                "another function",
                "Moment arms that are not -dL/dq do work that no muscle does. Delete "
                "<moment_arm_functions> to have the derivative",
            )


def write_paths(paths: PathSet, path: str | os.PathLike[str]) -> None:
    """Write a ``FunctionBasedPathSet``.

    Parameters
    ----------
    paths : PathSet
        What is written.
    path : path-like
        The file; replaced in one step.
    """
    document = etree.Element("OpenSimDocument", Version=_VERSION)
    root = XmlNode(document, Path(path))
    objects = root.add("Set_FunctionBasedPath_").add("objects")
    for one in paths.paths:
        node = objects.add(_PATH)
        node.element.set("name", f"/forceset/{one.mtu}")
        node.add("coordinate_paths", " ".join(one.coordinate_paths))
        if one.ranges:
            bounds = (number_text(value) for pair in one.ranges for value in pair)
            node.add("coordinate_ranges", " ".join(bounds))
        function = node.add("length_function").add(_FUNCTION)
        function.add("coefficients", " ".join(map(number_text, one.coefficients.tolist())))
        function.add("dimension", str(len(one.coordinate_paths)))
        function.add("order", str(one.order))
    etree.indent(document, space="\t")
    data = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
    write_atomically(path, data + b"\n")
