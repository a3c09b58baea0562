/// Progress callbacks: how a long run in C++ reports to Python and lets Ctrl-C stop it.
#pragma once

#include "pybind.hpp"

namespace ceinms_torch::bindings {

/// Hand `value` to `callback` (None for no report) while holding the GIL. False if the run shall
/// stop: on Ctrl-C, or a KeyboardInterrupt raised by the callback. Its other exceptions go through.
template <class Value>
bool call_back(const py::object& callback, const Value& value) {
  if (PyErr_CheckSignals() != 0) {
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) == 0) throw py::error_already_set();
    PyErr_Clear();
    return false;
  }
  if (callback.is_none()) return true;
  try {
    callback(value);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_KeyboardInterrupt)) throw;
    return false;
  }
  return true;
}

}  // namespace ceinms_torch::bindings
