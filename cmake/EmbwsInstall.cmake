# Installs the libraries, the header, embws.pc, the CMake package and the licences. All that is installed finds its
# neighbours from where it lies, so the prefix can be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(libdir "${CMAKE_INSTALL_LIBDIR}")
set(package_dir "${libdir}/cmake/embws")

# What embwsConfig.cmake.in and embws.pc.in ask for.
set(EMBWS_SHARED_NAME "")
set(EMBWS_STATIC_NAME "")
set(EMBWS_SONAME "")
set(EMBWS_IMPLIB_NAME "")
if(EMBWS_SHARED)
  get_target_property(shared embws::embws IMPORTED_LOCATION)
  get_filename_component(EMBWS_SHARED_NAME "${shared}" NAME)
  get_target_property(EMBWS_SONAME embws::embws IMPORTED_SONAME)
  if(WIN32)
    install(FILES "${shared}" TYPE BIN)
    get_target_property(implib embws::embws IMPORTED_IMPLIB)
    install(FILES "${implib}" TYPE LIB)
    get_filename_component(EMBWS_IMPLIB_NAME "${implib}" NAME)
  else()
    get_target_property(links embws::embws EMBWS_LINKS)
    install(PROGRAMS "${shared}" ${links} TYPE LIB)
  endif()
endif()
if(EMBWS_STATIC)
  get_target_property(static embws::static IMPORTED_LOCATION)
  install(FILES "${static}" TYPE LIB)
  get_filename_component(EMBWS_STATIC_NAME "${static}" NAME)
endif()
install(FILES "${PROJECT_SOURCE_DIR}/include/embws.h" TYPE INCLUDE)
install(FILES "${PROJECT_SOURCE_DIR}/bindings/c/embws_stream.h" "${PROJECT_SOURCE_DIR}/bindings/c/embws_stream.c"
  "${PROJECT_SOURCE_DIR}/bindings/c/embws_stream_posix.h" DESTINATION "${CMAKE_INSTALL_DATADIR}/embws")
install(FILES "${PROJECT_SOURCE_DIR}/RULES.md" DESTINATION "${CMAKE_INSTALL_DATADIR}/embws")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE-MIT" "${PROJECT_SOURCE_DIR}/LICENSE-APACHE"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/embws")

# CMake's package.
set(EMBWS_INCLUDE_DIR "${CMAKE_INSTALL_INCLUDEDIR}")
set(EMBWS_LIB_DIR "${libdir}")
set(EMBWS_BIN_DIR "${CMAKE_INSTALL_BINDIR}")
set(EMBWS_SHARE_DIR "${CMAKE_INSTALL_DATADIR}/embws")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/embwsConfig.cmake.in" embwsConfig.cmake
  INSTALL_DESTINATION "${package_dir}" PATH_VARS EMBWS_INCLUDE_DIR EMBWS_LIB_DIR EMBWS_BIN_DIR EMBWS_SHARE_DIR)
write_basic_package_version_file(embwsConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/embwsConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/embwsConfigVersion.cmake"
  DESTINATION "${package_dir}")

# pkg-config's. Static linking needs the system libraries also where there is no shared library to prefer.
file(RELATIVE_PATH EMBWS_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" EMBWS_PC_PREFIX "${EMBWS_PC_PREFIX}")
file(RELATIVE_PATH EMBWS_PC_LIBDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH EMBWS_PC_INCLUDEDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
list(TRANSFORM EMBWS_SYSTEM_LIBRARIES REPLACE "^([a-z].*)$" "-l\\1" OUTPUT_VARIABLE system_libraries)
list(JOIN system_libraries " " system_libraries)
set(EMBWS_PC_LIBS "-lembws")
set(EMBWS_PC_LIBS_PRIVATE "${system_libraries}")
set(EMBWS_PC_CFLAGS "")
if(NOT EMBWS_SHARED)
  set(EMBWS_PC_LIBS "-lembws ${system_libraries}")
  set(EMBWS_PC_LIBS_PRIVATE "")
  set(EMBWS_PC_CFLAGS " -DEMBWS_STATIC")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/embws.pc.in" embws.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/embws.pc" DESTINATION "${libdir}/pkgconfig")
