# Every bench/<name>.cpp is one Google Benchmark program; bench/support/ is in all of them.
find_package(benchmark REQUIRED)
file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/support/*.cpp)
add_library(kvsplit_bench STATIC
  ${support} ${PROJECT_SOURCE_DIR}/tests/support/planned_format.cpp)
target_include_directories(kvsplit_bench PUBLIC
  ${PROJECT_SOURCE_DIR}/bench ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(kvsplit_bench PUBLIC
  kvsplit_core Eigen3::Eigen benchmark::benchmark)

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.cpp)
foreach(source ${sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE kvsplit_bench)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endforeach()
