/// What each bind_*.cpp file adds to ceinms_torch._torch.
#pragma once

#include "pybind_torch.hpp"

namespace ceinms_torch::bindings {

void bind_adamw(py::module_& module);
void bind_engine(py::module_& module);
void bind_calibration(py::module_& module);

}  // namespace ceinms_torch::bindings
