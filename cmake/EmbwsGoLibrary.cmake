# embws_go_library(<target> SHARED|STATIC NAME <name> [VERSION <version>] [ABI <number>] [TAGS <tag>...])
#
# Builds capi/ by `go build` into lib<name>, in lib/ of this project's build folder, and makes the imported target
# <target> for it. VERSION and ABI give it the usual three names (libx.so.0.1.0, libx.so.0, libx.so) and the SONAME
# libx.so.0; without them it has the one name. It is built again when a Go, C, header or module file changes.
#
# Only embws_* is visible outside of either library, so that a program can have two of Go's, with a runtime each. The
# linker's options go through -ldflags -extldflags: CGO_LDFLAGS would be applied twice, which the linker refuses.

function(embws_go_library target kind)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAME;VERSION;ABI" "TAGS")
  set(folder "${PROJECT_BINARY_DIR}/lib")
  string(REPLACE "::" "_" step "${target}")
  set(made "${PROJECT_BINARY_DIR}/CMakeFiles/${step}.go") # go build also leaves a header, which is not ours to show
  set(strip "-s -w")
  if(CMAKE_BUILD_TYPE MATCHES "^(Debug|RelWithDebInfo)$")
    set(strip "")
  endif()

  if(kind STREQUAL "SHARED")
    _embws_shared_names("${arg_NAME}" "${arg_VERSION}" "${arg_ABI}")
    embws_flags_for_go(linker_flags "${CMAKE_SHARED_LINKER_FLAGS}")
    string(STRIP "${strip} -extldflags \"${linker_flags} ${link_options}\"" ldflags)
    set(built "${made}/${arg_NAME}${CMAKE_SHARED_LIBRARY_SUFFIX}")
    set(mode c-shared)
    set(finish COMMAND "${CMAKE_COMMAND}" -E rename "${built}" "${folder}/${file}")
    foreach(link IN LISTS links)
      list(APPEND finish COMMAND "${CMAKE_COMMAND}" -E create_symlink "${file}" "${folder}/${link}")
    endforeach()
  else()
    set(file "lib${arg_NAME}.a")
    set(links "")
    set(ldflags "${strip}")
    set(built "${made}/whole.a")
    set(mode c-archive)
    _embws_finish_archive("${made}" "${built}" "${folder}/${file}" "${strip}")
  endif()
  set(tags "")
  if(arg_TAGS)
    list(JOIN arg_TAGS "," tags)
    set(tags "-tags=${tags}")
  endif()

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/ws/*.go" "${PROJECT_SOURCE_DIR}/ws/*.s"
    "${PROJECT_SOURCE_DIR}/capi/*.go" "${PROJECT_SOURCE_DIR}/capi/*.[chsS]" "${PROJECT_SOURCE_DIR}/include/*.h")
  list(FILTER sources EXCLUDE REGEX "_test\\.go$")
  embws_go_environment(environment)
  file(MAKE_DIRECTORY "${folder}")
  # The old library is removed first, for Go would keep it where only the version script has changed.
  add_custom_command(OUTPUT "${folder}/${file}"
    COMMAND "${CMAKE_COMMAND}" -E rm -f "${built}"
    COMMAND "${CMAKE_COMMAND}" -E env ${environment} "${EMBWS_GO}" build -buildmode=${mode} -trimpath -buildvcs=false
      ${tags} "-ldflags=${ldflags}" -o "${built}" ./capi
    ${finish}
    DEPENDS ${sources} "${PROJECT_SOURCE_DIR}/go.mod" "${PROJECT_SOURCE_DIR}/go.sum"
      "${PROJECT_SOURCE_DIR}/cmake/embws.map" "${PROJECT_SOURCE_DIR}/cmake/embws.exp"
      "${PROJECT_SOURCE_DIR}/cmake/musl_start.c"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    COMMENT "Building ${file} by Go"
    VERBATIM)
  set(all "")
  if(PROJECT_IS_TOP_LEVEL OR EMBWS_INSTALL)
    set(all ALL)
  endif()
  add_custom_target(${step}_library ${all} DEPENDS "${folder}/${file}")
  # One after the other: the second finds the packages compiled.
  if(PROJECT_IS_TOP_LEVEL AND TARGET embws_embws_library AND NOT step STREQUAL "embws_embws")
    add_dependencies(${step}_library embws_embws_library)
  endif()

  add_library(${target} ${kind} IMPORTED GLOBAL)
  add_dependencies(${target} ${step}_library)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION "${folder}/${file}"
    INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include")
  if(kind STREQUAL "STATIC")
    set_target_properties(${target} PROPERTIES
      INTERFACE_COMPILE_DEFINITIONS EMBWS_STATIC
      INTERFACE_LINK_LIBRARIES "${EMBWS_SYSTEM_LIBRARIES}")
  elseif(WIN32)
    set_target_properties(${target} PROPERTIES IMPORTED_IMPLIB "${folder}/lib${arg_NAME}.dll.a")
  else()
    # EMBWS_LINKS is for the rules that install.
    list(TRANSFORM links PREPEND "${folder}/")
    set_target_properties(${target} PROPERTIES IMPORTED_SONAME "${soname}" EMBWS_LINKS "${links}")
  endif()
endfunction()

# Sets, in the caller, what the platform calls a shared library: file, links (the other names), soname, link_options.
function(_embws_shared_names name version abi)
  set(suffix "${CMAKE_SHARED_LIBRARY_SUFFIX}")
  set(links "")
  if(WIN32)
    set(file "${name}.dll")
    set(soname "")
    set(options "'-Wl,--out-implib,${PROJECT_BINARY_DIR}/lib/lib${name}.dll.a'")
  elseif(APPLE)
    set(file "lib${name}${suffix}")
    set(soname "@rpath/${file}")
    if(version)
      set(links "lib${name}.${abi}${suffix}" "${file}")
      set(file "lib${name}.${version}${suffix}")
      set(soname "@rpath/lib${name}.${abi}${suffix}")
    endif()
    set(options "-Wl,-install_name,${soname} '-Wl,-exported_symbols_list,${PROJECT_SOURCE_DIR}/cmake/embws.exp'")
  else()
    set(file "lib${name}${suffix}")
    set(soname "${file}")
    if(version)
      set(links "${file}.${abi}" "${file}")
      set(soname "${file}.${abi}")
      set(file "${file}.${version}")
    endif()
    set(options "-Wl,-soname,${soname} '-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/embws.map'")
  endif()
  set(file "${file}" PARENT_SCOPE)
  set(links "${links}" PARENT_SCOPE)
  set(soname "${soname}" PARENT_SCOPE)
  set(link_options "${options}" PARENT_SCOPE)
endfunction()

# Sets finish, in the caller: the commands that make the static library of Go's archive. Its members are joined into one
# object, in which all that is not embws_* is made local. Where there is no objcopy, the archive stays as Go made it.
function(_embws_finish_archive made whole library strip)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_OBJCOPY)
    set(finish COMMAND "${CMAKE_COMMAND}" -E rename "${whole}" "${library}" PARENT_SCOPE)
    return()
  endif()
  string(REGEX MATCHALL "-m(32|64|x32)" width "${CMAKE_C_FLAGS}")
  set(object "${made}/embws.o")
  set(debug "")
  if(strip)
    set(debug --strip-debug)
  endif()
  # GNU ld 2.40 for arm64 crashes, when a program is linked, over a section with code of Go and of C.
  set(apart "")
  embws_go_platform(goos goarch)
  if(goarch STREQUAL "arm64" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(apart -Wl,--unique=.text)
  endif()
  set(start "")
  if(EMBWS_MUSL)
    _embws_musl_start("${made}" "${whole}" "${width}")
  endif()
  set(finish ${start}
    COMMAND "${CMAKE_C_COMPILER}" ${width} -r -nostdlib ${apart} -Wl,-d -Wl,--whole-archive "${whole}" -o "${object}"
    COMMAND "${CMAKE_OBJCOPY}" -w ${debug} --localize-hidden "--keep-global-symbol=embws_*" "${object}"
    COMMAND "${CMAKE_COMMAND}" -E rm -f "${library}"
    COMMAND "${CMAKE_AR}" rcs "${library}" "${object}"
    PARENT_SCOPE)
endfunction()

# Sets start, in the caller: the commands that exchange the constructor of Go's archive for that of musl_start.c.
function(_embws_musl_start made whole width)
  embws_go_platform(goos goarch)
  set(entry "_rt0_${goarch}_linux_lib")
  set(start
    COMMAND "${CMAKE_COMMAND}" -E chdir "${made}" "${CMAKE_AR}" x "${whole}" go.o
    COMMAND "${CMAKE_OBJCOPY}" --remove-section=.init_array "--globalize-symbol=${entry}" "${made}/go.o"
    COMMAND "${CMAKE_C_COMPILER}" ${width} -O2 -fPIC "-DEMBWS_GO_ENTRY=${entry}"
      -c "${PROJECT_SOURCE_DIR}/cmake/musl_start.c" -o "${made}/musl_start.o"
    COMMAND "${CMAKE_AR}" rcs "${whole}" "${made}/go.o" "${made}/musl_start.o"
    PARENT_SCOPE)
endfunction()
