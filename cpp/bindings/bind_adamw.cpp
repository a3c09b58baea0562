/// The AdamW loop of the tensor engine for Python.

#include "bind_torch.hpp"
#include "callback.hpp"
#include "ceinms_torch/tensor/adamw.hpp"
#include "ceinms_torch/tensor/synergy_problem.hpp"

namespace ceinms_torch::bindings {
namespace {

template <class AnyProblem>
void bind_minimiser(py::module_& module) {
  module.def(
      "minimise_adamw",
      [](const AnyProblem& problem, const at::Tensor& start, const py::object& source,
         const py::object& callback) {
        const calibration::AdamWOptions options = adamw_options(source);
        const calibration::Progress progress = progress_through(callback);
        // The autograd engine must not be called while holding the GIL.
        const py::gil_scoped_release release;
        problem.check_point(start);
        return tensor::minimise_adamw([&](const at::Tensor& x) { return problem.evaluate(x); },
                                      problem.n_boxed(), start, options, progress);
      },
      "problem"_a, "start"_a, py::kw_only(), "options"_a, "callback"_a = py::none(),
      "Minimise from start (n); callback(Iteration) after every evaluation. Ctrl-C stops and "
      "keeps the best point.");
}

}  // namespace

void bind_adamw(py::module_& module) {
  // Iteration and Minimum are those of the other module, which makes them known to Python.
  py::module_::import("ceinms_torch._kernel");
  bind_minimiser<tensor::Problem>(module);
  bind_minimiser<tensor::SynergyProblem>(module);
}

}  // namespace ceinms_torch::bindings
