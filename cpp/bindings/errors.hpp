/// Errors of the engines as the package's own.
#pragma once

#include "pybind.hpp"

#include <exception>
#include <stdexcept>

namespace ceinms_torch::bindings {

/// Raises what Python makes of a message, `ceinms_torch.errors.engine_error`: a ValueError, too.
inline void set_engine_error(const char* message) {
  const py::object error = py::module_::import("ceinms_torch.errors").attr("engine_error")(message);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
}

/// Without this, a caller could not tell our std::invalid_argument from anybody's ValueError.
inline void translate_invalid_arguments(std::exception_ptr pointer) {
  try {
    if (pointer) {
      std::rethrow_exception(pointer);
    }
  } catch (const std::invalid_argument& error) {
    set_engine_error(error.what());
  }
}

}  // namespace ceinms_torch::bindings
