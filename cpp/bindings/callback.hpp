/// What Python gives a long run in C++: its options, and a callback to report to and be stopped by.
#pragma once

#include "ceinms_torch/calibration/optimisers.hpp"
#include "names.hpp"
#include "pybind.hpp"

#include <cmath>
#include <string>

namespace ceinms_torch::bindings {

/// Hand `value` to `callback` (None for no report) while holding the GIL. False if the run shall
/// stop: on a signal, now or one that waits (io/interrupts.py), or a KeyboardInterrupt raised by
/// the callback. Its other exceptions go through.
template <class Value>
bool call_back(const py::object& callback, const Value& value) {
  try {
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    py::module_::import("ceinms_torch.io.interrupts").attr("raise_if_stopped")();
    if (!callback.is_none()) callback(value);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_KeyboardInterrupt)) throw;
    return false;
  }
  return true;
}

/// An attribute of the right type, or an InputError.
template <class Value>
Value attribute(const py::object& options, const std::string& name) {
  const py::object value = py::getattr(options, name.c_str(), py::none());
  try {
    return value.cast<Value>();
  } catch (const py::cast_error&) {
    throw kernel::InputError(name, "an attribute of the options, of its type", py::repr(value));
  }
}

/// A Python object's attribute of a name, as whatever number it is wanted as.
inline auto attributes_of(const py::object& source) {
  struct Attribute {
    py::object source;
    const char* name;
    operator int() const { return attribute<int>(source, name); }
    operator double() const { return attribute<double>(source, name); }
  };
  return [source](const char* name) { return Attribute{source, name}; };
}

inline calibration::AdamWOptions adamw_options(const py::object& source) {
  const auto of = attributes_of(source);
  for (const char* name : {"learning_rate", "min_learning_rate", "weight_decay"}) {
    const double value = of(name);
    if (!(value >= 0.0) || !std::isfinite(value))
      throw kernel::InputError(name, "a number >= 0", kernel::number_text(value));
  }
  return {of("learning_rate"),
          of("learning_rate_decay"),
          of("min_learning_rate"),
          of("max_iterations"),
          of("min_improvement"),
          of("patience"),
          of("weight_decay"),
          is_absolute(attribute<std::string>(source, "improvement")),
          decays_always(attribute<std::string>(source, "decay_when"))};
}

/// A Python callback as progress report: every `interval` seconds it takes the GIL, lets Ctrl-C
/// stop the run (the best point is kept) and lets the callback's own exceptions through.
inline calibration::Progress progress_through(const py::object& callback) {
  return [callback, last = -1.0](const calibration::Iteration& iteration) mutable {
    // Taking the lock at every iteration would cost as much as the iteration.
    constexpr double interval = 0.02;
    if (callback.is_none() && iteration.seconds - last < interval) return true;
    last = iteration.seconds;
    const py::gil_scoped_acquire acquire;
    return call_back(callback, iteration);
  };
}

}  // namespace ceinms_torch::bindings
