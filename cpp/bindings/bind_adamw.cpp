/// The AdamW loop of the tensor engine for Python.

#include "bind_torch.hpp"
#include "callback.hpp"
#include "ceinms_torch/tensor/adamw.hpp"
#include "ceinms_torch/tensor/hybrid_problem.hpp"

#include <string>
#include <utility>

namespace ceinms_torch::bindings {
namespace {

using tensor::AdamWOptions;
using tensor::HybridProblem;
using tensor::Iteration;
using tensor::Minimum;
using tensor::Problem;
using tensor::Status;

std::string name_of(Status status) {
  switch (status) {
    case Status::converged:
      return "converged";
    case Status::max_iterations:
      return "max_iterations";
    case Status::interrupted:
      return "interrupted";
    case Status::not_finite:
      break;
  }
  return "not_finite";
}

tensor::Progress progress_through(const py::object& callback) {
  return [callback](const Iteration& iteration) {
    const py::gil_scoped_acquire acquire;
    return call_back(callback, iteration);
  };
}

template <class AnyProblem>
void bind_minimiser(py::module_& module) {
  module.def(
      "minimise_adamw",
      [](const AnyProblem& problem, const at::Tensor& start, double learning_rate,
         double learning_rate_decay, double min_learning_rate, int max_iterations,
         double min_improvement, int patience, double weight_decay, const py::object& callback) {
        const AdamWOptions options{learning_rate,  learning_rate_decay, min_learning_rate,
                                   max_iterations, min_improvement,     patience,
                                   weight_decay};
        const tensor::Progress progress = progress_through(callback);
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
  py::class_<Iteration>(module, "Iteration", "The objective at one iterate.")
      .def_readonly("iteration", &Iteration::iteration)
      .def_readonly("evaluations", &Iteration::evaluations)
      .def_readonly("seconds", &Iteration::seconds)
      .def_readonly("objective", &Iteration::objective)
      .def_readonly("terms", &Iteration::terms)
      .def_readonly("rmse", &Iteration::rmse);
  py::class_<Minimum>(module, "Minimum", "The best point an optimiser saw, and how it got there.")
      .def_readonly("x", &Minimum::x)
      .def_readonly("objective", &Minimum::objective)
      .def_readonly("term_names", &Minimum::term_names)
      .def_readonly("terms", &Minimum::terms)
      .def_readonly("history", &Minimum::history)
      .def_readonly("evaluations", &Minimum::evaluations)
      .def_readonly("seconds", &Minimum::seconds)
      .def_property_readonly("status", [](const Minimum& m) { return name_of(m.status); });
  bind_minimiser<Problem>(module);
  bind_minimiser<HybridProblem>(module);
}

}  // namespace ceinms_torch::bindings
