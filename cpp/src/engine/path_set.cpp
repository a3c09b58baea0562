#include "ceinms_torch/engine/path_set.hpp"

#include "ceinms_torch/kernel/input_error.hpp"
#include "ceinms_torch/kernel/path_polynomial.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

namespace ceinms_torch::engine {

using kernel::InputError;
using kernel::n_path_term;

namespace {

void check_path(const PathPolynomial& path, std::size_t mtu, std::size_t n_coordinate) {
  const std::string name = "path of MTU " + std::to_string(mtu);
  const std::size_t n = path.coordinates.size();
  if (n == 0 || n > kernel::most_path_coordinates)
    throw InputError(name, "1 to " + std::to_string(kernel::most_path_coordinates) + " coordinates",
                     std::to_string(n));
  std::vector<std::size_t> sorted = path.coordinates;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.back() >= n_coordinate ||
      std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw InputError(name, "different coordinates, 0 to " + std::to_string(n_coordinate - 1),
                     "others");
  if (path.order > kernel::highest_path_order)
    throw InputError(name, "an order of at most " + std::to_string(kernel::highest_path_order),
                     std::to_string(path.order));
  if (path.coefficients.size() != n_path_term(n, path.order))
    throw InputError(name,
                     std::to_string(n_path_term(n, path.order)) + " coefficients of order " +
                         std::to_string(path.order) + " in " + std::to_string(n) + " coordinates",
                     std::to_string(path.coefficients.size()));
}

/// Copy the coefficients of a polynomial to their places among those of a higher order.
///
/// @param from  the next to copy; moved on
/// @param to    where the next of the higher order goes; moved on, `stride` each
void embed(const double*& from, std::size_t n, std::size_t order, std::size_t higher, double*& to,
           std::size_t stride) {
  if (n == 0) {
    *to = *from++;
    to += stride;
    return;
  }
  for (std::size_t power = 0; power <= order; ++power)
    embed(from, n - 1, order - power, higher - power, to, stride);
  for (std::size_t power = order + 1; power <= higher; ++power)
    to += n_path_term(n - 1, higher - power) * stride;
}

}  // namespace

PathSet::PathSet(const Backend& backend, const PathSetSetup& setup)
    : backend_(&backend),
      n_coordinate_(setup.n_coordinate),
      n_mtu_(setup.paths.size()),
      n_dof_(setup.dofs.size()) {
  std::vector<std::size_t> dof_of(n_coordinate_, no_dof);
  for (std::size_t dof = 0; dof < n_dof_; ++dof) {
    const std::size_t coordinate = setup.dofs[dof];
    if (coordinate >= n_coordinate_ || dof_of[coordinate] != no_dof)
      throw InputError("dofs", "different coordinates", std::to_string(coordinate));
    dof_of[coordinate] = dof;
  }
  std::map<std::vector<std::size_t>, std::vector<std::size_t>> mtus_of;
  for (std::size_t mtu = 0; mtu < n_mtu_; ++mtu) {
    check_path(setup.paths[mtu], mtu, n_coordinate_);
    mtus_of[setup.paths[mtu].coordinates].push_back(mtu);
  }
  const std::size_t width = backend.width;
  for (auto& [coordinates, mtus] : mtus_of) {
    // A block takes as long as its highest order: MTUs of like orders go together.
    std::stable_sort(mtus.begin(), mtus.end(), [&](std::size_t a, std::size_t b) {
      return setup.paths[a].order > setup.paths[b].order;
    });
    for (std::size_t first = 0; first < mtus.size(); first += width) {
      const std::size_t n_lane = std::min(width, mtus.size() - first);
      const std::size_t order = setup.paths[mtus[first]].order;
      Block block{.coordinates = coordinates,
                  .dofs = {},
                  .mtus = {},
                  .order = order,
                  .coefficients = AlignedBuffer(n_path_term(coordinates.size(), order) * width)};
      for (const std::size_t coordinate : coordinates) block.dofs.push_back(dof_of[coordinate]);
      for (std::size_t lane = 0; lane < n_lane; ++lane) {
        const PathPolynomial& path = setup.paths[mtus[first + lane]];
        block.mtus.push_back(mtus[first + lane]);
        const double* from = path.coefficients.data();
        double* to = block.coefficients.data() + lane;
        embed(from, coordinates.size(), path.order, order, to, width);
      }
      blocks_.push_back(std::move(block));
    }
  }
}

void PathSet::evaluate(const double* coordinates, double* mtu_length,
                       double* moment_arm) const noexcept {
  std::fill(moment_arm, moment_arm + n_dof_ * n_mtu_, 0.0);
  std::array<double, kernel::most_path_coordinates> q;
  alignas(64) std::array<double, (1 + kernel::most_path_coordinates) * widest> found;
  const std::size_t width = backend_->width;
  for (const Block& block : blocks_) {
    const std::size_t n = block.coordinates.size();
    for (std::size_t i = 0; i < n; ++i) q[i] = coordinates[block.coordinates[i]];
    (*backend_->path_lengths)[n - 1](q.data(), block.order, block.coefficients.data(),
                                     found.data());
    for (std::size_t lane = 0; lane < block.mtus.size(); ++lane) {
      const std::size_t mtu = block.mtus[lane];
      mtu_length[mtu] = found[lane];
      for (std::size_t i = 0; i < n; ++i)
        if (block.dofs[i] != no_dof)
          moment_arm[block.dofs[i] * n_mtu_ + mtu] = -found[(1 + i) * width + lane];
    }
  }
}

}  // namespace ceinms_torch::engine
