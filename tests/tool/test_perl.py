# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Perl module, by its own tests."""

import shutil
import subprocess

import pytest

from conftest import BASE, TOP


def test_perl(fake):
    if not shutil.which("perl"):
        pytest.skip("perl is not installed")
    done = subprocess.run(["perl", TOP / "examples/perl/t/certdeploy.t"], capture_output=True, text=True, timeout=60,
                          env={**BASE, "CERTDEPLOY": fake.program})
    if "Can't locate" in done.stderr:
        pytest.skip("a core module of perl is not installed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not ok" not in done.stdout and "\nok 10" in done.stdout
    if shutil.which("podchecker"):
        subprocess.run(["podchecker", TOP / "examples/perl/Certdeploy.pm"], check=True, capture_output=True)


def test_every_command_is_a_method():
    import re

    from test_usage import ALL_COMMANDS

    listed = re.search(r"qw\(\s*(.*?)\)", (TOP / "examples/perl/Certdeploy.pm").read_text().split("%commands")[1], re.S)
    assert sorted(listed.group(1).split()) == sorted(set(ALL_COMMANDS) - {"hook"})  # which issuers call
