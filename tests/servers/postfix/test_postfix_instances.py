# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several instances of Postfix, found as a host has them: by multi_instance_directories of /etc/postfix.

The tool sees the first instance as /etc/postfix in a mount namespace of its own; other servers of this machine
are hidden there.
"""

import shutil
from pathlib import Path

import pytest

from harness import wire
from harness.process import run
from harness.tool import Tool

pytestmark = pytest.mark.needs("postfix")

NAME = "mail.example.test"
_MOUNT = 'for d in apache2 dovecot; do [ ! -d /etc/$d ] || mount -t tmpfs none /etc/$d; done; mount --bind "$0" /etc/postfix && exec "$@"'


class Inside(Tool):
    """The tool where a directory is /etc/postfix."""

    def __init__(self, config, home):
        super().__init__(config)
        self.home = home

    def argv(self, *args, **how):
        argv, env = super().argv(*args, **how)
        return ["unshare", "--mount", "sh", "-c", _MOUNT, str(self.home), *argv], env


def can_mount():
    return shutil.which("unshare") is not None and run(["unshare", "--mount", "true"], check=False).returncode == 0


@pytest.fixture
def two(host):
    """(tool, first, second): instances without a word about them in certdeploy.conf."""
    if not can_mount():
        pytest.skip("no mount namespace can be made here")
    first, second = host.postfix(), host.postfix(name="postfix-out")
    first.set(multi_instance_directories=second.home)
    second.set(multi_instance_name="postfix-out", multi_instance_enable="yes")
    for name in ("postfix-files", "postfix-script", "post-install"):  # postfix check of any instance wants them
        shutil.copy(Path("/etc/postfix", name), first.home)
    host.start()
    host.write_config()
    host.config.write_text(host.config.read_text().partition("services")[0])
    return Inside(host.config, first.home), first, second


def deploy(tool, leaf, *more):
    return tool("deploy", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain, *more)


def served(mail):
    return {wire.served(port, **how) for port, how in mail.endpoints()}


def test_both_are_found_and_reached(two, ca):
    tool, first, second = two
    found = {s["name"]: s for s in tool("discover").expect(0).json["services"]}
    assert sorted(found) == ["postfix", "postfix-out"]
    new = ca.leaf(NAME)
    done = deploy(tool, new).expect(0)
    assert done.states == {"postfix": "verified", "postfix-out": "verified"}
    assert served(first) == served(second) == {new.sha256}
    assert (first.reloads(), second.reloads()) == (1, 1)
    assert not deploy(tool, new).expect(0).json["changed"]
    old = first.host.old.sha256
    tool("rollback").expect(0)
    assert served(first) == served(second) == {old}


def test_one_is_reached(two, ca):
    tool, first, second = two
    new, old = ca.leaf(NAME), first.host.old.sha256
    before = first.dump()
    deploy(tool, new, "--service", "postfix-out").expect(0)
    assert (served(first), served(second)) == ({old}, {new.sha256})
    assert (first.reloads(), second.reloads()) == (0, 1)
    assert first.dump() == before


def test_a_directory_that_is_configured(host, ca):
    """As postfix -c DIR: only the instance whose directory certdeploy.conf names."""
    first, second = host.postfix(), host.postfix(name="postfix-out")
    first.set(multi_instance_directories=second.home)
    host.start()
    host.write_config()
    entry = {"name": "out", "adapter": "postfix", "config_directory": str(second.home)}
    host.config.write_text(
        host.config.read_text().partition("services")[0]
        + "services = ( { %s } );\n" % " ".join(f'{k} = "{v}";' for k, v in entry.items())
    )
    new, old = ca.leaf(NAME), host.old.sha256
    done = deploy(host.tool, new).expect(0)
    assert done.states == {"out": "verified"}
    assert (served(first), served(second)) == ({old}, {new.sha256})


def test_a_broken_instance(two, ca):
    """It is named; the other one can be reached all the same."""
    tool, first, second = two
    second.config.write_text("no equals sign\n")
    before = second.config.read_bytes()
    new = ca.leaf(NAME)
    problem = deploy(tool, new).expect(6, "config-syntax").problem("config-syntax")
    assert problem["file"] == str(second.config)
    deploy(tool, new, "--service", "postfix").expect(0)
    assert served(first) == {new.sha256}
    assert second.config.read_bytes() == before
