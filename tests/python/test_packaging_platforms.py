"""What the build backend makes of platforms and of what Go says, without building: tags, and sentences instead of failures."""

from __future__ import annotations

import importlib
import os
import pathlib
import struct
import subprocess
import sys
import sysconfig
from typing import Any, Iterator, List, Tuple

import packaging.tags
import pytest

BACKEND = pathlib.Path(__file__).resolve().parent.parent.parent / "bindings" / "python" / "backend"


@pytest.fixture(scope="module")
def platform() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BACKEND))
        yield importlib.import_module("embws_platform")


@pytest.fixture(scope="module")
def build() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BACKEND))
        yield importlib.import_module("embws_build")


def elf(*versions: str) -> bytes:
    """As much of an ELF library as is looked at: the names of the versions of its symbols."""
    return b"\x7fELF\0\0" + b"\0".join(version.encode() for version in versions) + b"\0\0"


def mach_o(*commands: Tuple[int, bytes]) -> bytes:
    """The head of a Mach-O library with these load commands."""
    bodies = b"".join(struct.pack("<II", number, 8 + len(body)) + body for number, body in commands)
    return struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 6, len(commands), len(bodies), 0, 0) + bodies


def build_version(major: int, minor: int) -> Tuple[int, bytes]:
    """LC_BUILD_VERSION: for macOS, from that version on, by the SDK 15.2, with the version of one tool."""
    return 0x32, struct.pack("<6I", 1, major << 16 | minor << 8, 15 << 16 | 2 << 8, 1, 3, 0)


def version_min(major: int, minor: int) -> Tuple[int, bytes]:
    """LC_VERSION_MIN_MACOSX, of older linkers."""
    return 0x24, struct.pack("<2I", major << 16 | minor << 8, 12 << 16)


SEGMENT = (0x19, bytes(64))
GLIBC_217 = elf("libc.so.6", "GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.3.2")


@pytest.mark.parametrize(
    ("os_and_arch", "library", "tag"),
    [
        ("linux/amd64", elf("GLIBC_2.2.5", "GLIBC_2.34"), "manylinux_2_34_x86_64"),
        ("linux/amd64", elf("GLIBC_2.9", "GLIBC_2.34", "GLIBC_2.4"), "manylinux_2_34_x86_64"),
        ("linux/amd64", GLIBC_217, "manylinux_2_17_x86_64"),
        ("linux/amd64", elf("GLIBC_2.2.5", "GLIBC_2.3.4"), "manylinux_2_17_x86_64"),
        ("linux/amd64", elf("GLIBC_2.34", "GLIBC_ABI_DT_RELR"), "manylinux_2_36_x86_64"),
        ("linux/arm64", GLIBC_217, "manylinux_2_17_aarch64"),
        ("linux/386", GLIBC_217, "manylinux_2_17_i686"),
        ("linux/arm", GLIBC_217, "manylinux_2_17_armv7l"),
        ("linux/riscv64", elf("GLIBC_2.27"), "manylinux_2_27_riscv64"),
        ("linux/ppc64le", GLIBC_217, "manylinux_2_17_ppc64le"),
        ("linux/s390x", GLIBC_217, "manylinux_2_17_s390x"),
        ("linux/loong64", elf("GLIBC_2.36"), "manylinux_2_36_loongarch64"),
        ("linux/mips64le", GLIBC_217, "linux_mips64"),
        ("darwin/amd64", mach_o(SEGMENT, build_version(10, 15)), "macosx_10_15_x86_64"),
        ("darwin/amd64", mach_o(version_min(10, 13), SEGMENT), "macosx_10_13_x86_64"),
        ("darwin/arm64", mach_o(SEGMENT, SEGMENT, build_version(11, 0)), "macosx_11_0_arm64"),
        ("darwin/arm64", mach_o(build_version(14, 5)), "macosx_14_0_arm64"),
        ("windows/amd64", b"MZ", "win_amd64"),
        ("windows/arm64", b"MZ", "win_arm64"),
        ("windows/386", b"MZ", "win32"),
    ],
)
def test_the_tag_is_of_the_oldest_system_that_the_library_runs_on(
    platform: Any, monkeypatch: pytest.MonkeyPatch, os_and_arch: str, library: bytes, tag: str
) -> None:
    monkeypatch.setenv("GOARM", "7")
    assert platform.Target(*os_and_arch.split("/")).tag(library) == tag


def test_the_file_has_the_name_that_its_platform_gives_a_library(platform: Any) -> None:
    names = [platform.Target(system, "amd64").library_name for system in ("linux", "darwin", "windows", "freebsd")]
    assert names == ["libembws.so", "libembws.dylib", "embws.dll", "libembws.so"]


@pytest.mark.parametrize(
    ("goarm", "machine", "tag"),
    [
        ("", "armv7l", "armv7l"),
        ("", "armv6l", "armv6l"),
        ("", "x86_64", "armv7l"),
        ("6", "x86_64", "armv6l"),
        ("7,softfloat", "armv6l", "armv7l"),
    ],
)
def test_32_bit_arm(platform: Any, monkeypatch: pytest.MonkeyPatch, goarm: str, machine: str, tag: str) -> None:
    monkeypatch.setattr(platform.platform, "machine", lambda: machine)
    monkeypatch.setenv("GOARM", goarm)
    assert platform.Target("linux", "arm").machine == tag


@pytest.mark.parametrize(("version", "arch"), [((14, 5), "arm64"), ((10, 15), "x86_64")])
def test_pip_takes_the_tag_on_the_macos_that_the_library_was_built_for(
    platform: Any, version: Tuple[int, int], arch: str
) -> None:
    target = platform.Target("darwin", {"x86_64": "amd64"}.get(arch, arch))
    assert target.tag(mach_o(build_version(*version))) in packaging.tags.mac_platforms(version, arch)


@pytest.mark.parametrize(
    ("library", "sentence"),
    [
        (elf("GLIBC_2.17"), "what the C compiler made is not a library for macOS"),
        (b"", "what the C compiler made is not a library for macOS"),
        (mach_o(SEGMENT), "the library does not say on which macOS it runs"),
    ],
)
def test_a_library_that_is_none_for_macos_is_refused(platform: Any, library: bytes, sentence: str) -> None:
    with pytest.raises(SystemExit, match=f"embws: {sentence}"):
        platform.Target("darwin", "arm64").tag(library)


def test_a_library_without_glibc_is_refused(platform: Any) -> None:
    with pytest.raises(SystemExit, match="embws: musl cannot load the Go runtime"):
        platform.Target("linux", "amd64").tag(elf("libc.musl-x86_64.so.1"))


def test_elsewhere_the_tag_is_what_pip_calls_the_system_itself(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "freebsd-14.1-RELEASE-p5-amd64")
    tag = platform.Target("freebsd", "amd64").tag(elf())
    assert tag == "freebsd_14_1_release_p5_amd64"
    monkeypatch.setattr(platform.platform, "system", lambda: "FreeBSD")
    assert packaging.tags.Tag("py3", "none", tag) in {
        packaging.tags.Tag("py3", "none", name) for name in packaging.tags.platform_tags()
    }
    for system in ("netbsd", "solaris"):
        with pytest.raises(SystemExit, match=f"embws: a wheel for {system}/amd64 .* build it on one"):
            platform.Target(system, "amd64").tag(elf())


# -- What Go says -----------------------------------------------------------------------------------------------------

OLD_GO = "embws: building needs Go 1.23 or newer: install it from https://go.dev/dl/"
NO_COMPILER = "embws: building needs a C compiler besides Go: install gcc or clang, or set CC"
FOR_ARM64 = "embws: building for linux/arm64 needs a C compiler for it: set CC"


@pytest.fixture
def built_by(tmp_path: pathlib.Path) -> Any:
    """Has the library built by a `go` that prints this and fails; returns the last line of what the build says."""
    if os.name == "nt":
        pytest.skip("the stand-in for `go` is a shell script")

    def run(said: str, version: str = "go1.23.4", target: str = "amd64", cc: str = "") -> str:
        (tmp_path / "said").write_text(said)
        script = f"""#!/bin/sh
case "$*" in
  "env GOHOSTOS GOHOSTARCH") printf 'linux\\namd64\\n';;
  "env GOOS GOARCH GOVERSION") printf 'linux\\n{target}\\n{version}\\n';;
  *) cat "$(dirname "$0")/said" >&2; exit 1;;
esac
"""
        (tmp_path / "go").write_text(script)
        (tmp_path / "go").chmod(0o755)
        program = "import pathlib, sys, embws_library; embws_library.build_library(pathlib.Path(sys.argv[1]))"
        done = subprocess.run(
            [sys.executable, "-B", "-c", program, str(tmp_path)], cwd=BACKEND,
            env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "CC": cc},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        return done.stderr.rstrip().rsplit("\n", 1)[-1]

    return run


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("ws/utf8.go:67:10: undefined: min\nnote: module requires Go 1.23\n", OLD_GO),
        ("package github.com/embws/embws/ws: cannot compile Go 1.23 code\n", OLD_GO),
        ("go: go.mod requires go >= 1.23 (running go 1.21.13; GOTOOLCHAIN=local)\n", OLD_GO),
        ("go: errors parsing go.mod:\ngo.mod:3: invalid go version '1.23.0': must match format 1.23\n", OLD_GO),
        ("go: download go1.23 for linux/amd64: toolchain not available\n", OLD_GO),
        ("go: download go1.23.0: golang.org/toolchain@v0.0.1-go1.23.0.linux-amd64: module lookup disabled\n", OLD_GO),
        (
            '# runtime/cgo\ncgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH\n',
            NO_COMPILER,
        ),
        (
            "# runtime/cgo\n_cgo_export.c:3:10: fatal error: stdlib.h: No such file or directory\n",
            "embws: the C compiler finds no stdlib.h: install the headers of the C library, such as Debian's libc6-dev",
        ),
        (
            "# runtime/cgo\n./cgo.h:3:10: fatal error: 'sys/types.h' file not found\n",
            "embws: the C compiler finds no sys/types.h: install the headers of the C library, such as Debian's libc6-dev",
        ),
        ("something else\n", "embws: `go build -mod=readonly` failed; what it said stands above"),
    ],
)
def test_what_go_says_becomes_a_sentence_on_what_to_do(built_by: Any, said: str, sentence: str) -> None:
    assert built_by(said) == sentence


@pytest.mark.parametrize("version", ["go1.20.14", "go1.9", "go1.22rc1", "go1.18 gccgo (GCC) 12.2.0"])
def test_an_old_go_is_told_before_it_builds(built_by: Any, version: str) -> None:
    number = version.split()[0].removeprefix("go").replace("rc1", "").removesuffix(".14")
    sentence = f"embws: building needs Go 1.23 or newer, and the `go` on PATH is {number}: install it from"
    assert built_by("it built\n", version).startswith(sentence)


@pytest.mark.parametrize("version", ["go1.23", "go1.30.1", "go2.0", "devel +ab12cd"])
def test_a_newer_go_is_let_try(built_by: Any, version: str) -> None:
    assert built_by("it tried\n", version) == "embws: `go build -mod=readonly` failed; what it said stands above"


@pytest.mark.parametrize(
    ("target", "cc", "sentence"),
    [
        ("arm64", "", FOR_ARM64),
        ("arm64", "some-gcc", "embws: `go build -mod=readonly` failed; what it said stands above"),
        ("amd64", "", "embws: `go build -mod=readonly` failed; what it said stands above"),
    ],
)
def test_a_build_for_another_machine_says_that_it_needs_a_compiler(
    built_by: Any, target: str, cc: str, sentence: str
) -> None:
    said = "# runtime/cgo\ngcc_arm64.S:30: Error: no such instruction: `stp x29,x30,[sp,'\n"
    assert built_by(said, target=target, cc=cc) == sentence


# -- The archives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("", 315532800), ("0", 315532800), ("1700000000", 1700000000), ("99999999999", 2**32 - 1)],
)
def test_source_date_epoch_is_kept_to_what_archives_can_say(
    build: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, said: str, seconds: int
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", said)
    assert build.epoch() == seconds
    build.write_wheel(tmp_path, {}, "any")
    assert struct.unpack("<I", build.gzipped(b"")[4:8]) == (seconds,)


@pytest.mark.parametrize("said", ["now", "-1", "1.5", " 1", "\u0663"])
def test_source_date_epoch_that_is_no_number_is_told(build: Any, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", said)
    with pytest.raises(SystemExit, match="embws: SOURCE_DATE_EPOCH is .* which is no number of seconds since 1970"):
        build.epoch()


@pytest.mark.parametrize("folder", ["/home/x/src", "/home/Bj\u00f6rn's \u2603/src", "C:\\Users\\Bj\u00f6rn\\new"])
def test_the_line_of_an_editable_install_can_be_read_in_every_locale(build: Any, folder: str) -> None:
    line = build.path_line(folder).decode("ascii")
    before: List[str] = list(sys.path)
    try:  # what site.py does with a line
        exec(line) if line.startswith("import ") else sys.path.append(line.rstrip())
        assert sys.path == [*before, folder]
    finally:
        sys.path[:] = before
