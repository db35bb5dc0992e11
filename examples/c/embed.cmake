# Writes a file's bytes as a C array: cmake -DFROM=index.html -DTO=page.h -DNAME=page -P embed.cmake
file(READ "${FROM}" bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE "${TO}" "/* Made of ${FROM} by embed.cmake. */\nstatic const unsigned char ${NAME}[] = {\n${bytes}\n};\n")
