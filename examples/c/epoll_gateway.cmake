# epoll_gateway, which only Linux can build, and its test. Included by examples/c/CMakeLists.txt.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  add_executable(epoll_gateway "${CMAKE_CURRENT_LIST_DIR}/epoll_gateway.c")
  set_target_properties(epoll_gateway PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON)
  target_link_libraries(epoll_gateway PRIVATE embws::embws)
  embws_test(gateway LABELS c TIMEOUT 120 SERIAL
    COMMAND "${Python3_EXECUTABLE}" -B "${PROJECT_SOURCE_DIR}/tests/capi/gateway_test.py" "$<TARGET_FILE:epoll_gateway>")
endif()
