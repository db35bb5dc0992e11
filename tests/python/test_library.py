"""Finding the library, and what importing the package brings along."""

from __future__ import annotations

import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import embws
from conftest import Run
from embws import _library

TRY = "import embws"


def test_a_library_that_is_not_there_is_a_libraryerror_that_lists_what_was_tried(
    run_python: Run, tmp_path: pathlib.Path
) -> None:
    wrong = tmp_path / "nowhere" / "libembws.so"
    done = run_python(TRY, {"EMBWS_LIBRARY": str(wrong)})
    assert done.returncode == 1
    assert (
        "embws.exceptions.LibraryError" in done.stderr and "EMBWS_LIBRARY" in done.stderr and str(wrong) in done.stderr
    )


@pytest.mark.parametrize("content", [b"", b"this is no library", b"\x7fELF"], ids=["empty", "text", "cut short"])
def test_a_file_that_is_no_library_is_a_libraryerror(run_python: Run, tmp_path: pathlib.Path, content: bytes) -> None:
    wrong = tmp_path / "libembws.so"
    wrong.write_bytes(content)
    done = run_python(TRY, {"EMBWS_LIBRARY": str(wrong)})
    assert "embws.exceptions.LibraryError" in done.stderr and str(wrong) in done.stderr


def test_a_folder_is_a_libraryerror(run_python: Run, tmp_path: pathlib.Path) -> None:
    assert "embws.exceptions.LibraryError" in run_python(TRY, {"EMBWS_LIBRARY": str(tmp_path)}).stderr


def compiled(tmp_path: pathlib.Path, source: str) -> pathlib.Path:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("there is no C compiler here")
    code, library = tmp_path / "other.c", tmp_path / "libother.so"
    code.write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(code)], check=True, timeout=60)
    return library


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("int unrelated(void) { return 0; }", "embws_abi_version"),
        (
            "unsigned embws_abi_version(void) { return 99; } unsigned embws_version_number(void) { return 100; }",
            "ABI 99",
        ),
        (
            "unsigned embws_abi_version(void) { return 0; } unsigned embws_version_number(void) { return 1; }",
            "version 1",
        ),
        # It says that it is the right one, and lacks what is used: an older build of a branch, or a stub.
        (
            "unsigned embws_abi_version(void) { return 0; } unsigned embws_version_number(void) { return 999999; }",
            "embws_",
        ),
    ],
    ids=["unrelated", "other ABI", "too old", "functions are missing"],
)
def test_another_library_is_a_libraryerror_that_says_why(
    run_python: Run, tmp_path: pathlib.Path, source: str, says: str
) -> None:
    library = compiled(tmp_path, source)
    done = run_python(TRY, {"EMBWS_LIBRARY": str(library)})
    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("embws.exceptions.LibraryError") :] if "LibraryError" in done.stderr else ""
    assert says in last and str(library) in last, done.stderr


def test_a_libraryerror_is_an_importerror_of_the_tree() -> None:
    assert issubclass(embws.LibraryError, ImportError) and issubclass(embws.LibraryError, embws.EmbwsError)


def test_no_program_is_started_to_find_the_library_where_it_is_known(run_python: Run) -> None:
    """ctypes.util.find_library runs ldconfig and a compiler, which takes longer than all else."""
    program = """
import os, subprocess
def forbidden(*a, **k): raise SystemExit("a program was started: " + repr(a))
subprocess.Popen.__init__ = forbidden
os.popen = forbidden
import embws
"""
    done = run_python(program, {"EMBWS_LIBRARY": _library.lib._name})
    assert done.returncode == 0, done.stderr
    bundled = pathlib.Path(embws.__file__).parent / _library.library_name()
    if bundled.exists():
        done = run_python(program.replace("import embws", "os.environ.pop('EMBWS_LIBRARY', None)\nimport embws"))
        assert done.returncode == 0, done.stderr


def test_importing_embws_brings_nothing_heavy(run_python: Run) -> None:
    """Nor does it bring what only a client needs, or a connection: a server without I/O starts with the codec alone."""
    heavy = ["asyncio", "ssl", "http", "email", "logging", "dataclasses", "inspect"]
    avoidable = ["socket", "selectors", "subprocess", "uuid", "random", "urllib.parse", "base64"]
    program = f"""
import sys
before = set(sys.modules)
import embws
print(*[name for name in {heavy + avoidable!r} if name in set(sys.modules) - before])
"""
    done = run_python(program)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


def test_the_time_of_an_import_is_told(run_python: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed and not judged: a busy machine is slow. The goal is 40 ms."""
    times = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", "import embws"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        line = re.search(r"\|\s+(\d+) \| embws$", done.stderr, re.MULTILINE)
        assert line, done.stderr
        times.append(int(line.group(1)) / 1000)
    with capsys.disabled():
        print(f"\nimport embws: {min(times):.1f} ms (best of {len(times)}; goal 40 ms)")


def test_versions_agree() -> None:
    assert embws.library_version == embws.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", embws.__version__)
    assert os.path.exists(os.path.join(os.path.dirname(embws.__file__), "py.typed"))


def test_what_the_package_uses_is_as_large_as_the_header_says(tmp_path: pathlib.Path) -> None:
    """The structs of ctypes against those of the compiler: sizes, and the place of each member."""
    header = pathlib.Path(__file__).resolve().parents[2] / "include"
    structs = {
        "embws_span": _library.Span,
        "embws_field": _library.Field,
        "embws_extension": _library.Extension,
        "embws_options": _library.Options,
        "embws_handshake_options": _library.HandshakeOptions,
        "embws_io": _library.IO,
        "embws_failure": _library.Failure,
        "embws_head": _library.Head,
        "embws_acceptance": _library.Acceptance,
        "embws_response": _library.HTTPResponse,
        "embws_request": _library.HTTPRequest,
    }
    lines, expected = [], []
    for name, of in structs.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected.append(f"{name} {ctypes.sizeof(of)}")
        for member, *_ in of._fields_:
            in_c = "in" if member == "in_" else member
            lines.append(f'printf("{name}.{in_c} %zu\\n", offsetof({name}, {in_c}));')
            expected.append(f"{name}.{in_c} {getattr(of, member).offset}")
    lines.append('printf("embws_event %zu\\n", sizeof(embws_event));')
    expected.append(f"embws_event {_library.EVENT_SIZE}")
    source = f'#include <stdio.h>\n#include "embws.h"\nint main(void) {{ {" ".join(lines)} return 0; }}'
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("there is no C compiler here")
    (tmp_path / "sizes.c").write_text(source)
    subprocess.run(
        [compiler, f"-I{header}", "-o", str(tmp_path / "sizes"), str(tmp_path / "sizes.c")], check=True, timeout=60
    )
    done = subprocess.run([str(tmp_path / "sizes")], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == expected


def test_the_statuses_are_those_of_the_header() -> None:
    header = (pathlib.Path(__file__).resolve().parents[2] / "include" / "embws.h").read_text()
    found = re.findall(r"#define EMBWS_(\w+)\s+\(?(-?(?:0x)?[\dA-F]+)u?\)?", header)
    numbers = {name: int(number, 0) for name, number in found}
    missing = {"FIRST_VIOLATION", "OLDEST", "EVENT_SIZE"}
    for name, value in vars(_library).items():
        if name.isupper() and isinstance(value, int) and not name.startswith("_") and name not in missing:
            assert numbers[name] == value, name


def test_objects_that_live_to_the_end_of_the_program_disturb_nobody(run_python: Run) -> None:
    program = """
import embws, threading
kept = [embws.ServerProtocol(handshake=False), embws.ClientProtocol("ws://example.com/")]
cycle = [embws.ServerProtocol()]
cycle.append(cycle)
iterator = kept[0].events()
kept[0].receive_data(bytes([0x81, 0x80, 0, 0, 0, 0] * 3))
next(iterator)
class Late:
    def __init__(self): self.protocol = embws.ClientProtocol(None)
    def __del__(self): self.protocol.close()
late = Late()
threading.Thread(target=lambda: threading.Event().wait(60), daemon=True).start()
"""
    done = run_python(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
