#include "ceinms_torch/engine/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>

namespace ceinms_torch::engine {

AlignedBuffer::AlignedBuffer(std::size_t size, double value) : size_(size) {
  if (size > std::numeric_limits<std::size_t>::max() / sizeof(double))
    throw std::bad_array_new_length();
  const std::size_t n_byte = std::max<std::size_t>(size, 1) * sizeof(double);
  data_.reset(static_cast<double*>(::operator new[](n_byte, alignment)));
  std::fill(data_.get(), data_.get() + size, value);
}

CurveTables::CurveTables(const kernel::MtuCurves<kernel::PiecewiseCubic>& curves)
    : views_{view(curves.active_force_length), view(curves.passive_force_length),
             view(curves.force_velocity), view(curves.tendon_force_strain)} {}

TableView CurveTables::view(const kernel::PiecewiseCubic& table) {
  constexpr std::size_t stride = 8;  // kernel::PackTable::stride
  const std::size_t n_knot = table.knots.size();
  AlignedBuffer knots(n_knot);
  std::copy(table.knots.begin(), table.knots.end(), knots.data());
  AlignedBuffer pieces((n_knot + 1) * stride);
  for (std::size_t i = 0; i <= n_knot; ++i) {
    pieces[i * stride] = table.pieces[i].origin;
    std::copy(table.pieces[i].c.begin(), table.pieces[i].c.end(), pieces.data() + i * stride + 1);
  }
  TableView result{knots.data(), pieces.data(), n_knot, 0.0};
  if (n_knot > 2) {
    const double step =
        (table.knots.back() - table.knots.front()) / static_cast<double>(n_knot - 1);
    bool is_even = true;
    for (std::size_t i = 0; i < n_knot; ++i)
      is_even &= std::abs(table.knots[i] - table.knots.front() - step * static_cast<double>(i)) <
                 1e-9 * step;
    if (is_even) result.per_step = 1.0 / step;
  }
  buffers_.push_back(std::move(knots));
  buffers_.push_back(std::move(pieces));
  return result;
}

LaneLayout::LaneLayout(const Backend& backend, const std::vector<kernel::TrialInput>& trials)
    : backend_(&backend), n_mtu_(trials.front().n_mtu), lanes_(trials.size() * n_mtu_) {
  for (const kernel::TrialInput& trial : trials) {
    n_step_.push_back(trial.n_step);
    Signal signal{trial.n_row, trial.excitation_start, trial.excitation_rate,
                  std::vector<double>(trial.time, trial.time + trial.n_step),
                  std::vector<double>(trial.n_row * n_mtu_)};
    for (std::size_t row = 0; row < trial.n_row; ++row)
      for (std::size_t mtu = 0; mtu < n_mtu_; ++mtu)
        signal.excitation[mtu * trial.n_row + row] = trial.excitation[row * n_mtu_ + mtu];
    signals_.push_back(std::move(signal));
  }
  std::vector<std::size_t> order(trials.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return n_step_[a] > n_step_[b]; });
  for (const std::size_t trial : order) {
    for (std::size_t mtu = 0; mtu < n_mtu_; ++mtu) {
      if (blocks_.empty() || blocks_.back().lanes.size() == backend.width) blocks_.emplace_back();
      const Lane lane{trial, mtu, blocks_.size() - 1, blocks_.back().lanes.size()};
      blocks_.back().lanes.push_back(lane);
      lanes_[trial * n_mtu_ + mtu] = lane;
    }
  }
  for (Block& block : blocks_) fill(block, trials);
}

void LaneLayout::fill(Block& block, const std::vector<kernel::TrialInput>& trials) {
  const std::size_t width = backend_->width;
  for (const Lane& lane : block.lanes)
    block.view.n_step = std::max(block.view.n_step, n_step_[lane.trial]);
  const std::size_t n_step = block.view.n_step;
  block.mtu_length = AlignedBuffer(n_step * width);
  block.mtu_velocity = AlignedBuffer(n_step * width);
  block.time_step = AlignedBuffer(n_step * width, 1.0);
  for (std::size_t place = 0; place < width; ++place) {
    // A block that is not full repeats its last lane; nobody reads the repetition.
    const Lane& lane = block.lanes[std::min(place, block.lanes.size() - 1)];
    const kernel::TrialInput& trial = trials[lane.trial];
    for (std::size_t k = 0; k < n_step; ++k) {
      const std::size_t step = std::min(k, trial.n_step - 1);
      const std::size_t from = step * n_mtu_ + lane.mtu;
      block.mtu_length[k * width + place] = trial.mtu_length[from];
      block.mtu_velocity[k * width + place] = trial.mtu_velocity[from];
      const std::size_t later =
          std::clamp<std::size_t>(k, 1, std::max<std::size_t>(trial.n_step, 2) - 1);
      if (trial.n_step > 1)
        block.time_step[k * width + place] = trial.time[later] - trial.time[later - 1];
    }
  }
  block.view.mtu_length = block.mtu_length.data();
  block.view.mtu_velocity = block.mtu_velocity.data();
  block.view.time_step = block.time_step.data();
}

void LaneLayout::load_excitation(std::size_t trial, std::size_t mtu, const double* excitation,
                                 std::size_t row_stride) {
  Signal& signal = signals_[trial];
  double* to = signal.excitation.data() + mtu * signal.n_row;
  for (std::size_t row = 0; row < signal.n_row; ++row) to[row] = excitation[row * row_stride];
  is_sampled_ = false;
}

bool LaneLayout::sample_excitations(const double* em_delay) {
  if (is_sampled_ && std::equal(em_delay_.begin(), em_delay_.end(), em_delay)) return false;
  is_sampled_ = false;
  em_delay_.assign(em_delay, em_delay + n_mtu_);
  for (Block& block : blocks_) sample(block);
  is_sampled_ = true;
  return true;
}

void LaneLayout::sample(Block& block) {
  const std::size_t width = backend_->width;
  LaneBlock& view = block.view;
  view.n_run_in = 0;
  for (const Lane& lane : block.lanes)
    view.n_run_in =
        std::max(view.n_run_in, kernel::Sampling(times_of(lane), em_delay_[lane.mtu]).n_run_in());
  const std::size_t n_sample = view.n_run_in + view.n_step;
  for (AlignedBuffer* table : {&block.excitation, &block.excitation_by_delay})
    if (table->size() != n_sample * width) *table = AlignedBuffer(n_sample * width);
  block.third_sample.assign(width, -1);
  block.any_third.assign(n_sample, 0);
  for (std::size_t place = 0; place < width; ++place) {
    const Lane& lane = block.lanes[std::min(place, block.lanes.size() - 1)];
    const Signal& signal = signals_[lane.trial];
    const double* rows = signal.excitation.data() + lane.mtu * signal.n_row;
    const kernel::Sampling sampling(times_of(lane), em_delay_[lane.mtu], view.n_run_in);
    for (std::size_t sample = 0; sample < n_sample; ++sample) {
      const kernel::Sampling::Sample e = sampling.take(rows, sample);
      block.excitation[sample * width + place] = e.excitation;
      block.excitation_by_delay[sample * width + place] = e.by_delay;
    }
    const std::size_t third = sampling.third_sample();
    if (third == sampling.n_sample()) continue;
    block.third_sample[place] = static_cast<std::int64_t>(third);
    block.any_third[third] = 1;
  }
  view.excitation = block.excitation.data();
  view.excitation_by_delay = block.excitation_by_delay.data();
  view.third_sample = block.third_sample.data();
  view.any_third = block.any_third.data();
}

void LaneLayout::add_to_rows(const Lane& lane, const double* by_sample, double* by_row,
                             std::size_t row_stride) const {
  const std::size_t width = backend_->width;
  const kernel::Sampling sampling(times_of(lane), em_delay_[lane.mtu], n_run_in(lane));
  const kernel::Column<double> rows{by_row, row_stride};
  for (std::size_t sample = 0; sample < sampling.n_sample(); ++sample)
    sampling.add_to_rows(rows, sample, by_sample[sample * width + lane.place]);
}

}  // namespace ceinms_torch::engine
