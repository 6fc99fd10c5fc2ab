# Every folder of tests/ is one program, <room>_test, each of its cases one CTest test, labelled
# with the room and with `unit` (needs nothing) or `model` (needs llama.cpp's build, some a model).
find_package(GTest REQUIRED)
include(GoogleTest)

set(KVSPLIT_UNIT_ROOMS base kernels codec cache report repo)
set(KVSPLIT_SERIAL_ROOMS programs cli examples web)  # they start programs that use all cores
set(KVSPLIT_MODEL_ROOMS host measure tune cli programs examples web)  # they read the demo model

# What a room's tests link. Only that much, so that one room's tests do not wait for the others.
# tests/support is a library that they share.
set(KVSPLIT_NEEDS_base kvsplit_core)
set(KVSPLIT_NEEDS_kernels kvsplit_core test_support)
set(KVSPLIT_NEEDS_codec kvsplit_core test_support)
set(KVSPLIT_NEEDS_cache kvsplit_core test_support)
set(KVSPLIT_NEEDS_repo kvsplit_options)
set(KVSPLIT_NEEDS_packages kvsplit_options)
set(KVSPLIT_NEEDS_report kvsplit_report)
set(KVSPLIT_NEEDS_plugin kvsplit_plugin kvsplit_ggml_internal test_support kvsplit_llama nlohmann_json::nlohmann_json)
set(KVSPLIT_NEEDS_families kvsplit_plugin kvsplit_llama nlohmann_json::nlohmann_json)
set(KVSPLIT_NEEDS_programs kvsplit_options Threads::Threads nlohmann_json::nlohmann_json)
set(KVSPLIT_NEEDS_examples ${KVSPLIT_NEEDS_programs})
set(KVSPLIT_SOURCES_examples ${PROJECT_SOURCE_DIR}/tests/programs/process.cpp
    ${PROJECT_SOURCE_DIR}/tests/programs/stock.cpp)  # they start programs as well
set(KVSPLIT_NEEDS_web ${KVSPLIT_NEEDS_programs})
set(KVSPLIT_SOURCES_web ${KVSPLIT_SOURCES_examples}
    ${PROJECT_SOURCE_DIR}/tests/programs/demo.cpp)
foreach(room host measure tune cli)
  set(KVSPLIT_NEEDS_${room} kvsplit_app)
endforeach()

set(KVSPLIT_TEST_PROPERTIES ${PROJECT_BINARY_DIR}/test_properties.cmake)

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.cpp)
if(sources)
  add_library(test_support STATIC ${sources})
  target_include_directories(test_support PUBLIC ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_support PUBLIC kvsplit_core Eigen3::Eigen GTest::gtest)
else()
  add_library(test_support INTERFACE)
endif()

function(kvsplit_test_room room)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${room}/*.cpp)
  if(NOT sources)
    return()
  endif()
  if(NOT DEFINED KVSPLIT_NEEDS_${room})
    message(FATAL_ERROR "tests/${room}: say in cmake/Tests.cmake what these tests link")
  endif()
  set(target ${room}_test)
  add_executable(${target} ${sources} ${KVSPLIT_SOURCES_${room}})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${KVSPLIT_NEEDS_${room}} GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE KVSPLIT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${target}
    TEST_PREFIX ${room}. TEST_LIST ${target}_cases DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 600)

  if(room STREQUAL plugin AND TARGET ggml-kvsplit)
    add_dependencies(${target} ggml-kvsplit)  # one case loads it as hosts do
  endif()

  set(label model)
  if(room IN_LIST KVSPLIT_UNIT_ROOMS)
    set(label unit)
    add_dependencies(unit_tests ${target})
  endif()
  set(serial OFF)
  if(room IN_LIST KVSPLIT_SERIAL_ROOMS)
    set(serial ON)
  endif()
  set(fixture "")
  if(room IN_LIST KVSPLIT_MODEL_ROOMS AND TARGET kvsplit)
    set(fixture demo_model)
  endif()
  file(APPEND ${KVSPLIT_TEST_PROPERTIES}
    "kvsplit_properties(\"${room};${label}\" ${serial} \"${fixture}\" \${${target}_cases})\n")
endfunction()

# Properties are set by a file of our own that CTest reads after the cases are known, because
# gtest_discover_tests cannot pass on a property that is a list, as ENVIRONMENT is.
configure_file(${PROJECT_SOURCE_DIR}/cmake/test_properties.cmake.in ${KVSPLIT_TEST_PROPERTIES} @ONLY)

add_custom_target(unit_tests)
file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true RELATIVE ${PROJECT_SOURCE_DIR}/tests
     ${PROJECT_SOURCE_DIR}/tests/*)
list(REMOVE_ITEM folders data support)
foreach(room ${folders})
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/tests/${room})
    kvsplit_test_room(${room})
  endif()
endforeach()

if(TARGET kvsplit)
  add_test(NAME model.pull COMMAND kvsplit pull smollm2-135m)
  set_tests_properties(model.pull PROPERTIES
    FIXTURES_SETUP demo_model LABELS "model;pull" TIMEOUT 600)
endif()

# Attention as a whole once more on each instruction set, which a case of the suite asserts by name.
if(TARGET cache_test AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  foreach(isa scalar avx2 avx_vnni avx512)
    add_test(NAME cache.forced_${isa}
             COMMAND cache_test --gtest_fail_fast --gtest_filter=Attention.*:RandomScenes.*)
    set_tests_properties(cache.forced_${isa} PROPERTIES
      ENVIRONMENT "KVSPLIT_ISA=${isa}" LABELS "cache;unit" TIMEOUT 600
      SKIP_REGULAR_EXPRESSION "this processor does not have it")
  endforeach()
endif()

set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY
  TEST_INCLUDE_FILES ${KVSPLIT_TEST_PROPERTIES})
