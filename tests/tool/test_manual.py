# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual: clean, complete, and every example in it works."""

import re
import shlex
import shutil
import subprocess

import pytest

from conftest import TOP
from test_usage import ALL_COMMANDS

DOC = TOP / "doc"
PAGES = sorted([*DOC.glob("*.[1-8]"), *DOC.glob("*/*.[1-8]")])
# What mandoc cannot know before the pages are installed.
ELSEWHERE = re.compile(r"referenced manual not found|outdated mandoc.db")
# What it only knows of English: names of sections, letters that end a line, width in bytes.
ENGLISH = re.compile(r'first section is not "NAME"|outside NAME section|trailing delimiter|longer than 80 bytes')


@pytest.fixture(scope="session")
def problems_page(tmp_path_factory):
    page = tmp_path_factory.mktemp("doc") / "certdeploy-problems.7"
    with page.open("w") as out:
        subprocess.run([TOP / "tools/problems-page", TOP / "libcertdeploy/base/problems.def"], stdout=out, check=True)
    return page


def unescaped(text):
    return re.sub(r"\\-", "-", re.sub(r"\\e", r"\\", re.sub(r"\\\(dq", '"', re.sub(r"\\&", "", text))))


def literals(page):
    """Every .Bd -literal block of a page."""
    return [unescaped(text) for text in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", page.read_text(), re.M | re.S)]


def examples(page):
    """Command lines in it: .Dl lines, and literal blocks."""
    text = "\n".join(unescaped(line) for line in re.findall(r"^\.Dl (.*)$", page.read_text(), re.M))
    text += "\n" + "\n".join(literals(page))
    return re.findall(r"^certdeploy .*$", text.replace("\\\n", " "), re.M)


def lint(page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", page], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    translated = page.parent.name == "ja"
    return [line for line in lines if not ELSEWHERE.search(line) and not (translated and ENGLISH.search(line))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOC)))
def test_pages_are_clean(page):
    assert lint(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOC)))
def test_a_reader_sees_the_quotes(page):
    """mdoc takes raw quotes of a macro's arguments away."""
    assert re.findall(r'^\.(?:Dl|Ql) .*[^" ].*".*[^"\n].*$', page.read_text(), re.M) == []


def test_settings_as_a_reader_sees_them():
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    text = subprocess.run(["mandoc", "-Tascii", "-Owidth=160", DOC / "certdeploy.conf.5"], capture_output=True,
                          text=True, check=True).stdout
    text = re.sub(".\b", "", text)
    assert 'reload, restart, start, stop = ["program", "argument", ...]' in text
    assert 'probe = ({ protocol = "protocol"; address = "address"; port = number; })' in text


def test_problems_page(problems_page):
    assert lint(problems_page) == []
    codes = re.findall(r'^PROBLEM\("([^"]*)"', (TOP / "libcertdeploy/base/problems.def").read_text(), re.M)
    assert re.findall(r"^\.It Cm (.*)$", problems_page.read_text(), re.M) == codes


@pytest.mark.parametrize("page", [p for p in PAGES if p.name == "certdeploy.1"],
                         ids=lambda page: str(page.relative_to(DOC)))
def test_every_command_and_option_is_explained(fake, page):
    text = page.read_text()
    for command in ALL_COMMANDS:
        section = re.search(rf"^\.Ss {command}\n(.*?)(?=^\.S[sh] )", text, re.M | re.S)
        assert section, command
        assert f"certdeploy {command}" in section.group(1), f"{command} has no example"
        for option in re.findall(r"--([a-z0-9-]+)", fake("help", command).text):
            where = section.group(1)
            if command == "plan":
                where = text  # the options of deploy
            assert re.search(rf"-{option}\b", where), f"{command} --{option}"


@pytest.mark.parametrize("page", [p for p in PAGES if p.name == "certdeploy.1"] + [TOP / "README", TOP / "README.ja"],
                         ids=lambda page: str(page.relative_to(TOP)))
def test_examples(fake, page, tmp_path):
    """Every command line that the manual and the README show is accepted."""
    if not page.exists():
        pytest.skip(f"no {page.name}")
    if page.suffix == ".1":
        found = examples(page)
        assert len(found) > 15
    else:
        found = re.findall(r"^\s+(?:\$ |# )?(?:sudo )?(certdeploy .*)$", page.read_text().replace("\\\n", " "), re.M)
    (tmp_path / "secret").write_text("x")
    for line in found:
        words, stdin = shlex.split(line.split("|")[0], comments=True), b"{}"
        if "<" in words:
            del words[words.index("<"):]
        run = fake(*words[1:], stdin=stdin, cwd=tmp_path)
        assert run.status == 0, (line, run.errors, run.text)


def c_examples(page):
    return [text for text in literals(page) if "#include" in text]


@pytest.mark.parametrize("page", [p for p in PAGES if p.suffix in (".3", ".7")], ids=lambda page: page.name)
def test_c_examples(page, tmp_path):
    assert c_examples(page)
    for number, text in enumerate(c_examples(page)):
        source = tmp_path / f"{number}.c"
        source.write_text(text)
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{TOP}/libcertdeploy", "-c",
                        "-o", "/dev/null", source], check=True)


def test_configuration_example(tool, tmp_path):
    for number, text in enumerate(literals(DOC / "certdeploy.conf.5")):
        place = tmp_path / f"{number}.conf"
        place.write_text(text)
        place.chmod(0o644)
        tool.config = place
        run = tool("history")
        assert "settings" not in run.codes, run


def declared(header):
    return set(re.findall(r"^CERTDEPLOY_API\s[^;]*?\b(certdeploy_[a-z0-9_]+)\(",
                          (TOP / "libcertdeploy" / header).read_text(), re.M))


def test_every_function_has_its_page():
    """Declared = documented: named in one page's head, with a section there and in an example that is compiled."""
    wanted = declared("certdeploy.h") | declared("certdeploy-adapter.h")
    assert len(wanted) > 70
    named = []
    for page in PAGES:
        if page.suffix != ".3" or page.name == "libcertdeploy.3":
            continue
        text, code = page.read_text(), "\n".join(c_examples(page))
        sections = " ".join(re.findall(r"^\.Ss (.*)$", text, re.M))
        for name in re.findall(r"^\.Nm (\w+)", text, re.M):
            named.append(name)
            assert re.search(rf"\b{name}\b", sections), f"{name} has no section"
            assert re.search(rf"\b{name}\b", code), f"{name} has no example"
    assert sorted(named) == sorted(wanted)


def test_every_constant_is_in_the_manual():
    constants = set()
    for header in ("certdeploy.h", "certdeploy-adapter.h"):
        for body in re.findall(r"^enum \w+ \{(.*?)^\};", (TOP / "libcertdeploy" / header).read_text(), re.M | re.S):
            constants |= set(re.findall(r"^\t(CERTDEPLOY_\w+)", body, re.M))
    told = "".join(page.read_text() for page in PAGES)
    assert len(constants) > 80
    assert [name for name in sorted(constants) if not re.search(rf"\b{name}\b", told)] == []


def test_both_languages_tell_the_same():
    """The same sections, options and examples, in the same order."""
    def outline(page):
        text = re.sub(r"^\.Sh .*$", ".Sh", page.read_text(), flags=re.M)
        return re.findall(r"^\.(?:Sh|Ss [a-z]+|Dl .*)$|(?<=^\.It Fl )[^A-Z]*?(?= Ar|$)", text, re.M)

    assert outline(DOC / "ja/certdeploy.1") == outline(DOC / "certdeploy.1")


def test_both_readmes_show_the_same():
    """Commands, settings and code in README.ja are those of README."""
    def code(path):
        blocks = re.findall(r"^ {4,22}\S.*$", path.read_text(), re.M)
        return [line for line in blocks if not re.search(r"\S {2,}\S", line)]

    ours, theirs = code(TOP / "README"), code(TOP / "README.ja")
    assert [line for line in ours if line not in theirs and line.isascii()] == []


@pytest.mark.parametrize("readme", ["README", "README.ja"])
def test_the_code_of_the_readme_is_whole(readme, tmp_path):
    """As a stranger pastes it into a file: a compiler of today takes no function that nobody declared."""
    text = (TOP / readme).read_text()
    lines = text[text.index("    #include <certdeploy.h>"):text.index("    cc panel.c")].splitlines()
    (tmp_path / "panel.c").write_text("\n".join(line[4:] for line in lines) + "\n")
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{TOP}/libcertdeploy", "-c",
                    "-o", tmp_path / "panel.o", tmp_path / "panel.c"], check=True)
