# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many certificates in one run, for three servers that have them all: one reload of each, every name proven.

Two dozen names; with --soak a thousand. The renewal edits no configuration: the store's `current` is switched
and Postfix's index made anew.
"""

import json
import shutil

import pytest

from harness import wire

pytestmark = [pytest.mark.needs("apache"), pytest.mark.needs("postfix"), pytest.mark.needs("dovecot")]

SAMPLE = 5  # names asked on every port by s_client; the tool asks for all of them


def name_of(number):
    return f"site{number:04}.example.jp"


def issuers_tree(directory, leaves):
    """live/NAME/fullchain.pem and privkey.pem, as an issuer's client leaves them."""
    for name, leaf in leaves.items():
        (directory / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(leaf.key, directory / name / "privkey.pem")
        (directory / name / "fullchain.pem").write_text(leaf.fullchain_pem)
    return directory


def batch(directory, names):
    """Each name is the target of its certificate: mail servers have no names to find."""
    return json.dumps([
        {
            "cert_file": str(directory / name / "fullchain.pem"),
            "key_file": str(directory / name / "privkey.pem"),
            "hostname": [name],
        }
        for name in names
    ])


def counted(host):
    return {server.name: server.reloads() for server in host.services}


def check(result, host, leaves, before):
    """One reload of each server in its own log; the tool has proven every name on every port, and s_client agrees."""
    assert {name: count - before[name] for name, count in counted(host).items()} == dict.fromkeys(before, 1)
    assert set(result.states.values()) == {"verified"}
    ports = {server.name: server.endpoints() for server in host.services}
    assert all(e["verified"] for e in result.endpoints)
    # the first site is also what the web server answers without a name
    proven = [(e["name"], e["served_sha256"]) for e in result.endpoints if e["name"]]
    assert len(proven) == len(leaves) * sum(map(len, ports.values()))
    assert set(proven) == {(name, leaf.sha256) for name, leaf in leaves.items()}
    for name in list(leaves)[:: max(1, len(leaves) // SAMPLE)]:
        for server, endpoints in ports.items():
            for port, how in endpoints:
                assert wire.served(port, **{**how, "sni": name}) == leaves[name].sha256, (server, port, name)


def test_all_renewed_in_one_run(host, ca, soak, tmp_path):
    names = [name_of(number) for number in range(1000 if soak else 24)]
    key = ca.leaf("key.example.jp").key
    web = host.apache(stock=False)
    for name in names:
        web.add_site(name)
    web.names = []  # one endpoint of the web server's port; names are asked for below
    mail, imap = host.postfix(), host.dovecot()
    host.write_config(keep=2)
    host.start()
    defaults = {server.name: server.served() for server in (mail, imap)}

    first = {name: ca.leaf(name, key=key) for name in names}
    tree = issuers_tree(tmp_path / "live", first)
    before = counted(host)
    result = host.tool("deploy", "--batch", "-", stdin=batch(tree, names), timeout=1800).expect(0)
    check(result, host, first, before)

    second = {name: ca.leaf(name, key=key, again=1) for name in names}
    issuers_tree(tree, second)
    configuration = {path: path.read_bytes() for path in (mail.config, imap.local, web.config)}
    sites = {path: path.read_bytes() for path in (web.home / "sites-available").iterdir()}
    before = counted(host)
    result = host.tool("deploy", "--batch-dir", tree, timeout=1800).expect(0)
    check(result, host, second, before)
    for path, content in {**configuration, **sites}.items():
        assert path.read_bytes() == content, f"{path}: a renewal edits no configuration"
    assert {server.name: server.served() for server in (mail, imap)} == defaults

    before = counted(host)
    assert host.tool("deploy", "--batch-dir", tree, timeout=1800).expect(0).json["changed"] is False
    assert counted(host) == before
