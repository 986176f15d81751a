# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules of the house that a machine can check."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
GENERATED = ("build-aux", "autom4te.cache", "po", ".git")

# What a library must not do to the process it lives in, and calls that have a safe twin.
BANNED = set(
    """system popen exit _exit _Exit quick_exit abort atexit umask chdir fchdir chroot setenv putenv unsetenv
clearenv signal sigaction sigprocmask setlocale printf puts putchar perror vprintf strtok localtime gmtime ctime asctime
strerror sprintf vsprintf strcpy strcat stpcpy gets getenv_r rand srand random tmpnam tempnam mktemp alarm setitimer
__printf_chk __sprintf_chk __vprintf_chk __vsprintf_chk __strcpy_chk __strcat_chk __fprintf_chk stdout stderr fprintf
json_dumps getpwuid getpwnam getgrgid getgrnam readdir_r inet_ntoa gethostbyname strsignal waitid wait wait3""".split()
)
ADAPTER_MAY = re.compile(
    r"^<(certdeploy-adapter|certdeploy|uthash|utarray|utlist|utstring|assert|ctype|errno|inttypes|limits|stdarg|stdbool|"
    r"stddef|stdint|stdio|stdlib|time|string|strings|fnmatch|libintl|arpa/inet|netinet/in|sys/socket|sys/types|netdb)\.h>$"
)


def tracked(*suffixes):
    """The project's own files, from git or, in an unpacked release, from the directory."""
    git = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if git.returncode == 0 and (TOP / ".git").exists():
        names = [n for n in git.stdout.split("\0") if n]
    else:
        names = [str(p.relative_to(TOP)) for p in TOP.rglob("*") if p.is_file()]
    return [
        n
        for n in names
        if (TOP / n).is_file()
        and n.endswith(suffixes)
        and not n.startswith("build")
        and n.split("/")[0] not in GENERATED
    ]


def text(name):
    return (TOP / name).read_text(errors="replace")


def code(name):
    """A C source without comments and without what stands in strings."""
    plain = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text(name), flags=re.S)
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', plain)


def library_sources():
    return [n for n in tracked(".c", ".h") if n.startswith(("libcertdeploy/", "adapters/"))]


@pytest.fixture(scope="module")
def library():
    """The built shared library."""
    build = os.environ.get("CERTDEPLOY_BUILDDIR")
    for place in [Path(build)] if build else [TOP / "build", TOP]:
        if (place / ".libs/libcertdeploy.so").exists():
            return place / ".libs/libcertdeploy.so"
    pytest.skip("the library is not built")


def run(*argv, check=True):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=check).stdout


def instrumented(library):
    return "__asan_init" in run("nm", "-D", library)


# the built library


def test_only_our_names_are_exported(library):
    names = [
        line.split()[-1].partition("@")[0]
        for line in run("nm", "-D", "--defined-only", library).splitlines()
        if line.split()[-2] not in ("A", "a")
    ]
    assert names and [n for n in names if not n.startswith("certdeploy_")] == []


def declared():
    both = text("libcertdeploy/certdeploy.h") + text("libcertdeploy/certdeploy-adapter.h")
    return set(re.findall(r"CERTDEPLOY_API[^;]*?\b(certdeploy_\w+)\(", both))


def test_every_declared_function_is_exported(library):
    exported = {
        line.split()[-1].partition("@")[0] for line in run("nm", "-D", "--defined-only", library).splitlines()
    }
    assert declared() - exported == set()
    assert {n for n in exported if n.startswith("certdeploy_")} - declared() == set()


def test_the_map_names_what_is_declared():
    """One list for the linker, one for Debian, one for readers: all the same."""
    names = re.findall(r"^\t(certdeploy_\w+);", text("libcertdeploy/certdeploy.map"), re.M)
    assert names == sorted(declared())
    symbols = re.findall(r"^ (certdeploy_\w+)@LIBCERTDEPLOY_[\d.]+ [\d.]+$", text("debian/libcertdeploy0.symbols"), re.M)
    assert symbols == names


def test_every_declaration_says_since_when():
    for header in ("certdeploy.h", "certdeploy-adapter.h"):
        source = text(f"libcertdeploy/{header}")
        starts = re.finditer(r"^(?:CERTDEPLOY_API |typedef |(?:struct|enum) certdeploy\w* ?[{;])", source, re.M)
        wrong = [source[m.start() :].split("\n", 1)[0] for m in starts
                 if not re.search(r"ince \d+\.\d+[^/]*\*/\n\Z", source[: m.start()])]
        assert wrong == []


def test_no_banned_function_is_called(library):
    if instrumented(library):
        pytest.skip("sanitizers bring calls of their own")
    called = {
        line.split()[-1].partition("@")[0] for line in run("nm", "-D", "--undefined-only", library).splitlines()
    }
    assert called & BANNED == set()


def test_no_writable_static_data(library):
    if instrumented(library):
        pytest.skip("sanitizers bring data of their own")
    sections = {
        m.group(1): m.group(2) for m in re.finditer(r"^\s*\[\s*(\d+)\]\s+(\S+)", run("readelf", "-SW", library), re.M)
    }
    found = set()
    for line in run("readelf", "-sW", library).splitlines():
        fields = line.split()
        if (
            len(fields) == 8
            and fields[3] in ("OBJECT", "TLS")
            and sections.get(fields[6]) in (".data", ".bss", ".tdata", ".tbss")
        ):
            found.add(fields[7].partition("@")[0])
    assert found - {"__dso_handle", "completed.0", "__TMC_END__"} == set()


@pytest.mark.parametrize("which", ["library", "tool", "adapter module"])
def test_hardening(library, which, tmp_path):
    """Position independent, RELRO, bound at start, stack protector, FORTIFY, no executable stack, no search path."""
    built = library
    if which == "tool":
        built = library.parents[1] / "examples/certdeploy/.libs/certdeploy"
    elif which == "adapter module":
        place = shutil.copytree(TOP / "examples/adapter-skeleton", tmp_path / "module")
        flags = [f"CPPFLAGS=-I{TOP}/libcertdeploy", f"LDFLAGS=-Wl,--no-as-needed -L{library.parent} -lcertdeploy", "PKG_CONFIG=true"]
        done = subprocess.run(
            ["make", "-s", "-C", place, "vsftpd.so", *flags],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "MAKEFLAGS": ""},
        )
        if instrumented(library):
            pytest.skip("linked without a sanitizer's library")
        assert done.returncode == 0, done.stderr
        built = place / "vsftpd.so"
    dynamic, program, symbols = run("readelf", "-dW", built), run("readelf", "-lW", built), run("nm", "-D", built)
    assert re.search(r"Type: +DYN\b|file type is DYN", program), "position independent"
    assert re.search(r"\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b", dynamic)
    assert "GNU_RELRO" in program and re.search(r"GNU_STACK.*\bRW ", program)
    assert "TEXTREL" not in dynamic
    needed = re.findall(r"NEEDED.*\[(.+?)\]", dynamic)
    assert not [n for n in needed if n.startswith("libcmocka")]
    if not instrumented(library):
        assert "__stack_chk_fail" in symbols
        # the example calls nothing that could be fortified
        assert which == "adapter module" or re.search(r"__(?!stack)\w+_chk\b", symbols), "FORTIFY"


def test_what_is_linked_is_listed(library):
    if instrumented(library):
        pytest.skip("sanitizers bring libraries of their own")
    told = text("doc/linked.md")
    for name in re.findall(r"NEEDED.*\[lib(.+?)\.so", run("readelf", "-d", library)):
        assert re.search(rf"^\|.*\b(lib)?{re.escape(name)}", told, re.M), f"doc/linked.md does not say why {name} is linked"


# the public headers


@pytest.mark.parametrize("header", ["certdeploy.h", "certdeploy-adapter.h"])
@pytest.mark.parametrize(
    "compiler",
    [
        ["gcc", "-std=c99", "-x", "c"],
        ["gcc", "-std=c11", "-x", "c"],
        ["clang", "-std=c11", "-x", "c"],
        ["g++", "-std=c++11", "-x", "c++"],
        ["clang++", "-std=c++17", "-x", "c++"],
    ],
    ids=lambda c: "-".join(c[:2]),
)
def test_public_headers_stand_alone(header, compiler, tmp_path):
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not installed")
    source = tmp_path / "alone"
    source.write_text(f"#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n")
    done = subprocess.run(
        [*compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{TOP}/libcertdeploy", source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# the sources


def test_adapters_include_only_the_adapter_interface():
    wrong = []
    for name in tracked(".c", ".h"):
        if not name.startswith("adapters/"):
            continue
        for include in re.findall(r'^\s*#\s*include\s+([<"].*?[>"])', text(name), re.M):
            inside = include.startswith('"') and (TOP / name).parent.joinpath(include[1:-1]).exists()
            if not inside and not ADAPTER_MAY.match(include):
                wrong.append(f"{name}: {include}")
    assert wrong == []


def test_the_tool_includes_only_the_public_header():
    wrong = []
    for name in tracked(".c", ".h"):
        if name.startswith("examples/"):
            for include in re.findall(r'^\s*#\s*include\s+"(.*?)"', text(name), re.M):
                beside = (TOP / name).parent.joinpath(include).exists()
                # What the tool says before there is a handle: from the catalogue that the library reads, too.
                if not beside and (name, include) != ("examples/certdeploy/language.c", "base/catalogue.h"):
                    wrong.append(f"{name}: {include}")
    assert wrong == []


FLOORS = ("base", "change", "host", "certificate", "proof")


def test_tool_and_library_escape_the_same():
    """The tool has nothing of the library but the public header, which is no place for this table."""
    tables = [re.search(r"\} harmful\[\] = \{\n(.*?)\n\};", (TOP / file).read_text(), re.S).group(1).split()
              for file in ("libcertdeploy/base/text.c", "examples/certdeploy/text.c")]
    assert tables[0] == tables[1]


def test_the_ground_floor_includes_nothing_above():
    wrong = []
    for name in library_sources():
        if name.startswith("libcertdeploy/base/"):
            for include in re.findall(r'^\s*#\s*include\s+"(.*?)"', text(name), re.M):
                if not include.startswith("base/"):
                    wrong.append(f"{name}: {include}")
    assert wrong == []


def test_no_banned_function_is_named():
    """Also where the linker would not see it: macros and code that is compiled elsewhere."""
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(sorted(n for n in BANNED if not n.startswith("_"))) + r")\s*\(")
    wrong = [
        f"{n}:{code(n)[:m.start()].count(chr(10)) + 1}: {m.group(1)}"
        for n in library_sources()
        for m in pattern.finditer(code(n))
    ]
    assert wrong == []


def test_the_library_reads_no_json_with_jansson():
    """Jansson calls a text read of which it had no memory for each byte: base/json.c has a reader of its own."""
    assert {n for n in library_sources() if re.search(r"\bjson_load\w*\s*\(", code(n))} == set()


def test_sources_with_messages_are_translated():
    listed = {line.strip() for line in text("po/POTFILES.in").splitlines() if line.strip() and line[0] != "#"}
    assert sorted(n for n in listed if not (TOP / n).exists()) == []
    with_messages = {
        n
        for n in tracked(".c", ".def")
        if n.startswith(("libcertdeploy/", "adapters/", "examples/certdeploy/"))
        and re.search(r"(?<!\w)N?_\(\s*\"", re.sub(r"/\*.*?\*/", "", text(n), flags=re.S))
    }
    assert sorted(with_messages - listed) == []


def test_every_source_says_its_licence():
    wrong = [
        n
        for n in tracked(".c", ".h", ".def", ".py", ".sh")
        if text(n) and "SPDX-License-Identifier: " not in text(n)[:300]
    ]
    assert wrong == []


def test_lines_and_lengths():
    wrong = []
    for name in tracked(".c", ".h", ".def", ".py"):
        lines = text(name).splitlines()
        width = 120
        wrong += [
            f"{name}:{i}: wider than {width}"
            for i, line in enumerate(lines, 1)
            if len(line.expandtabs(8)) > width and "test" not in name
        ]
        wrong += [f"{name}:{i}: blanks at the end" for i, line in enumerate(lines, 1) if line != line.rstrip()]
        if name.startswith(("libcertdeploy/", "adapters/", "examples/")) and len(lines) > 800:
            wrong.append(f"{name}: {len(lines)} lines: split it by subject")
    assert wrong == []


def test_problem_codes_are_in_the_table():
    table = set(re.findall(r'^PROBLEM\("([\w-]+)"', text("libcertdeploy/base/problems.def"), re.M))
    used = {}
    for name in tracked(".c"):
        if not name.startswith(("libcertdeploy/", "adapters/")):
            continue
        calls = re.findall(
            r"(?:cd_fail|cd_problem|certdeploy_problem|certdeploy_refuse|certdeploy_fail)\s*\(\s*[^;\"]*?\"([a-z][a-z0-9-]+)\"",
            re.sub(r"/\*.*?\*/", "", text(name), flags=re.S),
        )
        for found in calls:
            used.setdefault(found, name)
    assert {c: n for c, n in used.items() if c not in table} == {}
    assert len(used) > 10


def test_every_problem_is_provoked_by_a_test():
    """Its code stands in a test that looks for it."""
    elsewhere = {
        "long-lived": "a root that this host trusts must have issued it",
        "served-mixed": "two real ports with different certificates",
        "rollback-failed": "tests/faults: putting back fails as well",
    }
    tests = "".join(text(n) for n in tracked(".c", ".h", ".py") if n.startswith("tests/") and not n.startswith("tests/lint/"))
    table = re.findall(r'^PROBLEM\("([\w-]+)"', text("libcertdeploy/base/problems.def"), re.M)
    assert [c for c in table if f'"{c}"' not in tests and c not in elsewhere] == []
    assert [c for c in elsewhere if f'"{c}"' in tests] == []


# scripts and pages


def scripts():
    return [
        n
        for n in tracked("")
        if "." not in Path(n).name
        and (TOP / n).stat().st_size < 200000
        and re.match(rb"#!.*\b(ba|da)?sh\b|# shellcheck shell=", (TOP / n).read_bytes()[:80])
    ] + tracked(".sh")


def test_shellcheck():
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    assert {"runtests", "quickstart", ".ci/run"} <= set(scripts()) or not (TOP / ".git").exists()
    done = subprocess.run(["shellcheck", "-x", *scripts()], cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_python_compiles():
    for name in tracked(".py") + [
        n
        for n in tracked("")
        if (TOP / n).stat().st_size < 200000 and (TOP / n).read_bytes()[:30].startswith(b"#!/usr/bin/env python3")
    ]:
        compile(text(name), name, "exec")


def test_manual_pages():
    # mandoc knows the sections' names in English only: tests/tool looks at the translated pages
    pages = [n for n in tracked(".1", ".3", ".5", ".7", ".8") if n.startswith("doc/") and "/ja/" not in n]
    if not pages:
        pytest.skip("no manual pages yet")
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    argv = ["mandoc", "-Tlint", "-Wwarning", *pages]
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False)
    # mandoc knows the headings in English only
    translated = re.compile(r"doc/\w\w/.*(first section is not \"NAME\"|outside NAME section|unexpected section)")
    assert [line for line in done.stdout.splitlines() if not translated.search(line)] == []


def test_no_paths_of_one_machine():
    wrong = [
        n
        for n in tracked(".c", ".h", ".py", ".sh", ".md", ".mk", ".am", ".ac", ".def")
        if re.search(r"/tmp/w/|/work/|/home/\w+/", text(n)) and n != "tests/lint/test_lint.py"
    ]
    assert wrong == []


def test_the_demonstration_needs_no_pytest():
    """./quickstart installs what builds and runs, and no test framework."""
    code = "import sys; sys.modules['pytest'] = None; from harness.host import KINDS, Host"
    done = subprocess.run(["python3", "-c", code], cwd=TOP / "tests/servers", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
