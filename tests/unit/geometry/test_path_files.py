"""Polynomial paths in files of OpenSim."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import FileFormatError
from ceinms_torch.geometry.path_files import read_paths, write_paths
from ceinms_torch.geometry.path_set import PathSet, PolynomialPath
from ceinms_torch.geometry.polynomials import n_term

FUNCTION = """<MultivariatePolynomialFunction>
  <!--Coefficients of a multivariate polynomial function.-->
  <coefficients>{coefficients}</coefficients>
  <dimension>{dimension}</dimension>
  <order>{order}</order>
</MultivariatePolynomialFunction>"""
KNEE = FUNCTION.format(coefficients="0.4 0.03 -0.01", dimension=1, order=2)
TWO = FUNCTION.format(coefficients="0.5 0.04 -0.02", dimension=2, order=1)


def path(
    name="/forceset/vaslat_r", coordinates="/jointset/knee/knee_angle_r", rest="", length=KNEE
):
    return f"""<FunctionBasedPath name="{name}">
<!--The list of paths to the model coordinates.-->
<coordinate_paths>{coordinates}</coordinate_paths>{rest}
<length_function>
{length}
</length_function>
</FunctionBasedPath>"""


def document(tmp_path, *paths):
    file = tmp_path / "paths.xml"
    text = "\n".join(paths)
    file.write_text(
        '<?xml version="1.0"?>\n<OpenSimDocument Version="40600"><Set_FunctionBasedPath_>\n'
        f"<objects>\n{text}\n</objects><groups /></Set_FunctionBasedPath_></OpenSimDocument>\n",
        encoding="utf-8",
    )
    return file


def test_a_set_of_opensim_is_read(tmp_path):
    gaslat = path(
        "/forceset/gaslat_r", "/jointset/knee/knee_angle_r /jointset/ankle/ankle_angle_r", "", TWO
    )
    paths = read_paths(document(tmp_path, path(), gaslat))
    assert paths.mtu_names == ("vaslat_r", "gaslat_r")
    assert paths.coordinate_names == ("knee_angle_r", "ankle_angle_r")
    assert paths.paths[1].coordinate_paths[1] == "/jointset/ankle/ankle_angle_r"
    found = paths.evaluate([[0.5, 0.2]])
    # The last coordinate comes first: 0.04 is of the ankle.
    np.testing.assert_allclose(
        found.mtu_length, [[0.4 + 0.015 - 0.0025, 0.5 + 0.008 - 0.01]], rtol=1e-15
    )
    np.testing.assert_allclose(found.moment_arm, [[[-0.02, 0.02], [0.0, -0.04]]], atol=1e-16)


def test_a_model_with_such_paths_is_read(tmp_path):
    inside = path("path").replace("coordinate_paths>", "coordinates>")
    file = tmp_path / "model.osim"
    file.write_text(
        '<OpenSimDocument Version="40500"><Model><ForceSet><objects>'
        f'<Millard2012EquilibriumMuscle name="soleus_r">{inside}</Millard2012EquilibriumMuscle>'
        "</objects></ForceSet></Model></OpenSimDocument>",
        encoding="utf-8",
    )
    assert read_paths(file).mtu_names == ("soleus_r",)


@pytest.mark.parametrize(
    ("faulty", "line", "message"),
    [
        ([path(length="<LinearFunction/>")], 7, "one <MultivariatePolynomialFunction>, got <Lin"),
        ([path(), path()], 16, "one path of every muscle, got another one of 'vaslat_r'"),
        ([path(coordinates="")], 4, "the paths of its coordinates, got none"),
        ([path(length=KNEE.replace("<order>2", "<order>3"))], 10, "4 numbers, as 1 .*, got 3"),
        ([path(length=KNEE.replace("<order>2", "<order>x"))], 12, "a whole number, got 'x'"),
        ([path(length=KNEE.replace("<order>2", "<order>40"))], 12, "an order of 0 to 12, got 40"),
        ([path(length=KNEE.replace("0.03", "nan"))], 10, "a finite number, got 'nan'"),
        ([path(coordinates="/a/knee /b/hip")], 11, "2, as there are coordinate paths, got 1"),
        ([path(coordinates="/a/knee /b/knee", length=TWO)], 4, "different coordinates.*got knee"),
        ([path(rest="<coordinate_ranges>0 1 2</coordinate_ranges>")], 6, "lowest and a highest"),
        ([path().replace("length_function", "speed_function")], 4, "<length_function> inside"),
        ([], 2, "a <FunctionBasedPath>, .*, got none"),
    ],
)
def test_faults_name_their_line(tmp_path, faulty, line, message):
    file = document(tmp_path, *faulty)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_paths(file)
    assert caught.value.where.file == file
    assert caught.value.where.line == line


def arms(coefficients, order=1):
    function = FUNCTION.format(coefficients=coefficients, dimension=1, order=order)
    return f"<moment_arm_functions>{function}</moment_arm_functions>"


def test_moment_arm_functions_must_be_the_derivative(tmp_path):
    read_paths(document(tmp_path, path(rest=arms("-0.03 0.02"))))  # minus 0.03 - 0.02 q
    for other in (arms("0.03 -0.02"), arms("-0.03 0.02 0", 2), arms("-0.03 0.025")):
        with pytest.raises(FileFormatError, match="minus the derivative of the length by knee_ang"):
            read_paths(document(tmp_path, path(rest=other)))


@given(st.integers(1, 3), st.integers(0, 4), st.integers(0, 2**32 - 1), st.booleans())
def test_what_is_written_comes_back(tmp_path_factory, n, order, seed, has_ranges):
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=n_term(n, order)) * 10.0 ** rng.integers(-9, 3)
    low = rng.normal(size=n)
    one = PolynomialPath(
        mtu="soleus_r",
        coordinate_paths=tuple(f"/jointset/joint/q{i}" for i in range(n)),
        order=order,
        coefficients=coefficients,
        ranges=tuple((value, value + 1.0) for value in low.tolist()) if has_ranges else (),
    )
    file = tmp_path_factory.mktemp("paths") / "deep" / "paths.xml"
    write_paths(PathSet(paths=(one,)), file)
    (found,) = read_paths(file).paths
    np.testing.assert_array_equal(found.coefficients, one.coefficients)
    assert (found.mtu, found.coordinate_paths, found.order, found.ranges) == (
        one.mtu,
        one.coordinate_paths,
        one.order,
        one.ranges,
    )
