# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two Apaches and two Postfix instances of one host in one certdeploy.conf: each is a service of its own."""

import pytest

from harness.scene import material
from harness.tool import OK

pytestmark = pytest.mark.needs("apache", "postfix")

NAMES = ("apache", "apache-shop", "postfix", "postfix-out")


@pytest.fixture
def four(host):
    """{name: server}, running."""
    host.apache(), host.apache(name="apache-shop")
    host.postfix(), host.postfix(name="postfix-out")
    host.start()
    return {name: host.service(name) for name in NAMES}


@pytest.fixture
def leaf(ca):
    return ca.leaf("www.example.test")


def serving(four, old, new):
    """The names of those that serve the new one at every port; the others serve the old one."""
    found = {name: set(server.served().values()) for name, server in four.items()}
    assert all(seen in ({old.sha256}, {new.sha256}) for seen in found.values()), found
    return {name for name, seen in found.items() if seen == {new.sha256}}


def test_all(four, host, leaf):
    assert host.tool("deploy", "--all", *material(leaf)).expect(OK).states == dict.fromkeys(NAMES, "verified")
    assert serving(four, host.old, leaf) == set(NAMES)
    assert all(server.called().count("reload") == 1 for server in four.values())
    host.tool("rollback").expect(OK)
    assert serving(four, host.old, leaf) == set()


@pytest.mark.parametrize("chosen", NAMES)
def test_one_service(four, host, leaf, chosen):
    others = {name: server.called() for name, server in four.items() if name != chosen}
    result = host.tool("deploy", "--all", "--service", chosen, *material(leaf)).expect(OK)
    assert result.states == {chosen: "verified"}
    assert serving(four, host.old, leaf) == {chosen}
    assert {name: four[name].called() for name in others} == others, "only the chosen one is tested or reloaded"


@pytest.mark.parametrize("stopped", ["apache-shop", "postfix-out"])
def test_one_is_stopped(four, host, leaf, stopped):
    """It gets the certificate for its next start; the other of its kind is not taken for it."""
    four[stopped].stop()
    result = host.tool("deploy", "--all", *material(leaf)).expect(OK, "not-running")
    running = {name: server for name, server in four.items() if name != stopped}
    assert result.states == {**dict.fromkeys(running, "verified"), stopped: "changed"}
    assert not four[stopped].running, "deploying starts nothing that was stopped"
    assert serving(running, host.old, leaf) == set(running)
    four[stopped].start()
    assert serving(four, host.old, leaf) == set(NAMES)
