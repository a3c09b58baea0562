/// The extension module ceinms_torch._kernel: the kernel layer for Python, without torch.

#include "bind_kernel.hpp"
#include "translate.hpp"

PYBIND11_MODULE(_kernel, module) {
  module.doc() = "Numerical kernel of ceinms_torch: arrays in, arrays out. Does not load torch.";
  py::register_local_exception_translator(&ceinms_torch::bindings::translate_input_errors);
  ceinms_torch::bindings::bind_curves(module);
  ceinms_torch::bindings::bind_simulation(module);
  ceinms_torch::bindings::bind_fused(module);
  ceinms_torch::bindings::bind_excitation(module);
  ceinms_torch::bindings::bind_synergies(module);
  ceinms_torch::bindings::bind_paths(module);
  ceinms_torch::bindings::bind_stream(module);
  ceinms_torch::bindings::bind_legacy(module);
  ceinms_torch::bindings::bind_annealing(module);
  module.attr("__version__") = CEINMS_TORCH_VERSION;
}
