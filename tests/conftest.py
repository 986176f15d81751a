# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options for all tests written in Python."""

import signal
import zlib

import pytest

# Started by nohup, or in the background of a script, these are ignored, and every child would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="run the long sweeps whole")
    parser.addoption(
        "--stride", type=int, default=1, metavar="N", help="run about one test in N, always the same ones"
    )


def keep(config, items, wanted):
    """Leave the others out; they are not asked for, so they do not count as skipped."""
    kept, others = [], []
    for item in items:
        (kept if wanted(item) else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = kept


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--soak"):
        keep(config, items, lambda item: item.get_closest_marker("soak") is None)
    stride = config.getoption("--stride")
    if stride > 1:
        keep(config, items, lambda item: zlib.crc32(item.nodeid.encode()) % stride == 0)


@pytest.fixture(scope="session")
def soak(request):
    """Whether long sweeps run whole."""
    return request.config.getoption("--soak")
