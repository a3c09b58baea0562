"""Labelled columns: a mapping that knows its unit, and its ways out."""

import sys
from collections.abc import Mapping
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import ceinms_torch as ct


@pytest.fixture
def force():
    return ct.TimeSeries(
        name="MTU force",
        units="N",
        time=np.array([0.0, 0.5, 1.0]),
        columns=("soleus_r", "gasmed_r"),
        array=np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 9.0]]),
    )


def test_it_is_a_mapping_of_its_columns(force):
    assert isinstance(force, Mapping)
    assert list(force) == ["soleus_r", "gasmed_r"]
    assert [values.tolist() for values in force.values()] == [[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]]
    assert "soleus_r" in force
    assert force.get("tibant_r") is None


def test_unknown_column_names_the_nearest(force):
    with pytest.raises(KeyError) as caught:
        force["soleus"]
    assert isinstance(caught.value, ct.CeinmsTorchError)
    assert str(caught.value) == (
        "MTU force: expected the name of a column, got 'soleus'. Did you mean 'soleus_r'?"
    )
    with pytest.raises(ct.UnknownNameError, match=r"got 'x'\. There are soleus_r, gasmed_r\.$"):
        force["x"]


def test_equal_by_value(force):
    same = ct.TimeSeries(
        name="MTU force", units="N", time=force.time, columns=force.columns, array=force.array + 0.0
    )
    assert same == force
    assert force != 1
    assert same != ct.TimeSeries(
        name="MTU force", units="N", time=force.time, columns=force.columns, array=force.array + 1.0
    )


def test_data_frame(force):
    frame = force.to_dataframe()
    assert frame.index.name == "time [s]"
    pd.testing.assert_series_equal(
        frame["gasmed_r"], pd.Series([4.0, 5.0, 9.0], index=frame.index, name="gasmed_r")
    )


def test_xarray_if_it_is_there(force, monkeypatch):
    made = ModuleType("xarray")
    made.DataArray = lambda values, **options: (values, options)
    monkeypatch.setitem(sys.modules, "xarray", made)
    values, options = force.to_xarray()
    assert values is force.array
    assert options["dims"] == ("time", "column")
    assert options["coords"]["column"] == ["soleus_r", "gasmed_r"]
    assert (options["name"], options["attrs"]) == ("MTU force", {"units": "N"})


@pytest.mark.parametrize(
    ("package", "method"), [("pandas", "to_dataframe"), ("xarray", "to_xarray")]
)
def test_package_that_is_missing_is_named(force, monkeypatch, package, method):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{package}: expected to be installed.*pip install"):
        getattr(force, method)()


def test_series_without_rows_shows_itself():
    empty = ct.TimeSeries(
        name="x", units="-", time=np.zeros(0), columns=("a",), array=np.zeros((0, 1))
    )
    assert repr(empty) == "<TimeSeries x [-]: 1 columns, 0 steps from nan to nan s>"
    assert "<td>a</td>" not in empty._repr_html_()
