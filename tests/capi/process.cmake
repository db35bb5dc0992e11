# Tests of what libembws is within a process: threads, fork, signals, dlopen, memory. CMakeLists.txt includes this.
#
# The sanitizers see the tests and not the library: what they find is misuse of the test's own memory by a call.

set(capi_process_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
if(NOT DEFINED EMBWS_CAN_SANITIZE)
  include(CheckCSourceCompiles)
  list(JOIN capi_process_sanitize " " CMAKE_REQUIRED_FLAGS)
  check_c_source_compiles("int main(void) { return 0; }" EMBWS_CAN_SANITIZE)
  unset(CMAKE_REQUIRED_FLAGS)
endif()
find_package(Threads REQUIRED)

# capi_process_program(<test> [PLAIN] [LINK <library>] [STATIC <library>]) makes capi_<test>; unless PLAIN, and where
# that can be, capi_<test>_sanitized; and capi_<test>_static, if that library is built.
function(capi_process_program test)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PLAIN" "LINK;STATIC" "")
  set(programs capi_${test})
  if(EMBWS_CAN_SANITIZE AND NOT arg_PLAIN)
    list(APPEND programs capi_${test}_sanitized)
  endif()
  if(TARGET "${arg_STATIC}")
    list(APPEND programs capi_${test}_static)
  endif()
  foreach(program IN LISTS programs)
    set(link ${arg_LINK})
    if(program STREQUAL "capi_${test}_static")
      set(link ${arg_STATIC})
    endif()
    add_executable(${program} ${test}.c)
    target_include_directories(${program} PRIVATE "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(${program} PRIVATE ${link} Threads::Threads ${CMAKE_DL_LIBS})
    set_target_properties(${program} PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
    if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
      target_compile_options(${program} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
    endif()
  endforeach()
  if(TARGET capi_${test}_sanitized)
    target_compile_options(capi_${test}_sanitized PRIVATE ${capi_process_sanitize} -g)
    target_link_options(capi_${test}_sanitized PRIVATE ${capi_process_sanitize})
  endif()
endfunction()

# capi_process_test(<test> <timeout> [ASAN <options>] [ARGUMENTS <argument>...]) runs one, and its others.
function(capi_process_test test timeout)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "ASAN" "ARGUMENTS")
  embws_test(capi-${test} LABELS c capi TIMEOUT ${timeout} COMMAND capi_${test} ${arg_ARGUMENTS})
  if(TARGET capi_${test}_static)
    embws_test(capi-${test}-static LABELS c capi TIMEOUT ${timeout}
      COMMAND capi_${test}_static ${arg_ARGUMENTS})
  endif()
  if(TARGET capi_${test}_sanitized)
    embws_test(capi-${test}-sanitized LABELS c capi TIMEOUT ${timeout}
      COMMAND "${CMAKE_COMMAND}" -E env "ASAN_OPTIONS=${arg_ASAN}" "$<TARGET_FILE:capi_${test}_sanitized>"
      ${arg_ARGUMENTS})
  endif()
endfunction()

# The leak checker stops all threads of a process by ptrace, which a child of fork does not outlive in good order; the
# handlers of AddressSanitizer would be there before the host's.
set(without_leaks "detect_leaks=0")
set(without_handlers "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0:handle_sigill=0")
set(library "$<TARGET_FILE:embws::embws>")

capi_process_program(threads LINK embws::embws STATIC embws::static)
capi_process_test(threads 120)

# Windows has neither fork nor these signals.
if(NOT WIN32)
  capi_process_program(fork LINK embws::embws STATIC embws::static)
  capi_process_test(fork 90 ASAN ${without_leaks} ARGUMENTS "${PROJECT_SOURCE_DIR}/tests/package/exports.txt")

  capi_process_program(load)
  add_dependencies(capi_load embws_embws_library)
  capi_process_test(load 120 ASAN ${without_leaks} ARGUMENTS "${library}")

  capi_process_program(signals)
  add_dependencies(capi_signals embws_embws_library)
  capi_process_test(signals 150 ASAN ${without_handlers} ARGUMENTS "${library}")

  # They measure the memory of the process, of which a sanitizer takes most.
  capi_process_program(leak PLAIN LINK embws::test)
  foreach(kind IN ITEMS codec session-open session-serve session-opened)
    embws_test(capi-leak-${kind} LABELS c capi TIMEOUT 120 COMMAND capi_leak ${kind})
  endforeach()
endif()
