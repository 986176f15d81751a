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
PATHS = {"apache": "etc/apache2/apache2.conf", "dovecot": "etc/dovecot/dovecot.conf"}

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

APACHE = "ServerName main.test\nLoadModule ssl_module x\nLoadModule md_module x\nSSLCertificateFile /c\n" \
         "SSLCertificateKeyFile /k\nListen 8443\n"


def site(place, name="www.example.jp"):
    return f"<VirtualHost {place}>\nServerName {name}\nSSLEngine on\n</VirtualHost>\n"


SITES = {
    "an address for each host": (APACHE, lambda i: f"Listen {address(i)}:443\n{site(address(i) + ':443')}", "", 2),
    "a port for each host": (APACHE, lambda i: f"Listen {2000 + i}\n{site(f'*:{2000 + i}')}", "", 2),
    "a name in the place of each address": (APACHE + "Listen 443\n", lambda i: site(f"n{i}.example.test:443"), "", 2),
    "addresses of one host": (APACHE + "Listen 443\n<VirtualHost", lambda i: f" {address(i)}:443",
                              ">\nSSLEngine on\n</VirtualHost>\n", 1),
    "listeners of one host": (APACHE + site("*:443"), lambda i: f"Listen {address(i)}:443\n", "", 1),
    "domains of mod_md": (APACHE + "Listen 443\n",
                          lambda i: f"MDomain n{i}.example.jp\n" + site("*:443", f"n{i}.example.jp"), "", 1),
}


def valgrind():
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    if memory_checkers():
        pytest.skip("sanitizers and valgrind exclude each other")
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}"]


def ask(root, service, *arguments):
    """Instructions of a command, and what it says."""
    argv, own = command()
    done = subprocess.run([*valgrind(), *argv, "--root", root, "--json", *arguments, "--service", service],
                          env={**CLEAN, **own}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(re.search(r"refs:\s+([\d,]+)", done.stderr).group(1).replace(",", "")), done.stdout


def configure(root, text, path=PATHS["dovecot"]):
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(text)


def is_linear(none, few, many):
    """Eight times as many take eight times the instructions, with room for tables that grow; the square is 64."""
    assert many - none < (TIMES + 2) * (few - none), (none, few, many)


def count(base, service, shape, number):
    """Instructions and endpoints of listing so many."""
    begin, each, end, _ = shape
    root = base / str(number)
    configure(root, begin + "".join(map(each, range(number))) + end, PATHS[service])
    instructions, told = ask(root, service, "list")
    return instructions, told.count('"listen"')


@pytest.mark.parametrize("service, name", [*(("dovecot", name) for name in SHAPES),
                                           *(("apache", name) for name in SITES)])
def test_growth(tmp_path, service, name):
    shape = {"apache": SITES, "dovecot": SHAPES}[service][name]
    (none, before), (few, _), (many, after) = (count(tmp_path, service, shape, n) for n in (1, FEW, TIMES * FEW))
    assert after - before == shape[3] * (TIMES * FEW - 1)
    is_linear(none, few, many)


def test_growth_of_names_that_are_asked_for(tmp_path, leaf):
    """Each has a block of its own, which is found and edited."""
    costs = []
    for number in 1, FEW, TIMES * FEW:
        root = tmp_path / str(number)
        configure(root, DOVECOT + "".join(f"local_name n{i}.example.jp" + PAIR for i in range(number)))
        names = [word for i in range(number) for word in ("--hostname", f"n{i}.example.jp")]
        instructions, told = ask(root, "dovecot", "plan", "--fullchain", leaf.fullchain, "--key", leaf.key, *names,
                                 "--accept", "name-mismatch", "--accept", "files-missing")
        assert told.count('"listen"') == 2 * number
        costs.append(instructions)
    is_linear(*costs)
