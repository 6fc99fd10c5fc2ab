# `cpack -G DEB` in the build folder; scripts/package calls it.
set(CPACK_PACKAGE_NAME kvsplit)
set(CPACK_PACKAGE_VENDOR "kvsplit")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "packed KV caches for llama.cpp, keys and values apart")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_PROJECT_CONFIG_FILE "")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_INSTALL_CMAKE_PROJECTS)
foreach(component kvsplit portable debian)
  list(APPEND CPACK_INSTALL_CMAKE_PROJECTS ${PROJECT_BINARY_DIR} kvsplit ${component} /)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${KVSPLIT_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "python3-pip")  # for `kvsplit pull`
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "gnuplot-nox")  # for `kvsplit report`
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"kvsplit gives any unpatched llama.cpp program a key/value cache in which keys
and values have their own number of bits (K8V4, K4V4 ...), and attention that
reads those bits directly: the same machine holds a context 2.5 to 6 times
longer, and long contexts run faster than with the 16-bit cache.
.
The program starts llama.cpp's own programs with it and measures, on your
model, what each precision costs. The llama.cpp that it is built for (ggml
${KVSPLIT_GGML_VERSION}) comes along in a private folder.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${KVSPLIT_LLAMA_BIN})
include(CPack)
