#include "ceinms_torch/legacy/frame_problem.hpp"

#include <cmath>

namespace ceinms_torch::legacy {

FrameProblem::FrameProblem(FrameModel& model, const double* measured, const HybridOptions& options)
    : model_(model), measured_(measured), options_(options), searched_(options.adjust) {
  searched_.insert(searched_.end(), options.synth.begin(), options.synth.end());
}

void FrameProblem::set(std::span<const double> x) {
  for (std::size_t i = 0; i < searched_.size(); ++i) model_.set_excitation(searched_[i], x[i]);
}

double FrameProblem::objective(std::span<const double> x) {
  set(x);
  return terms().objective(options_);
}

FrameTerms FrameProblem::terms() const noexcept {
  FrameTerms result;
  for (std::size_t i = 0; i < options_.dofs.size(); ++i) {
    const double difference = measured(i) - model_.moment(options_.dofs[i]);
    result.moment += difference * difference;
  }
  for (std::size_t m = 0; m < model_.trial().n_mtu; ++m)
    result.effort += model_.excitation(m) * model_.excitation(m);
  for (const std::size_t m : options_.adjust)
    result.tracking += std::abs(model_.excitation(m) - model_.recorded(m));
  return result;
}

}  // namespace ceinms_torch::legacy
