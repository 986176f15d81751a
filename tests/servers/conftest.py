# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: pki (one for all tests of a process), host (a private host, ended with the test), tool."""

import pytest

from harness.apache import Apache
from harness.dovecot import Dovecot
from harness.host import Host
from harness.pki import Pki
from harness.postfix import Postfix
from harness.trixie import Unavailable, trixie

SERVERS = {"apache": Apache, "postfix": Postfix, "dovecot": Dovecot}


def pytest_runtest_setup(item):
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            reason = SERVERS[name].missing()
            if reason:
                pytest.skip(reason)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def ca(pki):
    """An intermediate authority below a root."""
    return pki.root().authority("Example CA 1")


@pytest.fixture
def host(pki, request):
    """A private host without servers: host.apache(), host.postfix(), host.dovecot(), host.start().

    With the parameter "trixie" it has the Postfix of Debian trixie.
    """
    try:
        top = trixie() if getattr(request, "param", None) == "trixie" else None
    except Unavailable as e:
        pytest.skip(str(e))
    with Host(pki, top=top) as host:
        yield host
