# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations of thousands of names and addresses cost what their size is: instructions, counted by callgrind."""

import os
import re
import shutil
import subprocess

import pytest

from harness.process import CLEAN
from harness.tool import command, memory_checkers

FEW, TIMES = 300, 8

DOVECOT = "protocols = imap\nssl_cert = </d\nssl_key = </dk\n"
NEWER = "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\nprotocols = imap\n"
PAIR = " {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n"


def address(number):
    return f"10.1.{number // 256}.{number % 256}"


# What stands before, what is repeated for a number, what stands behind, and endpoints of each.
SHAPES = {
    "names of one local_name": (DOVECOT + 'local_name "', lambda i: f"n{i}.example.jp ", '"' + PAIR, 2),
    "blocks of local_name": (DOVECOT, lambda i: f"local_name n{i}.example.jp" + PAIR, "", 2),
    "blocks of local": (DOVECOT, lambda i: "local " + address(i) + PAIR, "", 2),
    "addresses of listen": (DOVECOT + "listen =", lambda i: " " + address(i), "\n", 2),
    "words of a list": (NEWER + "listen {\n", lambda i: f"  {address(i)} = yes\n", "}\n", 2),
    "groups": (NEWER, lambda i: f"group @mail n{i} {{\n}}\n@mail = other\n", "", 0),
}


def valgrind():
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    if memory_checkers():
        pytest.skip("sanitizers and valgrind exclude each other")
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}"]


def ask(root, *arguments):
    """Instructions of a command, and what it says."""
    argv, own = command()
    done = subprocess.run([*valgrind(), *argv, "--root", root, "--json", *arguments, "--service", "dovecot"],
                          env={**CLEAN, **own}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(re.search(r"refs:\s+([\d,]+)", done.stderr).group(1).replace(",", "")), done.stdout


def configure(root, text):
    (root / "etc/dovecot").mkdir(parents=True)
    (root / "etc/dovecot/dovecot.conf").write_text(text)


def is_linear(none, few, many):
    """Eight times as many take eight times the instructions, with room for tables that grow; the square is 64."""
    assert many - none < (TIMES + 2) * (few - none), (none, few, many)


def count(base, shape, number):
    """Instructions and endpoints of listing so many."""
    begin, each, end, _ = shape
    root = base / str(number)
    configure(root, begin + "".join(map(each, range(number))) + end)
    instructions, told = ask(root, "list")
    return instructions, told.count('"listen"')


@pytest.mark.parametrize("name", SHAPES)
def test_growth(tmp_path, name):
    shape = SHAPES[name]
    (none, before), (few, _), (many, after) = (count(tmp_path, shape, n) for n in (1, FEW, TIMES * FEW))
    assert after - before == shape[3] * (TIMES * FEW - 1)
    is_linear(none, few, many)


def test_growth_of_names_that_are_asked_for(tmp_path, leaf):
    """Each has a block of its own, which is found and edited."""
    costs = []
    for number in 1, FEW, TIMES * FEW:
        root = tmp_path / str(number)
        configure(root, DOVECOT + "".join(f"local_name n{i}.example.jp" + PAIR for i in range(number)))
        names = [word for i in range(number) for word in ("--hostname", f"n{i}.example.jp")]
        instructions, told = ask(root, "plan", "--fullchain", leaf.fullchain, "--key", leaf.key, *names,
                                 "--accept", "name-mismatch", "--accept", "files-missing")
        assert told.count('"listen"') == 2 * number
        costs.append(instructions)
    is_linear(*costs)
