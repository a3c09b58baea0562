/// Errors of the core as errors of the package.
#pragma once

#include "ceinms_torch/kernel/input_error.hpp"
#include "pybind.hpp"

#include <exception>

namespace ceinms_torch::bindings {

/// An InputError becomes a DataError with the same parts.
inline void translate_input_errors(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const kernel::InputError& error) {
    const py::object kind = py::module_::import("ceinms_torch.errors").attr("DataError");
    const py::object made = kind("where"_a = error.where, "expected"_a = error.expected,
                                 "got"_a = error.got, "hint"_a = error.hint);
    PyErr_SetObject(kind.ptr(), made.ptr());
  }
}

}  // namespace ceinms_torch::bindings
