/// The extension module ceinms_torch._torch: the tensor and calibration layers for Python.

#include "bind_torch.hpp"
#include "translate.hpp"

#include <c10/util/Exception.h>
#include <torch/version.h>

namespace {

/// Without this, every failed TORCH_CHECK_* is a RuntimeError that ends in a C++ backtrace.
void translate_torch_errors(std::exception_ptr pointer) {
  try {
    if (pointer) {
      std::rethrow_exception(pointer);
    }
  } catch (const c10::IndexError& error) {
    py::set_error(PyExc_IndexError, error.what_without_backtrace());
  } catch (const c10::ValueError& error) {
    const py::object made = py::module_::import("ceinms_torch.errors")
                                .attr("engine_error")(error.what_without_backtrace());
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(made.ptr())), made.ptr());
  } catch (const c10::TypeError& error) {
    py::set_error(PyExc_TypeError, error.what_without_backtrace());
  } catch (const c10::NotImplementedError& error) {
    py::set_error(PyExc_NotImplementedError, error.what_without_backtrace());
  } catch (const c10::Error& error) {
    py::set_error(PyExc_RuntimeError, error.what_without_backtrace());
  }
}

}  // namespace

PYBIND11_MODULE(_torch, module) {
  module.doc() =
      "Tensor and calibration layers of ceinms_torch. Import through ceinms_torch._backend.";
  module.attr("torch_version") = TORCH_VERSION;
  py::register_local_exception_translator(&translate_torch_errors);
  py::register_local_exception_translator(&ceinms_torch::bindings::translate_input_errors);
  ceinms_torch::bindings::bind_engine(module);
  ceinms_torch::bindings::bind_calibration(module);
  ceinms_torch::bindings::bind_adamw(module);
}
