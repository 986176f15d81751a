# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: oracle (both versions of Dovecot, one after the other), tree (a directory for one)."""

import shutil

import pytest

from harness.trixie import Unavailable

from .oracle import Oracle


@pytest.fixture(scope="module", params=["2.3", "2.4"])
def oracle(request):
    try:
        return Oracle(request.param)
    except Unavailable as e:
        pytest.skip(str(e))


@pytest.fixture
def tree(oracle):
    place = oracle.directory()
    yield place
    shutil.rmtree(place)
