# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest

pytest.register_assert_rewrite("apache.row", "apache.prediction")
