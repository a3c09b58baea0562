#include "ceinms_torch/engine/simulation.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace ceinms_torch::engine {

using kernel::n_parameter_kind;
using kernel::ParameterKind;
using kernel::Quantity;

Workspace::Workspace(LaneLayout layout, std::shared_ptr<const CurveTables> curves,
                     kernel::SimulationOptions options, std::size_t n_thread)
    : layout_(std::move(layout)),
      curves_(std::move(curves)),
      options_(options),
      buffers_(layout_.n_block()),
      window_(std::clamp<std::size_t>(2048 / layout_.n_trial() / 32 * 32, 32, 256)),
      pool_(std::make_unique<ThreadPool>(std::min(n_thread, layout_.n_block()))) {}

void Workspace::allocate() {
  const std::size_t width = layout_.backend().width;
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    Buffers& b = buffers_[i];
    const LaneBlock& block = layout_.block(i);
    const std::size_t step_size = block.n_step * width;
    const std::size_t sample_size = (block.n_run_in + block.n_step) * width;
    b.is_current = false;
    if (b.values.size() == sample_size + 6 * step_size) continue;
    b.parameters = AlignedBuffer(n_parameter_kind * width);
    b.gradient = AlignedBuffer(n_parameter_kind * width);
    b.values = AlignedBuffer(sample_size + 6 * step_size);
    double* next = b.values.data();
    const auto take = [&](std::size_t size) { return std::exchange(next, next + size); };
    b.trace.sample = take(sample_size);
    b.trace.denominator = take(step_size);
    for (const Quantity quantity : kernel::all_quantities) b.trace[quantity] = take(step_size);
  }
}

bool Workspace::load_parameters(const double* parameters, std::size_t block) {
  const std::size_t width = layout_.backend().width;
  const std::vector<Lane>& lanes = layout_.lanes_of(block);
  AlignedBuffer& packed = buffers_[block].parameters;
  bool changed = false;
  for (std::size_t kind = 0; kind < n_parameter_kind; ++kind) {
    for (std::size_t place = 0; place < width; ++place) {
      const Lane& lane = lanes[std::min(place, lanes.size() - 1)];
      const double value = parameters[kind * layout_.n_mtu() + lane.mtu];
      double& stored = packed[kind * width + place];
      changed |= stored != value;
      stored = value;
    }
  }
  return changed;
}

void Workspace::forward(const double* parameters, const BlockWork& after) {
  const auto em_delay = static_cast<std::size_t>(ParameterKind::em_delay);
  if (layout_.sample_excitations(parameters + em_delay * layout_.n_mtu())) allocate();
  pool_->run(layout_.n_block(), [&](std::size_t i, std::size_t) {
    Buffers& b = buffers_[i];
    if (load_parameters(parameters, i) || !b.is_current)
      layout_.backend().forward(curves_->views(), b.parameters.data(), layout_.block(i), options_,
                                b.trace);
    b.is_current = true;
    if (after) after(i);
  });
}

void Workspace::sensitivities(const double* parameters, const std::vector<ParameterKind>& kinds,
                              const std::vector<Quantity>& quantities,
                              const WindowBlockWork& after_block, const WindowWork& after) {
  if (kinds.size() > max_sensitivities)
    throw std::invalid_argument("kinds: expected at most " + std::to_string(max_sensitivities) +
                                ", got " + std::to_string(kinds.size()) + ".");
  const auto em_delay = static_cast<std::size_t>(ParameterKind::em_delay);
  if (layout_.sample_excitations(parameters + em_delay * layout_.n_mtu())) allocate();
  const std::size_t width = layout_.backend().width;
  std::size_t n_step = 0;
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    Buffers& b = buffers_[i];
    n_step = std::max(n_step, layout_.block(i).n_step);
    load_parameters(parameters, i);
    const std::size_t size = std::min(layout_.block(i).n_step, window_) * width * kinds.size();
    if (b.derivatives.size() != quantities.size() * size)
      b.derivatives = AlignedBuffer(quantities.size() * size);
    b.sensitivities = {};
    for (std::size_t q = 0; q < quantities.size(); ++q)
      b.sensitivities[quantities[q]] = b.derivatives.data() + q * size;
    b.state = AlignedBuffer(n_sensitivity_row * width);
    // Its values are those of the plain pass but for rounding; nobody shall see which pass it was.
    b.is_current = false;
  }
  for (kernel::StepRange steps{0, window_}; steps.first < n_step;
       steps = {steps.end, steps.end + window_}) {
    pool_->run(layout_.n_block(), [&](std::size_t i, std::size_t) {
      Buffers& b = buffers_[i];
      const LaneBlock& block = layout_.block(i);
      if (steps.first >= block.n_step) return;
      const kernel::StepRange own{steps.first, std::min(steps.end, block.n_step)};
      layout_.backend().sensitivities(curves_->views(), b.parameters.data(), block, options_,
                                      {kinds.data(), kinds.size(), own}, b.state.data(), b.trace,
                                      b.sensitivities);
      after_block(i, own);
    });
    after(steps);
  }
}

double* Workspace::seed(std::size_t block, Quantity quantity) {
  Seed& one = buffers_[block].seeds[quantity];
  const std::size_t size = layout_.block(block).n_step * layout_.backend().width;
  if (one.table.size() != size) one.table = AlignedBuffer(size);
  one.in_use = true;
  return one.table.data();
}

void Workspace::clear_seeds() noexcept {
  for (std::size_t i = 0; i < buffers_.size(); ++i) clear_seeds(i);
}

void Workspace::clear_seeds(std::size_t block) noexcept {
  for (const Quantity quantity : kernel::all_quantities) {
    Seed& one = buffers_[block].seeds[quantity];
    if (one.in_use) std::fill(one.table.data(), one.table.data() + one.table.size(), 0.0);
    one.in_use = false;
  }
}

void Workspace::reverse(double* gradient, const BlockWork& before) {
  const std::size_t width = layout_.backend().width;
  pool_->run(layout_.n_block(), [&](std::size_t i, std::size_t) {
    if (before) before(i);
    Buffers& b = buffers_[i];
    const LaneBlock& block = layout_.block(i);
    const std::size_t sample_size = (block.n_run_in + block.n_step) * width;
    if (b.by_sample.size() != sample_size) b.by_sample = AlignedBuffer(sample_size);
    LaneSeeds seeds;
    for (const Quantity quantity : kernel::all_quantities)
      if (b.seeds[quantity].in_use) seeds[quantity] = b.seeds[quantity].table.data();
    layout_.backend().reverse(curves_->views(), b.parameters.data(), block, options_, b.trace,
                              seeds, b.gradient.data(), b.by_sample.data());
  });
  std::fill(gradient, gradient + n_parameter_kind * layout_.n_mtu(), 0.0);
  for (std::size_t i = 0; i < layout_.n_block(); ++i)
    for (const Lane& lane : layout_.lanes_of(i))
      for (std::size_t kind = 0; kind < n_parameter_kind; ++kind)
        gradient[kind * layout_.n_mtu() + lane.mtu] +=
            buffers_[i].gradient[kind * width + lane.place];
}

}  // namespace ceinms_torch::engine
