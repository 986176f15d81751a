# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random configurations: what the adapter takes them to mean, and what its edits do, judged by doveconf."""

import ipaddress
import random
import re
import shutil
import subprocess

import pytest

from harness.process import CLEAN
from harness.tool import OK, REFUSED, Tool, build_directory

from . import generate

HOWEVER = [None, None, "127.0.0.1", "10.0.0.1", "10.0.9.9", "::1", "fd00::5"]
SERVICES = {"imap": "imap-login", "pop3": "pop3-login", "lmtp": "lmtp"}
PORTS = ("imap", "pop3")  # lmtp listens on no port here
ASKED = generate.NAMES + ["www.q.jp", "q.a.jp"]


def effective(tree, oracle, questions, services=False):
    """The adapter's answers, as the oracle gives them. doveconf of 2.4 cannot be asked about `service X {`."""
    program = build_directory() / "tests/oracle/dovecot-effective"
    text = "".join(
        f"{p} {SERVICES[p] if services or not oracle.v24 else '-'} {local or '-'} {name or '-'}\n" for p, local, name in questions
    )
    done = subprocess.run([program, tree, oracle.version], env=CLEAN, input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [l if l == "conflict" else tuple(l.split("\t")[:4]) for l in done.stdout.splitlines()]


def accepted(seed, tree, oracle):
    """A configuration that Dovecot accepts, or None: (path, random)."""
    r = random.Random(seed)
    config = generate.Generator(r, oracle.version, nesting=not oracle.v24).write(tree)
    return (config, r) if oracle.accepts(config) else None


def check_meaning(oracle, seed):
    """Whether Dovecot takes the configuration at all."""
    tree = oracle.directory()
    try:
        made = accepted(seed, tree, oracle)
        if made is None:
            return False
        config, r = made
        questions = [(p, None, None) for p in SERVICES]
        questions += [(r.choice(list(SERVICES)), r.choice(HOWEVER), r.choice([None] + ASKED)) for _ in range(8)]
        # doveconf takes a name for lmtp of 2.3 too, which itself does not
        questions = [q for q in questions if oracle.v24 or q[0] != "lmtp" or q[2] is None]
        answers = zip(questions, effective(tree, oracle, questions), oracle.materials(config, questions))
        for question, ours, theirs in answers:
            assert ours == slots(theirs), f"seed {seed}: {question}\n{config.read_text()}"
        return True
    finally:
        shutil.rmtree(tree)


@pytest.mark.parametrize("part", range(4))
def test_meaning(oracle, soak, part):
    assert any([check_meaning(oracle, 1000 * part + i) for i in range(250 if soak else 25)])


def contains(net, address):
    """Of a listener's network as it is shown, "" for all addresses."""
    return net == "" or (address is not None and ipaddress.ip_address(address) in ipaddress.ip_network(net.replace("[", "").replace("]", "")))


def fits(pattern, name):
    """As Dovecot does: a star is the rest of a label."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", r"[^.]*").replace(r"\?", "."), name) is not None


def listed(rows, address, name):
    """What one who reads the list expects: the name's line for the narrowest network, else a pattern's, else the default's."""
    known = {n for _, n in rows}
    patterns = [n for n in known if n and name and re.search("[*?]", n) and fits(n, name)]
    if name not in known and len(patterns) > 1:
        return None  # it does not say which one
    whose = name if name in known else patterns[0] if patterns else None
    width = lambda net: ipaddress.ip_network(net.replace("[", "").replace("]", "")).prefixlen if net else -1
    nets = [net for net, n in rows if n == whose and contains(net, address)]
    return rows[max(nets, key=width), whose] if nets else None


def check_list(oracle, seed):
    tree = oracle.directory()
    try:
        made = accepted(seed, tree, oracle)
        if made is None:
            return False
        config, r = made
        if "service imap-login" in config.read_text():
            return False  # doveconf cannot be asked about that
        done = Tool(root=tree).run("list")
        assert done.status == OK, done
        rows = {}
        for e in done.expect().endpoints:
            net, _, listener = e["listen"].rpartition(":")
            if e["listen"].endswith("imap/143"):
                rows[net, e["name"] or None] = e.get("certificate") or ""
        questions = [("imap", local, name) for local in HOWEVER[2:] for name in ASKED]
        questions = [q for q in questions if "local" in config.read_text() and listed(rows, q[1], q[2])]
        r.shuffle(questions)
        del questions[12:]
        for question, theirs in zip(questions, oracle.materials(config, questions)):
            if theirs == "conflict":
                continue
            pairs = [theirs[i].lstrip("<") for i in (0, 2)]  # of files that are missing the last is shown
            assert listed(rows, *question[1:]) in pairs, f"seed {seed}: {question} {theirs}\n{rows}\n{config.read_text()}"
        return bool(questions)
    finally:
        shutil.rmtree(tree)


@pytest.mark.parametrize("part", range(2))
def test_list(oracle, soak, part):
    """A name at an address, as the list tells it, is what doveconf says of such a client."""
    assert any([check_list(oracle, 12000 + 1000 * part + i) for i in range(250 if soak else 15)])


@pytest.fixture(scope="module")
def leaf(pki):
    ca = pki.root("Root of the generated").authority("CA of the generated")
    return ca.leaf("a.jp", "*.a.jp", "*.mail.a.jp", "b.jp", "*.b.jp", "*.q.jp")


def slots(answer):
    """Without ssl, of which the adapter says nothing."""
    return answer if answer == "conflict" else answer[:4]


def words(paths, oracle):
    """What the slots should say."""
    mark = "" if oracle.v24 else "<"
    return tuple(f"{mark}{p}" for p in paths)


def check_edit(oracle, leaf, seed):
    """Whether there was something to change."""
    tree = oracle.directory()
    try:
        made = accepted(seed, tree, oracle)
        if made is None:
            return False
        config, r = made
        name = r.choice(ASKED)
        others = [(p, local, n) for p in PORTS for local in (None, "10.0.0.1") for n in [None] + ASKED if n != name]
        questions = r.sample(others, 10)
        before = oracle.materials(config, questions)
        about = f"seed {seed} {name}\n"
        drop = ["--drop-other-types"] if r.random() < 0.8 else []
        done = Tool(root=tree).run("deploy", "--service", "dovecot", "--cert", leaf.cert, "--key", leaf.key,
                                   "--chain", leaf.chain, "--hostname", name, *drop)
        assert done.status in (OK, REFUSED), about + str(done)
        if done.status == REFUSED:
            assert oracle.materials(config, questions) == before, about
            return False
        assert oracle.accepts(config), about
        paths = [f"/etc/ssl/certdeploy/a.jp/current/{f}.pem" for f in ("fullchain", "key")]
        meant = [(protocol, None, name) for protocol in PORTS]
        after = oracle.materials(config, meant + questions)
        for question, now in zip(meant, after):
            # a protocol without TLS is left as it is
            assert now[:2] == words(paths, oracle) or now[-1] == "no", f"{about}{question} {now}\n{done}"
        assert after[len(meant):] == before, f"{about}{questions}\n{done}"
        again = Tool(root=tree).run("plan", "--service", "dovecot", "--cert", leaf.cert, "--key", leaf.key,
                                    "--chain", leaf.chain, "--hostname", name, *drop)
        assert not [f for f in again.files if "/dovecot/" in f], f"{about}{again}"
        return True
    finally:
        shutil.rmtree(tree)


@pytest.mark.parametrize("part", range(4))
def test_edits(oracle, leaf, soak, part):
    """A name gets its certificate for every protocol; nobody else is served anything new."""
    assert any([check_edit(oracle, leaf, 5000 + 1000 * part + i) for i in range(250 if soak else 25)])


def check_wide(oracle, leaf, seed):
    """A deployment for the default, or for an address: whether there was something to change."""
    tree = oracle.directory()
    try:
        made = accepted(seed, tree, oracle)
        if made is None:
            return False
        config, r = made
        address = r.choice([None, "10.0.0.1", "127.0.0.1", "fd00::5"])
        meant = [(p, local, None) for p in PORTS for local in ([address] if address else [None, *HOWEVER[2:]])]
        others = [(p, local, n) for p in PORTS for local in HOWEVER[1:] for n in [None] + ASKED]
        others = r.sample([q for q in others if q not in meant], 10)
        before = oracle.materials(config, meant + others)
        about = f"seed {seed} {address or 'default'}\n"
        argv = ["--service", "dovecot", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain, "--accept", "name-mismatch",
                "--drop-other-types", *(["--address", address] if address else ["--default"])]
        done = Tool(root=tree).run("deploy", *argv)
        assert done.status in (OK, REFUSED), about + str(done)
        after = oracle.materials(config, meant + others)
        if done.status == REFUSED:
            assert after == before, about
            return False
        assert oracle.accepts(config), about
        new = words([f"/etc/ssl/certdeploy/a.jp/current/{f}.pem" for f in ("fullchain", "key")], oracle)
        for question, was, now in zip(meant, before, after):
            left_out = now == was == "conflict" and "conflicting-filters" in done.codes
            assert left_out or now[:2] == new or now[-1] == "no", f"{about}{question} {was} {now}\n{done}"
        # a name without a certificate of its own there goes with the default
        defaults = {was[0] for was in before[: len(meant)]}
        for question, was, now in list(zip(meant + others, before, after))[len(meant) :]:
            follows = was != "conflict" and was[0] in defaults and now[:2] == new
            assert now == was or follows, f"{about}{question} {was} {now}\n{done}"
        again = Tool(root=tree).run("plan", *argv)
        assert not [f for f in again.files if "/dovecot/" in f], f"{about}{again}"
        return True
    finally:
        shutil.rmtree(tree)


@pytest.mark.parametrize("part", range(2))
def test_wide_edits(oracle, leaf, soak, part):
    """The default, or one address, gets its certificate for every protocol; a name with one of its own keeps it."""
    assert any([check_wide(oracle, leaf, 20000 + 1000 * part + i) for i in range(250 if soak else 20)])
