/// What each bind_*.cpp file adds to ceinms_torch._torch.
#pragma once

#include "ceinms_torch/tensor/recurrence.hpp"
#include "names.hpp"
#include "pybind_torch.hpp"

namespace ceinms_torch::bindings {

inline tensor::Stepping stepping_named(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, tensor::Stepping>, 3> words{
      {{"automatic", tensor::Stepping::automatic},
       {"compiled", tensor::Stepping::compiled},
       {"operations", tensor::Stepping::operations}}};
  return named("stepping", word, words);
}

void bind_adamw(py::module_& module);
void bind_engine(py::module_& module);
void bind_calibration(py::module_& module);

}  // namespace ceinms_torch::bindings
