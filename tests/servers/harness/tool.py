# SPDX-License-Identifier: LGPL-2.1-or-later
"""The built certdeploy as a program: started with -c and --json, judged by exit status and JSON."""

import json
import os
import shlex
import subprocess
from pathlib import Path

from .process import CLEAN

TOP = Path(__file__).resolve().parents[3]

OK, FAILED, USAGE, PARTIAL, ROLLED_BACK, BROKEN, REFUSED, LOCKED, DIFFERENT, NOT_PERMITTED = range(10)


def build_directory():
    """Where the project was built: CERTDEPLOY_BUILDDIR, else the tree itself or its build/."""
    given = os.environ.get("CERTDEPLOY_BUILDDIR")
    for place in [Path(given)] if given else [TOP / "build", TOP]:
        if (place / "examples/certdeploy/certdeploy").exists():
            return place.resolve()
    return None


def command():
    """(argv, environment) that starts the built tool, or of CERTDEPLOY where that names one."""
    if os.environ.get("CERTDEPLOY"):
        return shlex.split(os.environ["CERTDEPLOY"]), {}
    build = build_directory()
    if build is None:
        import pytest  # not needed by ./quickstart

        pytest.skip("certdeploy is not built (set CERTDEPLOY_BUILDDIR)")
    program = build / "examples/certdeploy/.libs/certdeploy"
    if program.exists():  # without libtool's shell wrapper: faster, and killed as one process
        return [str(program)], {"LD_LIBRARY_PATH": f"{build}/.libs"}
    return [str(build / "examples/certdeploy/certdeploy")], {}


def memory_checkers():
    """Settings of sanitizers that the caller chose."""
    return {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "FAILMALLOC"}


class Result:
    """One run. Attributes: argv, status, out, err, json (None without --json)."""

    def __init__(self, argv, status, out, err, with_json):
        self.argv, self.status, self.out, self.err, self.json = argv, status, out, err, None
        if with_json:
            try:
                self.json, end = json.JSONDecoder().raw_decode(out)
            except ValueError as e:
                raise AssertionError(f"no JSON object on stdout: {e}\n{self}") from e
            assert out[end:].strip() == "", f"more than one JSON object on stdout\n{self}"
            assert self.json.get("exit") == status, f"exit in the JSON is not the status {status}\n{self}"

    def __str__(self):
        said = self.out
        if self.json is not None:
            said = "".join(
                f"{p['severity']} {p['code']}: {p['message']} ({p.get('file')}:{p.get('line')}; {p.get('service')})\n"
                for p in self.json.get("problems", [])
            )
            said += "".join(f"file {path}: {change}\n" for path, change in self.files.items())
            said += "".join(
                f"endpoint {e['name'] or 'default'} {e['listen']} {e['protocol']}: {e['certificate']}"
                f" serves {(e.get('served_sha256') or '-')[:12]}\n"
                for e in self.endpoints
            )
            said += f"states {self.states}\n"
        return f"status {self.status} of $ {shlex.join(self.argv)}\n{said}{self.err}"

    __repr__ = __str__

    @property
    def problems(self):
        return self.json["problems"]

    @property
    def codes(self):
        return [p["code"] for p in self.problems]

    def problem(self, code):
        found = [p for p in self.problems if p["code"] == code]
        assert found, f"no problem {code}\n{self}"
        return found[0]

    def service(self, name):
        found = [s for s in self.json["services"] if s["name"] == name]
        assert found, f"no service {name}\n{self}"
        return found[0]

    @property
    def states(self):
        return {s["name"]: s["state"] for s in self.json.get("services", [])}

    @property
    def endpoints(self):
        return [e for s in self.json.get("services", []) for e in s.get("endpoints", [])]

    @property
    def files(self):
        return {f["path"]: f["change"] for f in self.json.get("files", [])}

    def expect(self, status=OK, *codes):
        """This result, after making sure of its exit status and that these problems are in it."""
        assert self.status == status, f"expected exit status {status}\n{self}"
        for code in codes:
            self.problem(code)
        return self


class Tool:
    """The tool with one configuration file (and one root, where given)."""

    def __init__(self, config=None, root=None, timeout=120, env=None):
        self.config, self.root, self.timeout, self.env = config, root, timeout, env or {}

    def argv(self, *args, with_json=True):
        argv, env = command()
        if self.config:
            argv = argv + ["-c", str(self.config)]
        if self.root:
            argv = argv + ["--root", str(self.root)]
        return argv + (["--json"] if with_json else []) + [str(a) for a in args], env

    def run(self, *args, with_json=True, stdin=None, timeout=None, env=None, user=None):
        argv, own = self.argv(*args, with_json=with_json)
        done = subprocess.run(
            argv,
            env={**CLEAN, **memory_checkers(), **own, **self.env, **(env or {})},
            input=stdin if stdin is not None else "",
            timeout=timeout or self.timeout,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            user=user,
        )
        return Result(argv, done.returncode, done.stdout, done.stderr, with_json)

    __call__ = run

    def text(self, *args, **how):
        """The same for people: no JSON."""
        return self.run(*args, with_json=False, **how)

    def start(self, *args, stdin=subprocess.DEVNULL):
        """A running tool (subprocess.Popen), for tests that kill it."""
        argv, own = self.argv(*args)
        return subprocess.Popen(
            argv,
            env={**CLEAN, **memory_checkers(), **own, **self.env},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
