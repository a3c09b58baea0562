/// What each bind_*.cpp file adds to ceinms_torch._kernel.
#pragma once

#include "pybind.hpp"

namespace ceinms_torch::bindings {

void bind_annealing(py::module_& module);
void bind_curves(py::module_& module);
void bind_excitation(py::module_& module);
void bind_fused(py::module_& module);
void bind_synergies(py::module_& module);
void bind_legacy(py::module_& module);
void bind_paths(py::module_& module);
void bind_simulation(py::module_& module);
void bind_stream(py::module_& module);

}  // namespace ceinms_torch::bindings
