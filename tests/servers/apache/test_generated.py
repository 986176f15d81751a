# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random configurations: certdeploy predicts what each name gets, the real server is asked, before and after.

What a target reaches is given the new certificate, everything else serves what it served, the second
deploy has nothing to do, and a rollback brings back every byte. Most of a seed's time the tool watches a
server that it has reloaded: several seeds are looked at side by side.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from apache.generate import ADDRESSES, NAMES, Maker, candidates
from apache.plain import Plain
from apache.prediction import Listing, sets_of

from harness import tree, wire
from harness.host import Host
from harness.process import Failed
from harness.scene import material
from harness.tool import OK, REFUSED

pytestmark = pytest.mark.needs("apache")
GROUP, AT_ONCE = 12, 4
SEEDS = range(0, 240, GROUP)
SOAK = range(1000, 3004, GROUP)
FOUND = (60299, 200826, 301001)  # hosts with nothing of the core, with a key for two certificates
TYPES = {"rsa": "ECDHE-RSA-AES128-GCM-SHA256", "ec": "ECDHE-ECDSA-AES128-GCM-SHA256"}


@pytest.fixture(scope="session")
def new(ca):
    return {kind: ca.leaf(*NAMES, "main.test", "*.test", key=kind) for kind in TYPES}


@pytest.fixture(scope="session")
def leaves(pki):
    """Good for the same names, so that one of another key type may stay."""
    kinds = ("rsa", "rsa", "rsa", "ec", "ec", "ec", "ec")
    return [(kind, pki.root().leaf(*NAMES, "main.test", "*.test", key=kind, again=i)) for i, kind in enumerate(kinds)]


PLACES, STRANGERS = 4, 5  # of each configuration: addresses with ports that are asked, names that it does not have


def look(web, questions):
    """{(address, port, name): SHA-256 that clients of RSA and of ECDSA get}"""
    return {(a, p, name): tuple(web.ask(name, p, a, c) for c in TYPES.values()) for a, p, name in questions}


class Case:
    def __init__(self, host, seed, leaves):
        self.host, self.web = host, Plain(host)
        certificates = []
        for i, (kind, leaf) in enumerate(leaves):
            cert, key = host.install(f"old{i}", leaf)
            both = host.etc / f"ssl/private/both{i}.pem"
            both.write_text(leaf.key_pem + leaf.fullchain_pem)
            certificates.append((cert, key, both, kind))
        self.maker = Maker(self.web, certificates, seed).write()
        self.random = self.maker.random

    def start(self):
        try:
            self.web.start()
        except Failed:
            return False
        self.known = sets_of(self.web.httpd("-t", "-D", "DUMP_VHOSTS").stdout)
        self.listing = Listing(self.host.tool("list").expect(OK))
        self.questions = self.choose_questions()
        self.before = look(self.web, self.questions)
        for key, served in self.before.items():
            listen, wanted = self.listing.predict(*key, self.known)
            assert wanted in served or self.is_beyond(key), f"{key} ({listen}): served {served}, predicted {wanted}"
        return True

    def choose_questions(self):
        """Some of the places, each with every name that the configuration has and some that it does not have."""
        web, text = self.web, "".join(self.maker.files.values()).lower()
        places = [(a, p) for a in (*ADDRESSES, "::1") for p in (web.port, web.other) if wire.listening(p, a)]
        strangers = [n for n in candidates() if n and n not in text]
        names = [n for n in candidates() if n not in strangers]
        names += self.random.sample(strangers, min(STRANGERS, len(strangers)))
        return [(a, p, n) for a, p in self.random.sample(places, min(PLACES, len(places))) for n in names]

    def endpoint(self, key):
        listen, _ = self.listing.predict(*key, self.known)
        return self.listing.endpoint(listen, key[2])

    def is_beyond(self, key):
        """Where certdeploy says itself that it cannot tell."""
        endpoint = self.endpoint(key)
        return endpoint is not None and "more keys than certificates" in (endpoint["note"] or "")

    def target(self):
        """Arguments of a target that is likely to be there."""
        endpoints = [e for listed in self.listing.sets.values() for e in listed if e["tls"]]
        names = [e["name"] for e in endpoints if e["name"] and not set(e["name"]) & set("*?")]
        listen = self.random.choice(endpoints)["listen"] if endpoints else "*:1"
        choices = [["--hostname", self.random.choice(names)]] * 4 if names else []
        choices += [["--default"], ["--all"], ["--listener", listen], [], ["--default", "--listener", listen]]
        choices += [["--address", self.random.choice(ADDRESSES)], ["--address", f"{ADDRESSES[0]}:{self.web.other}"]]
        choices += [["--hostname", "~^[ab]\\."]]
        choices += [[a for name in self.random.sample(names, 2) for a in ("--hostname", name)]] if len(names) > 1 else []
        return self.random.choice(choices) + self.random.choice(([], [], ["--drop-other-types"]))

    def check_after(self, done, target, new):
        after, drops = look(self.web, self.questions), "--drop-other-types" in target
        touched = {(e["listen"], e["name"]) for e in done.endpoints}
        for key, served in after.items():
            old, endpoint = self.before[key], self.endpoint(key)
            meant = endpoint is not None and (endpoint["listen"], endpoint["name"]) in touched
            assert meant or served == old, f"{key} is not in the target {target}: {old}, {served}"
            if meant:
                assert new <= set(served), f"{key} was given {new} by {target}: {old}, {served}"
                assert set(served) - {None} <= (new if drops else new | set(old)), f"{key} {target}: {old}, {served}"
            elif target[:2] == ["--hostname", key[2]] and endpoint:
                assert endpoint["name"] is None or not endpoint["tls"], f"{key} was left out of {target}"


def check(host, seed, leaves, new):
    case = Case(host, seed, leaves)
    if not case.start():
        return
    web, target = case.web, case.target()
    chosen = [new[kind] for kind in case.random.choice((["ec"], ["rsa"], ["rsa", "ec"]))]
    argv = [a for leaf in chosen for a in material(leaf)] + [*target, "--accept", "name-mismatch"]
    files = tree.snapshot(web.home)
    done = host.tool("deploy", *argv)
    assert done.status in (OK, REFUSED), done
    if done.status == REFUSED:
        assert tree.diff(files, tree.snapshot(web.home), tree.UNTOUCHED) == []
        return
    assert web.httpd("-t").returncode == 0
    case.check_after(done, target, {leaf.sha256 for leaf in chosen})
    assert host.tool("deploy", *argv).expect(OK).json["changed"] is False
    if done.json["changed"]:
        host.tool("rollback", *(["--no-reload"] if seed % 4 else [])).expect(OK)
        assert tree.diff(files, tree.snapshot(web.home)) == []


def check_group(pki, first, leaves, new):
    def attempt(seed):
        try:
            with Host(pki) as host:
                check(host, seed, leaves, new)
        except AssertionError as e:
            return f"seed {seed}: {e}"
        return None

    Host(pki).close()  # its certificate is made once, before there are threads
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [said for said in pool.map(attempt, range(first, first + GROUP)) if said]
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("first", SEEDS)
def test_what_was_predicted_is_served(pki, first, leaves, new):
    check_group(pki, first, leaves, new)


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_wrong_once(pki, seed, leaves, new):
    with Host(pki) as host:
        check(host, seed, leaves, new)


@pytest.mark.soak
@pytest.mark.parametrize("first", SOAK)
def test_more_of_the_same(pki, first, leaves, new):
    check_group(pki, first, leaves, new)
