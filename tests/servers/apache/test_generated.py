# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random configurations: certdeploy predicts what each name gets, the real server is asked, before and after."""

import pytest
from apache.generate import ADDRESSES, Maker, candidates
from apache.plain import Plain
from apache.prediction import Listing, sets_of

from harness import tree, wire
from harness.scene import material
from harness.process import Failed
from harness.tool import OK, REFUSED

pytestmark = pytest.mark.needs("apache")
SEEDS = range(40)
SOAK = range(1000, 3000)


@pytest.fixture(scope="session")
def new(ca):
    from apache.generate import NAMES

    return ca.leaf(*NAMES, "main.test", "*.test")


@pytest.fixture(scope="session")
def leaves(pki):
    return [pki.root().leaf(f"old{i}.test") for i in range(8)]


def compare(web, listing, known):
    """Every name at every address: {(address, port, name): SHA-256}; asserts that it was predicted."""
    served = {}
    for address in (*ADDRESSES, "::1"):
        for port in (web.port, web.other):
            if not wire.listening(port, address):
                continue
            for name in candidates():
                got = web.ask(name, port, address)
                listen, wanted = listing.predict(address, port, name, known)
                assert got == wanted, f"{name} at {address}:{port} ({listen}): served {got}, predicted {wanted}"
                served[address, port, name] = got
    return served


def check(host, seed, leaves, new):
    web = Plain(host)
    certificates = []
    for i, leaf in enumerate(leaves):
        cert, key = host.install(f"old{i}", leaf)
        both = host.etc / f"ssl/private/both{i}.pem"
        both.write_text(leaf.key_pem + leaf.fullchain_pem)
        certificates.append((cert, key, both))
    maker = Maker(web, certificates, seed).write()
    try:
        web.start()
    except Failed:
        return "httpd does not start with it"
    known = sets_of(web.httpd("-t", "-D", "DUMP_VHOSTS").stdout)
    listed = host.tool("list").expect(OK)
    before = compare(web, Listing(listed), known)
    names = sorted({e["name"] for e in listed.endpoints if e["name"] and e["tls"] and "*" not in e["name"]} - {None})
    names = [n for n in names if "?" not in n]
    if not names:
        return "nothing to deploy"
    name = maker.random.choice(names)
    files = tree.snapshot(web.home)
    done = host.tool("deploy", *material(new), "--hostname", name, "--accept", "name-mismatch")
    assert done.status in (OK, REFUSED), done
    if done.status == REFUSED:
        assert tree.diff(files, tree.snapshot(web.home), tree.UNTOUCHED) == []
        return done.codes[-1]
    after = compare(web, Listing(host.tool("list").expect(OK)), known)
    changed = {k for k in after if after[k] != before[k]}
    assert {after[k] for k in changed} <= {new.sha256}
    assert changed, done
    for key, sha in after.items():
        if key[2] == name and sha is not None and key not in changed:
            assert sha == new.sha256 or before[key] is None or not is_target(listed, key, name, known), key
    return "deployed"


def is_target(listed, key, name, known):
    listing = Listing(listed)
    listen, _ = listing.predict(*key, known)
    endpoint = listing.endpoint(listen, name)
    return endpoint is not None and endpoint["name"] is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_predicted_is_served(host, seed, leaves, new):
    check(host, seed, leaves, new)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SOAK)
def test_more_of_the_same(host, seed, leaves, new):
    check(host, seed, leaves, new)
