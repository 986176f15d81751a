# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: pki (one for all tests of a process), host (a private host, ended with the test), tool."""

import pytest

from harness.host import TRIO, Host
from harness.pki import Pki
from harness.skip import skip_without
from harness.trixie import Unavailable, trixie


def pytest_runtest_setup(item):
    for marker in item.iter_markers("needs"):
        skip_without(*marker.args)


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


@pytest.fixture
def trio(host):
    """Apache with the stock site and one more, Postfix, Dovecot: running, with the old certificate."""
    skip_without(*TRIO)
    host.apache().add_site("www.example.test")
    host.postfix()
    host.dovecot()
    host.start()
    return host


@pytest.fixture(params=TRIO)
def one(request, host):
    """A host with one of the three servers, running."""
    skip_without(request.param)
    server = getattr(host, request.param)()
    host.start()
    return server
