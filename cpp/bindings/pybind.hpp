/// pybind11 as every binding file of this project uses it. Knows nothing of torch.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

namespace py = pybind11;

namespace ceinms_torch::bindings {
using namespace py::literals;  // "name"_a
}
