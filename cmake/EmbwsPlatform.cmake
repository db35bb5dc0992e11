# What the platform is to Go and to the linker, said once: GOOS and GOARCH, the C compiler with its flags, the libraries
# that the static library needs, and what cannot be built here.

find_program(EMBWS_GO go HINTS ENV GOROOT PATHS /usr/local/go PATH_SUFFIXES bin DOC "The go command")
if(NOT EMBWS_GO)
  message(FATAL_ERROR "embws is built by Go 1.23 or newer, and there is no go command in PATH. Install Go from "
    "https://go.dev/dl/, or set EMBWS_GO to the path of the command.")
endif()

# embws_go_platform(<goos variable> <goarch variable>): Go's names of the target. Empty where CMake's are not known
# here; Go's own default, or GOOS and GOARCH in the environment, decide then.
function(embws_go_platform goos goarch)
  set(os "")
  if(CMAKE_SYSTEM_NAME MATCHES "^(Linux|Windows|Darwin|Android|FreeBSD|NetBSD|OpenBSD)$")
    string(TOLOWER "${CMAKE_SYSTEM_NAME}" os)
  endif()
  set(processor "${CMAKE_SYSTEM_PROCESSOR}")
  if(APPLE AND CMAKE_OSX_ARCHITECTURES)
    set(processor "${CMAKE_OSX_ARCHITECTURES}")
  endif()
  string(TOLOWER "${processor}" processor)
  set(arch "")
  if(processor MATCHES "^(x86_64|amd64|i[3-6]86|x86)$")
    set(arch amd64)
    if(CMAKE_SIZEOF_VOID_P EQUAL 4)
      set(arch 386)
    endif()
  elseif(processor MATCHES "^(aarch64|arm)" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    set(arch arm64)
  elseif(processor MATCHES "^(arm|aarch64)")
    set(arch arm)
  elseif(processor MATCHES "^(riscv64|s390x|ppc64le|loong64)$")
    set(arch "${processor}")
  elseif(processor STREQUAL "loongarch64")
    set(arch loong64)
  endif()
  set(${goos} "${os}" PARENT_SCOPE)
  set(${goarch} "${arch}" PARENT_SCOPE)
endfunction()

# embws_flags_for_go(<variable> <flags>): the flags without those that are meant for the host project's own code.
# Warnings, for Go compiles its C with -Werror; a language standard; and what instruments code, or compiles it when it
# is linked.
function(embws_flags_for_go variable flags)
  set(drop "-W([b-km-oq-z]|[alp][^, ])|-pedantic|-std=|-ansi|-f(no-)?(lto|sanitize|profile)|--coverage|-fvisibility=")
  string(REGEX REPLACE " (${drop})[^ ]*" "" flags " ${flags}")
  string(STRIP "${flags}" flags)
  set(${variable} "${flags}" PARENT_SCOPE)
endfunction()

# embws_go_environment(<variable>): NAME=VALUE for `cmake -E env`, so that cgo uses the C compiler and flags of this
# build. GOFLAGS, GOTOOLCHAIN and the rest of the user's Go environment stay as they are.
function(embws_go_environment variable)
  embws_go_platform(goos goarch)
  set(compiler "${CMAKE_C_COMPILER}")
  if(compiler MATCHES "[ \t]")
    set(compiler "'${compiler}'")
  endif()
  string(APPEND compiler " ${CMAKE_C_COMPILER_ARG1}")
  if(CMAKE_C_COMPILER_TARGET AND CMAKE_C_COMPILER_ID MATCHES "Clang")
    string(APPEND compiler " --target=${CMAKE_C_COMPILER_TARGET}")
  endif()
  if(CMAKE_SYSROOT)
    string(APPEND compiler " --sysroot=${CMAKE_SYSROOT}")
  endif()
  if(APPLE AND CMAKE_OSX_SYSROOT)
    string(APPEND compiler " -isysroot ${CMAKE_OSX_SYSROOT}")
  endif()
  string(STRIP "${compiler}" compiler)

  # What the header marks is visible outside of the library, and nothing else is.
  embws_flags_for_go(flags "${CMAKE_C_FLAGS}")
  string(STRIP "-O2 -g -fvisibility=hidden ${flags}" flags)

  set(environment CGO_ENABLED=1 "CC=${compiler}" "CGO_CFLAGS=${flags}")
  foreach(pair IN ITEMS "GOOS=${goos}" "GOARCH=${goarch}" "AR=${CMAKE_AR}")
    if(NOT pair MATCHES "=$")
      list(APPEND environment "${pair}")
    endif()
  endforeach()
  set(${variable} "${environment}" PARENT_SCOPE)
endfunction()

# What a program that links the static library has to link besides.
if(WIN32)
  set(EMBWS_SYSTEM_LIBRARIES ws2_32 winmm ntdll)
elseif(APPLE)
  set(EMBWS_SYSTEM_LIBRARIES "-framework CoreFoundation" pthread)
elseif(ANDROID)
  set(EMBWS_SYSTEM_LIBRARIES log)
else()
  set(EMBWS_SYSTEM_LIBRARIES pthread)
endif()

# Whether the C library is musl, which defines no macro of its own: on Linux it is what is neither glibc nor Android's.
set(EMBWS_MUSL OFF)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  include(CheckSymbolExists)
  check_symbol_exists(__GLIBC__ features.h EMBWS_HAVE_GLIBC)
  if(NOT EMBWS_HAVE_GLIBC)
    set(EMBWS_MUSL ON)
  endif()
endif()

# Refuses what cannot work, before an hour is lost with it.
function(embws_check_platform)
  if(EMBWS_MUSL AND EMBWS_SHARED)
    message(FATAL_ERROR "libembws cannot be a shared library here: the C library is musl, whose loader has no room for "
      "the thread-local storage of the Go runtime. Configure with -DEMBWS_SHARED=OFF and link the static library, "
      "embws::static.")
  endif()
  if(EMBWS_MUSL AND EMBWS_STATIC AND NOT CMAKE_OBJCOPY)
    message(FATAL_ERROR "libembws.a needs objcopy here, to start the Go runtime as musl can. Install binutils.")
  endif()
  execute_process(COMMAND "${EMBWS_GO}" env GOVERSION WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    OUTPUT_VARIABLE go_version ERROR_VARIABLE said RESULT_VARIABLE result OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${EMBWS_GO} does not run here, or is older than go.mod wants: ${said}")
  endif()
  message(STATUS "embws ${PROJECT_VERSION} by ${go_version}")
endfunction()
