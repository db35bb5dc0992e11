"""The platforms that a wheel can be for: their names in Go and in a wheel's tag, and what the built library tells of them."""

from __future__ import annotations

import os
import platform
import re
import struct
import sysconfig
from typing import NamedTuple, NoReturn, Tuple

# Those for which pip takes a manylinux wheel (PEP 600).
MANYLINUX = {"x86_64", "i686", "aarch64", "armv7l", "ppc64", "ppc64le", "s390x", "riscv64", "loongarch64"}

LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION = 0x24, 0x32
MACHO_64 = 0xFEEDFACF


def fail(sentence: str) -> NoReturn:
    """Ends the build with one sentence."""
    raise SystemExit(f"embws: {sentence}")


class Target(NamedTuple):
    """The platform that is built for, in Go's words."""

    os: str
    arch: str

    def __str__(self) -> str:
        return f"{self.os}/{self.arch}"

    @property
    def library_name(self) -> str:
        return {"windows": "embws.dll", "darwin": "libembws.dylib"}.get(self.os, "libembws.so")

    @property
    def machine(self) -> str:
        """The architecture, as a wheel's tag has it."""
        names = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": arm(), "loong64": "loongarch64"}
        names.update(mipsle="mips", mips64le="mips64")  # as uname says
        if self.os == "darwin":
            names["arm64"] = "arm64"
        if self.os == "windows":
            names.update({"amd64": "amd64", "arm64": "arm64"})
        return names.get(self.arch, self.arch)

    def tag(self, library: bytes) -> str:
        """The platform tag of a wheel with this library: the oldest system that has all that the library uses."""
        if self.os == "windows":
            return "win32" if self.arch == "386" else f"win_{self.machine}"
        if self.os == "darwin":
            major, minor = oldest_macos(library)
            # From macOS 11 on pip knows the major versions alone: a library for 14.5 is 14_0, even on 14.5 itself.
            return f"macosx_{major}_{minor if major < 11 else 0}_{self.machine}"
        if self.os == "linux":
            minor = oldest_glibc(library)
            return f"manylinux_2_{minor}_{self.machine}" if self.machine in MANYLINUX else f"linux_{self.machine}"
        # Elsewhere a tag has the release of the system in it, which only the system itself can tell.
        here = sysconfig.get_platform()
        if not here.startswith(f"{self.os}-") or not here.endswith((self.arch, self.machine)):
            fail(f"a wheel for {self} has the release of the system in its tag: build it on one")
        return re.sub(r"[-. ]", "_", here.lower())


def arm() -> str:
    """Which 32-bit ARM: a version below 7 where $GOARM or the machine asks for it, whatever Go takes by itself.

    Go's own packages take 6 on every machine, but pip on a newer one takes no wheel that says so.
    """
    return (
        "armv6l"
        if (os.environ.get("GOARM") or platform.machine()).startswith(("5", "6", "armv5", "armv6"))
        else "armv7l"
    )


def oldest_glibc(library: bytes) -> int:
    """The minor version of the oldest glibc 2 that has every symbol of the library; not below 17, manylinux2014."""
    doubled = library.replace(b"\0", b"\0\0")  # so that two names in a row do not share the byte between them
    minors = [int(minor) for minor in re.findall(rb"\0GLIBC_2\.(\d+)(?:\.\d+)?\0", doubled)]
    if not minors:  # every library of Go's uses symbols of glibc that have a version; musl has none
        fail("musl cannot load the Go runtime from a shared library, so the package does not work here; take glibc")
    if b"\0GLIBC_ABI_DT_RELR\0" in doubled:  # no symbol, but what a linker asks for that packs relocations
        minors.append(36)
    return max(17, *minors)


def oldest_macos(library: bytes) -> Tuple[int, int]:
    """The oldest macOS that the library says it runs on: what $MACOSX_DEPLOYMENT_TARGET or the compiler chose."""
    if len(library) < 32 or struct.unpack_from("<I", library)[0] != MACHO_64:
        fail("what the C compiler made is not a library for macOS: set CC to a compiler for it")
    (commands,) = struct.unpack_from("<I", library, 16)
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", library, at)
        if command in (LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX):
            (version,) = struct.unpack_from("<I", library, at + (12 if command == LC_BUILD_VERSION else 8))
            return version >> 16, version >> 8 & 255
        at += size
    fail("the library does not say on which macOS it runs: set MACOSX_DEPLOYMENT_TARGET")
