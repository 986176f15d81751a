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


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--soak"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="long: only with --soak"))
    stride = config.getoption("--stride")
    if stride > 1:
        kept = [item for item in items if zlib.crc32(item.nodeid.encode()) % stride == 0]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


@pytest.fixture(scope="session")
def soak(request):
    """Whether long sweeps run whole."""
    return request.config.getoption("--soak")
