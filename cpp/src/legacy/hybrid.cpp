#include "ceinms_torch/legacy/hybrid.hpp"

#include <algorithm>

namespace ceinms_torch::legacy {

std::size_t AnnealingSearch::search(FrameProblem& problem) {
  std::vector<double> start;
  for (std::size_t i = 0; i < problem.searched().size(); ++i) start.push_back(problem.start(i));
  const std::vector<double> lower(start.size(), 0.0);
  const std::vector<double> upper(start.size(), 1.0);
  const AnnealingHooks hooks{
      .objective = [&](std::span<const double> x) { return problem.objective(x); },
      .report = [](const Temperature&) { return true; },
      .go_on = go_on_};
  const AnnealingResult best = anneal(AnnealingKind::hybrid, start, lower, upper, options_, hooks);
  problem.objective(best.x);
  return static_cast<std::size_t>(best.evaluations);
}

std::size_t run_hybrid(FrameProblem& problem, FrameSearch& search, const HybridOutput& out,
                       const std::function<bool()>& go_on) {
  FrameModel& model = problem.model();
  const std::size_t n_step = model.trial().n_step();
  const std::size_t n_mtu = model.trial().n_mtu;
  std::fill_n(out.run.n_failed, n_mtu, std::int64_t{0});
  model.charge();
  for (std::size_t frame = 0; frame < n_step; ++frame) {
    model.begin(frame);
    const std::size_t evaluations = problem.searched().empty() ? 0 : search.search(problem);
    if (!go_on()) return frame;
    // The original solves all MTUs once more for its files. With the elastic tendon the solution
    // moves within its tolerance, and later frames start from it.
    model.solve_again();
    model.write(out.run);
    for (std::size_t m = 0; m < n_mtu; ++m) {
      out.excitation[frame * n_mtu + m] = model.excitation(m);
      if (model.has_failed(m)) ++out.run.n_failed[m];
    }
    const FrameTerms terms = problem.terms();
    double* row = out.terms + frame * 3;
    row[0] = terms.moment;
    row[1] = terms.effort;
    row[2] = terms.tracking;
    out.evaluations[frame] = static_cast<std::int64_t>(evaluations);
    model.end();
  }
  return n_step;
}

}  // namespace ceinms_torch::legacy
