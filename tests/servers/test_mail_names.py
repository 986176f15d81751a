# SPDX-License-Identifier: LGPL-2.1-or-later
"""One command gives a domain its certificate in both mail servers; the default stays."""

import pytest

from harness import wire

pytestmark = [pytest.mark.needs("postfix"), pytest.mark.needs("dovecot")]

NAME = "mail.example.jp"


def everywhere(host, sni):
    return {(s.name, port): wire.served(port, **{**how, "sni": sni}) for s in host.services for port, how in s.endpoints()}


def test_one_command_for_both(host, ca):
    host.postfix()
    host.dovecot()
    host.start()
    before = everywhere(host, None)
    for leaf in (ca.leaf(NAME), ca.leaf(NAME, again=1)):
        result = host.tool(
            "deploy", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain, "--hostname", NAME
        ).expect(0)
        assert set(result.states.values()) == {"verified"}
        assert everywhere(host, NAME) == dict.fromkeys(before, leaf.sha256)
        assert everywhere(host, None) == everywhere(host, "other.example.jp") == before
    host.tool("rollback").expect(0)
    assert everywhere(host, NAME) == dict.fromkeys(before, ca.leaf(NAME).sha256)
    host.tool("verify").expect(0)
