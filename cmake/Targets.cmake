# A room is a folder of src/; what it may include is in CONTRIBUTING.md and checked by tests/repo.
function(kvsplit_sources variable)
  set(sources)
  foreach(room ${ARGN})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.cpp)
    list(APPEND sources ${found})
  endforeach()
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()

# A static library of some rooms, also when nothing is in them yet.
function(kvsplit_library name)
  kvsplit_sources(sources ${ARGN})
  list(FILTER sources EXCLUDE REGEX "/src/plugin/entry\\.cpp$|/src/cli/main\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC kvsplit_options)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE kvsplit_options)
  endif()
endfunction()

function(kvsplit_link name)
  get_target_property(type ${name} TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    target_link_libraries(${name} INTERFACE ${ARGN})
  else()
    target_link_libraries(${name} PUBLIC ${ARGN})
  endif()
endfunction()

find_package(Eigen3 3.3 REQUIRED NO_MODULE)
find_package(nlohmann_json 3.10 REQUIRED)
if(KVSPLIT_CORE)
  add_library(kvsplit_core STATIC IMPORTED)
  set_target_properties(kvsplit_core PROPERTIES IMPORTED_LOCATION ${KVSPLIT_CORE})
  target_link_libraries(kvsplit_core INTERFACE kvsplit_options Eigen3::Eigen
                        nlohmann_json::nlohmann_json)
else()
  kvsplit_library(kvsplit_core base kernels codec cache)
  kvsplit_link(kvsplit_core Eigen3::Eigen nlohmann_json::nlohmann_json)
endif()
# Regions of code for an instruction set have one pragma for clang and one for g++.
file(GLOB kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernels/*.cpp)
set_source_files_properties(${kernel_sources} PROPERTIES COMPILE_OPTIONS -Wno-unknown-pragmas)

kvsplit_library(kvsplit_plugin plugin)
kvsplit_link(kvsplit_plugin kvsplit_core kvsplit_ggml nlohmann_json::nlohmann_json)
get_target_property(kvsplit_plugin_type kvsplit_plugin TYPE)
if(NOT kvsplit_plugin_type STREQUAL "INTERFACE_LIBRARY")
  target_link_libraries(kvsplit_plugin PRIVATE kvsplit_ggml_internal)
endif()

# libggml-kvsplit.so: what a host loads. It brings no ggml and no path to one: the host has its own.
set(KVSPLIT_PLUGIN_FILE
  "${PROJECT_BINARY_DIR}/${CMAKE_SHARED_MODULE_PREFIX}ggml-kvsplit${CMAKE_SHARED_MODULE_SUFFIX}")
file(GLOB entry CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/plugin/entry.cpp)
if(entry)
  add_library(ggml-kvsplit MODULE ${entry})
  target_link_libraries(ggml-kvsplit PRIVATE kvsplit_plugin kvsplit_ggml_internal)
  set_target_properties(ggml-kvsplit PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR} SKIP_BUILD_RPATH ON)
  if(APPLE)
    target_link_options(ggml-kvsplit PRIVATE -Wl,-exported_symbol,_ggml_backend_init)
  else()
    set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
    target_link_options(ggml-kvsplit PRIVATE -Wl,--version-script=${exports})
    set_target_properties(ggml-kvsplit PROPERTIES LINK_DEPENDS ${exports})
    if(NOT KVSPLIT_SANITIZE)
      target_link_options(ggml-kvsplit PRIVATE -Wl,-z,defs)
    endif()
  endif()
endif()

configure_file(${PROJECT_SOURCE_DIR}/cmake/kvsplit_build_config.h.in
               ${PROJECT_BINARY_DIR}/generated/kvsplit_build_config.h @ONLY)

if(NOT KVSPLIT_BUILD_PROGRAM)  # nor look for what it needs: a cross compiler has the plugin's alone
  return()
endif()

# The program, and the same code as a library for the tests.
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
kvsplit_library(kvsplit_report report)
kvsplit_link(kvsplit_report kvsplit_core fmt::fmt nlohmann_json::nlohmann_json)
kvsplit_library(kvsplit_app host measure tune cli)
kvsplit_link(kvsplit_app kvsplit_report kvsplit_plugin kvsplit_llama CLI11::CLI11 fmt::fmt
             nlohmann_json::nlohmann_json)

file(GLOB main CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/main.cpp)
if(main)
  add_executable(kvsplit ${main})
  target_link_libraries(kvsplit PRIVATE kvsplit_app)
  set_target_properties(kvsplit PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  if(TARGET ggml-kvsplit)
    add_dependencies(kvsplit ggml-kvsplit)
  endif()
endif()
