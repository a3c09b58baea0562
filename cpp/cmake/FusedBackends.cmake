# add_fused_backend(NAME OPTIONS...): compile what runs on packs once more, for one instruction set.
#
# Not target_clones: GCC splits vector types to the width of the default target before it clones, so
# that the clones would still compute two numbers at a time.
function(add_fused_backend name)
  add_library(ceinms_torch_lanes_${name} OBJECT cpp/src/engine/dense.cpp
    cpp/src/engine/lanes.cpp cpp/src/engine/linear_trial.cpp cpp/src/engine/path_lanes.cpp)
  target_link_libraries(ceinms_torch_lanes_${name} PRIVATE ceinms_torch_common Eigen3::Eigen)
  target_compile_definitions(ceinms_torch_lanes_${name} PRIVATE
    CEINMS_TORCH_ISA=${name} CEINMS_TORCH_BACKEND=${name}_backend Eigen=Eigen_${name}
    $<$<BOOL:${CEINMS_TORCH_OPTIMISED_BACKENDS}>:CEINMS_TORCH_FLATTEN>)
  # sqrt without errno and comparisons without traps can be vectorised; results do not change. GCC 12
  # takes vectors that are filled element by element, also in its own headers, for uninitialised, and
  # notes that passing wide vectors to functions depends on the target: none is passed, all is inlined.
  target_compile_options(ceinms_torch_lanes_${name} PRIVATE ${ARGN}
    $<$<BOOL:${CEINMS_TORCH_OPTIMISED_BACKENDS}>:-O3> -fno-math-errno -fno-trapping-math
    -Wno-uninitialized -Wno-maybe-uninitialized -Wno-psabi)
  set_target_properties(ceinms_torch_lanes_${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_sources(ceinms_torch_kernel PRIVATE $<TARGET_OBJECTS:ceinms_torch_lanes_${name}>)
endfunction()
