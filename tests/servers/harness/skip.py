# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests that need a server which cannot run here. Apart from the harness, which demonstrations use without pytest."""

import pytest

from .host import KINDS


def skip_without(*names):
    """Skip the test where one of these servers cannot run, and say why."""
    for name in names:
        reason = KINDS[name].missing()
        if reason:
            pytest.skip(reason)
