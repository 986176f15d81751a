# SPDX-License-Identifier: LGPL-2.1-or-later
"""The completion scripts, in the shells themselves."""

import shutil
import subprocess

import pytest

from conftest import BASE, TOP

PLACE = TOP / "examples/certdeploy/completion"


def in_bash(fake, tmp_path, line):
    (tmp_path / "certdeploy").unlink(missing_ok=True)
    (tmp_path / "certdeploy").symlink_to(fake.program)
    script = f"""
        source {PLACE / "certdeploy.bash"}
        COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_WORDBREAKS=': '
        _certdeploy
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True,
                          env={**BASE, "PATH": f"{tmp_path}:{BASE['PATH']}"})
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def test_bash(fake, tmp_path):
    assert "deploy" in in_bash(fake, tmp_path, "certdeploy ''")
    assert in_bash(fake, tmp_path, "certdeploy deploy --serv") == ["--service"]
    assert in_bash(fake, tmp_path, "certdeploy deploy --service ''") == ["apache"]
    assert in_bash(fake, tmp_path, "certdeploy deploy --listener '*:4'") == ["443", "443"]
    assert in_bash(fake, tmp_path, "certdeploy plan --verify ''") == ["changed", "all", "sample"]
    assert in_bash(fake, tmp_path, "certdeploy rollback 2026") == ["20261121T201136Z-1"]
    assert in_bash(fake, tmp_path, "certdeploy deploy --cert ''") == []


def test_zsh(fake, tmp_path):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    (tmp_path / "certdeploy").symlink_to(fake.program)
    script = f"""
        compadd() {{ shift; print -l -- "$@" }}
        _files() {{ print FILES }}
        complete_it() {{ local -a words; words=("$@"); local CURRENT=${{#words}}; source {PLACE / "_certdeploy"} }}
        complete_it certdeploy deploy --service ''
        complete_it certdeploy rollback 2026
        complete_it certdeploy deploy --cert ''
    """
    done = subprocess.run(["zsh", "-fc", script], capture_output=True, text=True,
                          env={**BASE, "PATH": f"{tmp_path}:{BASE['PATH']}"})
    assert done.stderr == "", done.stderr
    assert done.stdout.split() == ["apache", "20261121T201136Z-1", "FILES"]
