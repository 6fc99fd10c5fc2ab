# What `cmake --install` lays down. Everything is found from the program's own place or from that of
# a file beside it, so the tree can be moved afterwards (docs/packaging.md draws it).
#
# Components: kvsplit (what is in every tree) with native (ggml as built for this processor) or
# portable (ggml with a module per kind of processor), and common or debian, which differ in
# where zsh's completion and the licences go and in whether pages are compressed. Without --component: kvsplit, native, common.
include(CMakePackageConfigHelpers)

set(private lib/kvsplit)
set(shared share/kvsplit)
if(APPLE)
  set(KVSPLIT_ORIGIN @loader_path)
else()
  set(KVSPLIT_ORIGIN $ORIGIN)
endif()

# The program lies among its libraries, where ggml looks for its modules; bin/ has a link to it.
set_target_properties(kvsplit PROPERTIES INSTALL_RPATH ${KVSPLIT_ORIGIN})
install(TARGETS kvsplit RUNTIME DESTINATION ${private} COMPONENT kvsplit)
install(TARGETS ggml-kvsplit LIBRARY DESTINATION ${private} COMPONENT kvsplit)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/link)
file(CREATE_LINK ../${private}/kvsplit ${PROJECT_BINARY_DIR}/link/kvsplit SYMBOLIC)
install(FILES ${PROJECT_BINARY_DIR}/link/kvsplit DESTINATION bin COMPONENT kvsplit)

# Libraries and programs of llama.cpp, as far as they are built when this is installed.
function(kvsplit_install_llama part from component)
  install(CODE "
    set(part ${part})
    set(from \"${from}\")
    set(folder \"\${CMAKE_INSTALL_PREFIX}/${private}\")
    set(origin [[${KVSPLIT_ORIGIN}]])
    set(strip \"${CMAKE_STRIP}\")
    include(\"${PROJECT_SOURCE_DIR}/cmake/install_llama.cmake\")"
    COMPONENT ${component} ${ARGN})
endfunction()
kvsplit_install_llama(programs "${KVSPLIT_LLAMA_BIN}" kvsplit)
kvsplit_install_llama(ggml "${KVSPLIT_LLAMA_BIN}" native)
set(portable "")
if(KVSPLIT_LLAMA_PORTABLE)
  set(portable "${KVSPLIT_LLAMA_PORTABLE}/bin")
endif()
kvsplit_install_llama(ggml "${portable}" portable EXCLUDE_FROM_ALL)

# What the program reads: src/cli/paths.h.
install(PROGRAMS scripts/get-model DESTINATION ${shared}/scripts COMPONENT kvsplit)
install(FILES scripts/common.sh DESTINATION ${shared}/scripts COMPONENT kvsplit)
install(DIRECTORY examples/texts DESTINATION ${shared}/examples COMPONENT kvsplit)
install(DIRECTORY web DESTINATION ${shared} COMPONENT kvsplit)
install(DIRECTORY share/plan share/report DESTINATION ${shared}/share COMPONENT kvsplit
        USE_SOURCE_PERMISSIONS)

# Man pages and completions say what the program says. Asking it is for a program that runs fast.
if(NOT KVSPLIT_SANITIZE)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(manual ${PROJECT_BINARY_DIR}/manual)
  add_custom_command(OUTPUT ${manual}/kvsplit.1
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/manual $<TARGET_FILE:kvsplit> ${manual}
    DEPENDS kvsplit ${PROJECT_SOURCE_DIR}/scripts/manual
    COMMENT "Man pages and completions" VERBATIM)
  add_custom_target(kvsplit_manual ALL DEPENDS ${manual}/kvsplit.1)
  install(DIRECTORY ${manual}/ DESTINATION share/man/man1 COMPONENT common
          FILES_MATCHING PATTERN "*.1")
  install(FILES ${manual}/kvsplit.bash DESTINATION share/bash-completion/completions
          COMPONENT kvsplit RENAME kvsplit)
  install(FILES ${manual}/kvsplit.fish DESTINATION share/fish/vendor_completions.d
          COMPONENT kvsplit)
  install(FILES ${manual}/_kvsplit DESTINATION share/zsh/site-functions COMPONENT common)
  install(FILES ${manual}/_kvsplit DESTINATION share/zsh/vendor-completions
          COMPONENT debian EXCLUDE_FROM_ALL)
endif()

# For other builds: where the plugin is and which ggml it is for.
configure_file(cmake/kvsplit.pc.in kvsplit.pc @ONLY)
configure_file(cmake/kvsplitConfig.cmake.in kvsplitConfig.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kvsplitConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kvsplit.pc DESTINATION share/pkgconfig COMPONENT kvsplit)
install(FILES ${PROJECT_BINARY_DIR}/kvsplitConfig.cmake
              ${PROJECT_BINARY_DIR}/kvsplitConfigVersion.cmake
        DESTINATION lib/cmake/kvsplit COMPONENT kvsplit)

install(FILES README.md DESTINATION share/doc/kvsplit COMPONENT kvsplit)
install(DIRECTORY docs DESTINATION share/doc/kvsplit COMPONENT kvsplit)
install(FILES CHANGELOG.md DESTINATION share/doc/kvsplit COMPONENT common)
install(FILES LICENSE DESTINATION share/licenses/kvsplit COMPONENT common)
install(FILES packaging/debian/copyright DESTINATION share/licenses/kvsplit
        COMPONENT common RENAME others)
# Debian's are made by scripts/package: compressed pages and a changelog.
install(DIRECTORY ${PROJECT_BINARY_DIR}/debian/ DESTINATION share COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES packaging/debian/copyright DESTINATION share/doc/kvsplit
        COMPONENT debian EXCLUDE_FROM_ALL)

include(${CMAKE_CURRENT_LIST_DIR}/Package.cmake)
