# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tool's manners. Fixtures: fake (the tool over a library that tells stories, see fake-library.c),
tool (the built certdeploy), schema (says whether an object is as doc/certdeploy.schema.json has it)."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/servers"))

from harness.pki import Pki  # noqa: E402
from harness.tool import Tool, build_directory, command  # noqa: E402

BASE = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def pytest_addoption(parser):
    for name in ("--soak", "--stride"):
        try:
            parser.addoption(name, **({"action": "store_true"} if name == "--soak" else {"default": "1"}))
        except ValueError:
            pass  # the servers' tests have it


class Run:
    """One run of the fake: argv, status, out and err (bytes), text, json."""

    def __init__(self, argv, done):
        self.argv, self.status, self.out, self.err = argv, done.returncode, done.stdout, done.stderr

    @property
    def text(self):
        return self.out.decode()

    @property
    def errors(self):
        return self.err.decode()

    @property
    def json(self):
        value, end = json.JSONDecoder().raw_decode(self.text)
        assert self.text[end:].strip() == ""
        return value

    @property
    def echoed(self):
        """What the library was asked, with -c echo."""
        return [p["message"] for p in self.json["problems"] if p["code"] == "echo"]


class Fake:
    def __init__(self, program):
        self.program = str(program)

    def __call__(self, *args, stdin=b"", env=None, base=BASE, **how):
        argv = [self.program, *map(str, args)]
        if isinstance(stdin, (dict, list)):
            stdin = json.dumps(stdin).encode()
        return Run(argv, subprocess.run(argv, env={**base, **(env or {})}, input=stdin, capture_output=True,
                                        timeout=60, **how))


@pytest.fixture(scope="session")
def build():
    place = build_directory()
    if place is None:
        pytest.skip("certdeploy is not built (set CERTDEPLOY_BUILDDIR)")
    return place


@pytest.fixture(scope="session")
def fake(build):
    with open(build / "tests/tool/.lock", "w") as lock:  # other processes of the same run
        fcntl.flock(lock, fcntl.LOCK_EX)
        catalogue = build / "tests/tool/locale/ja/LC_MESSAGES/certdeploy.mo"
        catalogue.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["msgfmt", "-o", catalogue, TOP / "po/ja.po"], check=True)
        made = subprocess.run(["make", "-s", "-C", build, "tests/tool/certdeploy-fake"], capture_output=True,
                              text=True, env={**os.environ, "MAKEFLAGS": ""})
    assert made.returncode == 0, made.stdout + made.stderr
    return Fake(build / "tests/tool/certdeploy-fake")


@pytest.fixture
def tool(tmp_path):
    return Tool(root=tree(tmp_path))


def tree(place):
    root = place / "root"
    root.mkdir(exist_ok=True)
    return root


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def leaf(pki):
    return pki.root().authority("Example CA 1").leaf("www.example.test")


@pytest.fixture(scope="session")
def schema():
    jsonschema = pytest.importorskip("jsonschema")
    described = json.loads((TOP / "doc/certdeploy.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(described)
    validator.check_schema(described)

    def check(value):
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(value)]
        assert not errors, "\n".join(errors)

    return check


@pytest.fixture(scope="session")
def real():
    """argv and environment of the built tool."""
    return command()
