"""Building libembws for the package: where its sources are, how Go builds it, and on which platforms it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from embws_platform import Target as Target
from embws_platform import fail as fail

HERE = Path(__file__).resolve().parent.parent
POINTER = "github.com/mattn/go-pointer"

# The Go sources: those of the checkout that this folder is in, or those that the sdist has in go/.
CHECKOUT = HERE.parent.parent
GO = HERE / "go" if (HERE / "go" / "go.mod").exists() else CHECKOUT

#: Whatever the environment says: the module as it is, and nothing outside of it.
MODULES = {"GOWORK": "off", "GO111MODULE": "on"}
INSTALL = "install it from https://go.dev/dl/"


def project_file(name: str) -> Path:
    """A file of the project's root, which in an sdist is here or in go/."""
    for root in (HERE, GO, CHECKOUT):
        if (root / name).exists():
            return root / name
    fail(f"{name} is missing: this is neither a checkout of the project nor its sdist")


def go(*arguments: str, target: Optional[Target] = None, **environment: str) -> str:
    """Runs the go command and returns what it prints."""
    command = shutil.which("go")
    if command is None:
        fail(f"building needs Go {oldest_go()} or newer, and there is no `go` on PATH: {INSTALL}")
    try:
        done = subprocess.run(
            [command, *arguments], cwd=GO, env={**os.environ, **MODULES, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="surrogateescape",
        )  # fmt: skip
    except OSError as error:
        fail(f"{command} cannot be run: {error.strerror}")
    if done.returncode != 0:
        sys.stderr.write(done.stderr.encode(errors="surrogateescape").decode(errors="replace"))
        fail(reason(done.stderr, target) or f"`go {' '.join(arguments[:2])}` failed; what it said stands above")
    return done.stdout


#: What a Go says that is too old, by itself or because it may not or cannot load the one that go.mod asks for.
TOO_OLD = re.compile(
    r"cannot compile Go|(module|file) requires (Go|newer Go)|requires go ?>=|invalid go version|toolchain not available"
    r"|golang\.org/toolchain@"
)
NO_COMPILER = re.compile(r"C compiler .* not found|executable file not found")
NO_HEADER = re.compile(r"fatal error: '?([\w./]+\.h)'?( file not found|: No such file)")


def reason(said: str, target: Optional[Target]) -> Optional[str]:
    """What to do about a build that failed, if what Go said tells."""
    if TOO_OLD.search(said):
        return f"building needs Go {oldest_go()} or newer: {INSTALL}"
    # The default compiler may be able to build for another platform, as clang is on macOS: only its failure tells.
    if (
        target is not None
        and target != Target(*go("env", "GOHOSTOS", "GOHOSTARCH").split())
        and not os.environ.get("CC")
    ):
        return f"building for {target} needs a C compiler for it: set CC"
    if NO_COMPILER.search(said):
        return "building needs a C compiler besides Go: install gcc or clang, or set CC"
    if "malformed #cgo argument" in said:
        return f"cgo allows no quotes or brackets in the path of the sources, {GO}: move them"
    if header := NO_HEADER.search(said):
        return f"the C compiler finds no {header[1]}: install the headers of the C library, such as Debian's libc6-dev"
    return None


def target_of_environment() -> Target:
    """$GOOS and $GOARCH, or this machine. The first that a build asks of Go, so it also sees that Go is new enough."""
    *platform, version = go("env", "GOOS", "GOARCH", "GOVERSION").splitlines()
    number = re.search(r"go(\d+)\.(\d+)", version)  # none if somebody built it from a state between versions
    oldest = oldest_go()
    if number and (int(number[1]), int(number[2])) < tuple(map(int, oldest.split(".")[:2])):
        fail(f"building needs Go {oldest} or newer, and the `go` on PATH is {number[1]}.{number[2]}: {INSTALL}")
    return Target(*platform)


def build_library(folder: Path) -> Tuple[Path, str]:
    """Builds the library into a folder, stripped, and the same each time. Returns it and its platform tag."""
    target = target_of_environment()
    library = folder / target.library_name
    link: List[str] = []
    if target.os == "linux":
        link = [f"-Wl,--version-script={exports(folder, 'embws.map')}", "-Wl,-soname,libembws.so.0"]
        link.append("-Wl,--build-id=none")
    elif target.os == "darwin":
        link = [f"-Wl,-exported_symbols_list,{exports(folder, 'embws.exp')}"]
        link.append("-Wl,-install_name,@rpath/libembws.dylib")
    options = " ".join(f"'{option}'" for option in link)
    modules = "-mod=vendor" if (GO / "vendor").exists() else "-mod=readonly"  # also where GOFLAGS says another
    go(
        "build", modules, "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-tags=embws_norand",
        f'-ldflags=-s -w -buildid= -extldflags "{options}"', "-o", str(library), "./capi",
        target=target, CGO_ENABLED="1", GOOS=target.os, GOARCH=target.arch,
    )  # fmt: skip
    return library, target.tag(library.read_bytes())


def exports(folder: Path, name: str) -> Path:
    """A list of what the library exports, copied: the sources may be at a path that no linker option can have in it."""
    return Path(shutil.copy(project_file(f"cmake/{name}"), folder))


# -- What an sdist carries --------------------------------------------------------------------------------------------


def in_module(pattern: str) -> str:
    """What go.mod says, which is said there alone."""
    found = re.search(pattern, project_file("go.mod").read_text(encoding="utf-8"), re.M)
    if found is None:
        fail(f"go.mod has no line like {pattern}")
    return found[1]


def oldest_go() -> str:
    return in_module(r"^go (\S+)")


def pointer_folder() -> Path:
    """Where the sources of go-pointer are."""
    vendored = GO / "vendor" / POINTER
    if vendored.exists():
        return vendored
    go("mod", "download", POINTER)
    return Path(go("list", "-mod=readonly", "-m", "-f", "{{.Dir}}", POINTER).strip())


def files_of(folder: Path) -> Iterator[Path]:
    """The files in a folder and below it, without what editors, tools and file systems leave there under hidden names."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            yield path


def go_sources() -> Dict[str, bytes]:
    """All that is needed to build the library, by its path in an sdist's folder go/."""
    version = in_module(rf"^(?:require)?\s*{POINTER} (\S+)")
    module = f"module github.com/embws/embws\n\ngo {oldest_go()}\n\nrequire {POINTER} {version}\n"
    vendored = f"# {POINTER} {version}\n## explicit\n{POINTER}\n"
    files = {"go.mod": module.encode(), "vendor/modules.txt": vendored.encode()}
    for part in ("ws", "capi", "include", "cmake"):
        suffixes = (".map", ".exp") if part == "cmake" else (".go", ".s", ".c", ".h", ".pgo")
        for path in files_of(GO / part):
            name = path.relative_to(GO).as_posix()
            if path.suffix in suffixes and not name.endswith("_test.go"):
                files[name] = path.read_bytes()
    for path in sorted(pointer_folder().glob("*")):
        if path.name == "LICENSE" or path.suffix == ".go" and not path.name.endswith("_test.go"):
            files[f"vendor/{POINTER}/{path.name}"] = path.read_bytes()
    return files


def license_text(name: str) -> bytes:
    """A licence of what a wheel has in it. Go's own is a file of ours, for not every installed Go has it beside it."""
    if name == "LICENSE-go-pointer" and not (HERE / name).exists():
        return (pointer_folder() / "LICENSE").read_bytes()
    return project_file(name).read_bytes()
