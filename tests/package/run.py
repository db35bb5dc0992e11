"""Tests of libembws as a package: what it exports, its header, and programs outside of the tree that are built with it.

    python3 tests/package/run.py --build BUILD CASE

BUILD is the build folder, with the libraries built. A case works in BUILD/package/CASE and starts from nothing there,
but for the prefix that `install` leaves for find_package, pkg-config and plain. Exits 77, with the reason, where this
machine lacks what the case needs.

After functions were added to the header, `run.py --build BUILD exports --write` writes exports.txt anew.
"""

import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HEADER = ROOT / "include" / "embws.h"
EXPORTS = HERE / "exports.txt"

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
C_STANDARDS = ["c99", "c11", "c17"]
CXX_STANDARDS = ["c++11", "c++20"]

# What is compiled to try the header.
LONE = """
#include <embws.h>
#include <embws.h>

uint32_t size(void);
uint32_t size(void) {
    embws_io io;
    EMBWS_INIT(&io);
    return io.struct_size;
}
"""


class Skip(Exception):
    """This machine lacks what the case needs."""


class Failure(Exception):
    """The case has failed; the text says in what."""


def run(*command, fails=False, **options):
    """Runs a command, and gives its output; it must succeed, or must not if `fails`."""
    command = [str(word) for word in command]
    print("+", shlex.join(command), flush=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **options)  # fmt: skip
    if (done.returncode != 0) != fails:
        print(done.stdout)
        raise Failure(f"exit code {done.returncode} of: {shlex.join(command)}")
    return done.stdout


def need(*programs):
    """The path of the first of the programs that is there."""
    for program in programs:
        if path := shutil.which(program):
            return path
    raise Skip(f"there is no {' or '.join(programs)} on this machine")


def same(what, got, wanted):
    got, wanted = set(got), set(wanted)
    if got != wanted:
        raise Failure(f"{what}: too many: {sorted(got - wanted)}, missing: {sorted(wanted - got)}")
    print(f"{what}: {len(got)}, as they should be")


class Package:
    def __init__(self, options):
        self.build = options.build.resolve()
        self.cmake = options.cmake
        self.cc = options.cc
        self.go = options.go
        self.write = options.write
        self.prefix = self.build / "package" / "prefix"
        self.shared = self.build / "lib" / "libembws.so"
        self.folder = self.build / "package" / options.case
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    # -- the library and its header --

    def exports(self):
        """The shared library exports what exports.txt lists, which is what the header declares; all of one version."""
        nm, readelf = need("nm"), need("readelf")
        symbols = [line.split()[-1] for line in run(nm, "-D", "--defined-only", self.shared).splitlines()]
        names, versions = zip(*(re.split("@+", symbol) for symbol in symbols if "@" in symbol))
        if self.write:
            command = "python3 tests/package/run.py --build BUILD exports --write"
            EXPORTS.write_text("\n".join([f"# What libembws.so exports. Written by: {command}", *sorted(names), ""]))
        listed = [line for line in EXPORTS.read_text().split("\n") if line and not line.startswith("#")]
        same("functions exported, beside exports.txt", names, listed)
        same("functions exported, beside embws.h", names, declared())
        same("versions of the symbols", versions, ["EMBWS_0"])
        same("symbols without a version", [s for s in symbols if "@" not in s and s != "EMBWS_0"], [])
        same("sonames", re.findall(r"SONAME.*\[(.*)\]", run(readelf, "-d", self.shared)), [f"libembws.so.{abi()}"])
        if strip := shutil.which("strip"):
            stripped = self.folder / "stripped.so"
            run(strip, "-o", stripped, self.shared)
            size = stripped.stat().st_size
            print(f"size of the shared library, stripped: {size:,} bytes")
            if size > 2_000_000:
                raise Failure("the shared library has outgrown 2 MB")
        archive = run(nm, "-g", "--defined-only", self.build / "lib" / "libembws.a")
        if shutil.which("objcopy"):
            same("symbols of the static library", re.findall(r"^[0-9a-f]+ \w (\S+)$", archive, re.M), declared())
        else:
            print("SKIPPED: the symbols of the static library: without objcopy it keeps Go's")

    def header(self):
        """The header compiles alone, and is used twice, in every language that it promises."""
        lone = self.folder / "lone.h"
        lone.write_text(LONE)
        compiled = 0
        for compilers, language, standards in (
            (("gcc", "clang"), "c", C_STANDARDS), (("g++", "clang++"), "c++", CXX_STANDARDS),
        ):  # fmt: skip
            for compiler in compilers:
                if not shutil.which(compiler):
                    print(f"SKIPPED: {compiler}: it is not on this machine")
                    continue
                for standard in standards:
                    run(compiler, "-x", language, f"-std={standard}", *WARNINGS, f"-I{HEADER.parent}", "-fsyntax-only",
                        lone)  # fmt: skip
                    compiled += 1
        if compiled == 0:
            raise Skip("there is no gcc, clang, g++ or clang++ on this machine")

    # -- programs with the installed library --

    def install(self):
        """All that is promised is installed; the prefix is then moved, for what is installed must bear that."""
        shutil.rmtree(self.prefix, ignore_errors=True)
        first = self.folder / "prefix"
        run(self.cmake, "--install", self.build, "--prefix", first)
        shutil.move(first, self.prefix)
        there = {path.name for path in self.prefix.rglob("*") if path.is_file()}
        same("files installed", there, {
            "libembws.so", f"libembws.so.{abi()}", f"libembws.so.{version()}", "libembws.a", "embws.h", "embws.pc",
            "embwsConfig.cmake", "embwsConfigVersion.cmake", "LICENSE-MIT", "LICENSE-APACHE", "RULES.md",
            "embws_stream.h", "embws_stream.c", "embws_stream_posix.h",
        })  # fmt: skip
        for name in ("libembws.so", f"libembws.so.{abi()}"):
            if not (self.libdir() / name).is_symlink():
                raise Failure(f"{name} is a copy, not a link")

    def find_package(self):
        self.cmake_consumer("find_package", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        refused = self.configure_consumer("refused", "find_package", f"-DCMAKE_PREFIX_PATH={self.prefix}", fails=True,
                                          edit=("embws 0.1 ", "embws 7 "))  # fmt: skip
        if "7" not in refused:
            raise Failure(f"version 7 was asked for, and the answer is not about it: {refused}")

    def pkg_config(self):
        tool = need("pkg-config", "pkgconf")
        environment = os.environ | {"PKG_CONFIG_PATH": str(self.libdir() / "pkgconfig")}

        def flags(*options):
            return shlex.split(run(tool, *options, "embws", env=environment))

        if flags("--modversion") != [version()]:
            raise Failure(f"embws.pc is of another version than {version()}")
        self.plain_consumer(flags("--cflags"), flags("--libs"), flags("--static", "--libs"))

    def plain(self):
        libdir = f"-L{self.libdir()}"
        self.plain_consumer([f"-I{self.prefix / 'include'}"], [libdir, "-lembws"], [libdir, "-lembws", "-lpthread"])

    def othergo(self):
        """A program can have another Go library, each shared or static; each runtime keeps to itself."""
        go = need(self.go)
        shutil.copytree(HERE / "othergo", self.folder, dirs_exist_ok=True)
        for mode, name in (("c-archive", "libother.a"), ("c-shared", "libother.so")):
            run(go, "build", f"-buildmode={mode}", "-o", name, ".", cwd=self.folder,
                env=os.environ | {"CC": self.cc, "GOWORK": "off"})  # fmt: skip
        for ours in (self.shared, self.build / "lib" / "libembws.a"):
            if ours.suffix == ".a" and not shutil.which("objcopy"):
                print("SKIPPED: with the static library: without objcopy it keeps Go's symbols, which clash")
                continue
            for other in ("libother.a", "libother.so"):
                program = self.folder / f"{ours.suffix[1:]}-{other}"
                run(self.cc, f"-I{HEADER.parent}", f"-I{HERE / 'consumer'}", self.folder / "program" / "main.c",
                    "-o", program, ours, self.folder / other, "-lpthread",
                    f"-Wl,-rpath,{self.folder}:{ours.parent}")  # fmt: skip
                print(f"{ours.name} and {other}:", run(program), end="")

    # -- programs with the sources --

    def add_subdirectory(self):
        # What a host project may ask of its own code must not break ours.
        self.cmake_consumer("add_subdirectory", f"-DEMBWS_SOURCE={ROOT}",
                            f"-DCMAKE_C_FLAGS=-std=c99 {' '.join(WARNINGS)}")  # fmt: skip

    def FetchContent(self):
        self.cmake_consumer("FetchContent", f"-DFETCHCONTENT_SOURCE_DIR_EMBWS={ROOT}")

    def rebuild(self):
        """Nothing is built where nothing has changed; all that depends on it where a file has changed or is new."""
        sources = self.folder / "sources"
        sources.mkdir()
        for name in ("CMakeLists.txt", "go.mod", "go.sum"):
            shutil.copy(ROOT / name, sources)
        for name in ("cmake", "bindings/c", "capi", "include", "ws"):
            shutil.copytree(ROOT / name, sources / name)
        self.configure_consumer("build", "add_subdirectory", f"-DEMBWS_SOURCE={sources}")
        library = self.folder / "build" / "embws" / "lib" / f"libembws.so.{version()}"
        program = self.folder / "build" / "consumer-c-embws"

        def built():
            run(self.cmake, "--build", self.folder / "build", "--target", "consumer-c-embws")
            run(program)
            return library.stat().st_mtime_ns, program.stat().st_mtime_ns

        before = built()
        if built() != before:
            raise Failure("a build without a change made the library or the program anew")
        for change in ("capi/main.go", "ws/new.go", "include/embws.h", "cmake/embws.map"):
            with open(sources / change, "a") as file:
                file.write("package ws\n" if change == "ws/new.go" else "\n")
            after = built()
            if after[0] == before[0]:
                raise Failure(f"a change of {change} did not make the library anew")
            before = after

    # -- other platforms --

    def musl(self):
        """The shared library is refused, with what to do; the static one is built, linked and runs."""
        compiler = f"-DCMAKE_C_COMPILER={need('musl-gcc')}"
        said = self.configure_consumer("refused", "add_subdirectory", f"-DEMBWS_SOURCE={ROOT}", compiler, fails=True)
        if "-DEMBWS_SHARED=OFF" not in said or "musl" not in said:
            raise Failure(f"musl is refused without saying what to do: {said}")
        self.cmake_consumer("add_subdirectory", f"-DEMBWS_SOURCE={ROOT}", compiler, "-DEMBWS_SHARED=OFF",
                            kinds=("static",), cxx=None)  # fmt: skip

    def arm64(self):
        need("aarch64-linux-gnu-gcc")
        emulator = [need("qemu-aarch64", "qemu-aarch64-static"), "-L", "/usr/aarch64-linux-gnu"]
        self.cmake_consumer("add_subdirectory", f"-DEMBWS_SOURCE={ROOT}", "--toolchain",
                            ROOT / "cmake" / "aarch64-linux-gnu.cmake",
                            cxx="aarch64-linux-gnu-g++", emulator=emulator)  # fmt: skip

    # -- parts of cases --

    def libdir(self):
        return next(self.prefix.rglob("libembws.a")).parent

    def configure_consumer(self, name, way, *options, fails=False, edit=None):
        """Copies the consumer project and configures it in the folder `name`."""
        source = self.folder / f"{name}-source"
        if not any(str(option).startswith("-DCONSUMER_CXX") for option in options):
            options += ("-DCONSUMER_CXX=0",)
        shutil.copytree(HERE / "consumer", source)
        if edit:
            lists = source / "CMakeLists.txt"
            lists.write_text(lists.read_text().replace(*edit))
        if not any("CMAKE_C_COMPILER=" in str(option) or "--toolchain" == option for option in options):
            options += (f"-DCMAKE_C_COMPILER={self.cc}",)
        return run(self.cmake, "-S", source, "-B", self.folder / name, f"-DEMBWS_BY={way}", *options, fails=fails)

    def cmake_consumer(self, way, *options, kinds=("embws", "static"), cxx="c++", emulator=()):
        """Builds the consumer project by CMake, as C and by the compiler cxx as C++, and runs each of its programs."""
        languages = ["c", "cxx"]
        if cxx is None or not shutil.which(cxx):
            languages.remove("cxx")
            if cxx:
                print(f"SKIPPED: the C++ programs: there is no {cxx} on this machine")
        self.configure_consumer("build", way, f"-DCONSUMER_CXX={len(languages) - 1}", *options)
        run(self.cmake, "--build", self.folder / "build", "--parallel", "2")
        for language in languages:
            for kind in kinds:
                print(run(*emulator, self.folder / "build" / f"consumer-{language}-{kind}"), end="")
        if list((self.folder / "build").rglob("CTestTestfile.cmake")):
            raise Failure("embws brought tests into the project that uses it")

    def has_static_c_library(self, compiler):
        empty = self.folder / "empty.c"
        empty.write_text("int main(void) { return 0; }\n")
        command = [compiler, "-x", "c", str(empty), "-static", "-o", str(self.folder / "empty")]
        return subprocess.run(command, capture_output=True).returncode == 0

    def plain_consumer(self, compile_flags, shared_flags, static_flags):
        """Builds the consumer's programs by the compilers alone: shared, static, and static to the C library."""
        links = {
            "shared": [*shared_flags, f"-Wl,-rpath,{self.libdir()}"],
            "static": ["-Wl,-Bstatic", *static_flags, "-Wl,-Bdynamic"],
            "wholly static": ["-static", *static_flags],
        }
        for source, compilers in (("main.c", (self.cc,)), ("main.cpp", ("c++", "g++", "clang++"))):
            try:
                compiler = need(*compilers)
            except Skip as reason:
                print(f"SKIPPED: {source}: {reason}")
                continue
            for name, link in links.items():
                if "-static" in link and not self.has_static_c_library(compiler):
                    print(f"SKIPPED: {source} {name}: {compiler} has no static C library to link")
                    continue
                program = self.folder / f"{source}-{name.replace(' ', '-')}"
                shutil.copytree(HERE / "consumer", self.folder / "source", dirs_exist_ok=True)
                run(compiler, *WARNINGS, *compile_flags, self.folder / "source" / source, "-o", program, *link)
                needed = run("readelf", "-d", program) if shutil.which("readelf") else None
                if needed is not None and (f"libembws.so.{abi()}" in needed) != (name == "shared"):
                    raise Failure(f"{program.name} is not linked as it should be")
                print(name, run(program), end="")


def header_number(name):
    return re.search(rf'^#define EMBWS_{name} +"?([0-9.]+)"?$', HEADER.read_text(), re.M)[1]


def version():
    return header_number("VERSION_STRING")


def abi():
    return header_number("ABI_VERSION")


def declared():
    """The functions that the header declares."""
    text = re.sub(r"/\*.*?\*/|^#.*?$", "", HEADER.read_text(), flags=re.S | re.M)
    return re.findall(r"EMBWS_API\s[^;(]*?\b(embws_\w+)\(", text)


CASES = {
    "header": Package.header,
    "exports": Package.exports,
    "install": Package.install,
    "find_package": Package.find_package,
    "pkg-config": Package.pkg_config,
    "plain": Package.plain,
    "othergo": Package.othergo,
    "add_subdirectory": Package.add_subdirectory,
    "FetchContent": Package.FetchContent,
    "rebuild": Package.rebuild,
    "musl": Package.musl,
    "arm64": Package.arm64,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build folder")
    parser.add_argument("--cmake", default="cmake")
    parser.add_argument("--cc", default="cc", help="the C compiler")
    parser.add_argument("--go", default="go", help="the Go command")
    parser.add_argument("--write", action="store_true", help="exports: write exports.txt from the library")
    parser.add_argument("case", choices=CASES)
    options = parser.parse_args()
    try:
        CASES[options.case](Package(options))
    except Skip as reason:
        print(f"SKIPPED: {reason}")
        return 77
    except Failure as reason:
        print(f"FAILED: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
