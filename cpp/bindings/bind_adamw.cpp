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
      [](const AnyProblem& problem, const at::Tensor& start, double learning_rate,
         double learning_rate_decay, double min_learning_rate, int max_iterations,
         double min_improvement, int patience, double weight_decay, const py::object& callback) {
        const calibration::AdamWOptions options{
            learning_rate, learning_rate_decay, min_learning_rate, max_iterations, min_improvement,
            patience,      weight_decay};
        const calibration::Progress progress = progress_through(callback);
        // The autograd engine must not be called while holding the GIL.
        const py::gil_scoped_release release;
        problem.check_point(start);
        return tensor::minimise_adamw([&](const at::Tensor& x) { return problem.evaluate(x); },
                                      problem.n_boxed(), start, options, progress);
      },
      py::arg("problem"), py::arg("start"), py::kw_only(), py::arg("learning_rate"),
      py::arg("learning_rate_decay"), py::arg("min_learning_rate"), py::arg("max_iterations"),
      py::arg("min_improvement"), py::arg("patience"), py::arg("weight_decay"),
      py::arg("callback") = py::none(),
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
