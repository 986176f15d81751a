# SPDX-License-Identifier: LGPL-2.1-or-later
"""The harness itself: a judge that cannot be trusted is worth nothing."""

import os

import pytest

from harness import process, tree, wire
from harness.host import KINDS, Host
from harness.pki import pem_blocks
from harness.skip import skip_without


@pytest.fixture(params=sorted(KINDS))
def server(request, host):
    skip_without(request.param)
    return getattr(host, request.param)()


def test_start_handshake_dump_stop(host, server):
    assert not server.running
    server.start()
    assert server.running
    assert set(server.served().values()) == {host.old.sha256}
    assert str(server.home) in server.dump() or str(host.base) in server.dump()
    assert server.test()
    assert server.called() == []
    before = server.reloads()
    server.control("test")
    server.control("reload")
    process.wait_for("the reload in the log", lambda: server.reloads() == before + 1)
    assert server.called() == ["test", "reload"]
    assert server.processes()
    server.stop()
    assert not server.running
    assert not process.processes_of(host.base)
    assert not any(wire.listening(p) for p in server.ports())


def test_a_replaced_certificate_is_seen_after_the_reload(host, server, ca):
    server.start()
    new = ca.leaf("new.example.test", key="rsa")
    host.install("old", new)
    server.reload()
    host.wait_served(new.sha256)
    port, how = server.endpoints()[0]
    assert wire.served_chain(port, **how) == [new.sha256, ca.sha256]
    assert wire.served(port, sigalgs=wire.ECDSA_ONLY, extra=["-tls1_2"], **how) is None


def test_restart_and_start_by_the_control_script(server):
    server.start()
    first = server.pid()
    server.control("restart")
    process.wait_for("another process", lambda: server.running and server.pid() != first)
    server.stop()
    server.control("start")
    process.wait_for("the server", lambda: server.running)


def test_starting_what_runs_does_no_harm(server):
    server.start()
    first = server.pid()
    server.control("start", check=False)
    assert server.running and server.pid() == first


def test_broken_configuration_fails_the_servers_own_test(server):
    assert server.test()
    with open(server.config, "a", encoding="utf-8") as f:
        f.write("\nNonsense here {\n")
    assert not server.test()
    assert server.control("test", check=False).returncode != 0


def test_two_hosts_side_by_side(pki):
    skip_without("apache")
    with Host(pki, ("one.example.test",)) as one, Host(pki, ("two.example.test",)) as two:
        for host in (one, two):
            host.apache()
            host.start()
        assert set(one.served().values()) == {one.old.sha256}
        assert set(two.served().values()) == {two.old.sha256}
        bases = one.base, two.base
    assert not any(process.processes_of(base) or os.path.exists(base) for base in bases)


def test_sites_answer_by_name(host, ca):
    skip_without("apache")
    web = host.apache()
    www = ca.leaf("www.example.test")
    web.add_site("www.example.test", "example.test", cert=www)
    web.add_site("other.example.test")
    web.start()
    assert wire.served(web.port, sni="www.example.test") == www.sha256
    assert wire.served(web.port, sni="example.test") == www.sha256
    assert wire.served(web.port, sni="other.example.test") == host.old.sha256
    assert wire.served(web.port) == host.old.sha256
    assert "www.example.test" in web.dump() and "www.example.test" in web.dump_config()


# certificates: openssl verify and x509 are the judges


def verify(root, leaf, untrusted=None, *more):
    roots = leaf.place / "roots.pem"
    roots.write_text(root.pem)
    argv = ["openssl", "verify", "-no-CAfile", "-no-CApath", "-no-CAstore", "-CAfile", roots, *more]
    return (
        process.run(argv + (["-untrusted", untrusted] if untrusted else []) + [leaf.cert], check=False).returncode
        == 0
    )


def test_chains(pki):
    root = pki.root()
    sub = root.authority("Example CA 1").authority("Example CA 1.1", path_length=0)
    leaf = sub.leaf("a.example.test", "*.b.example.test", "IP:127.0.0.1")
    assert len(pem_blocks(leaf.chain_pem)) == 2
    assert verify(root, leaf, leaf.chain, "-verify_hostname", "x.b.example.test", "-x509_strict")
    assert verify(root, leaf, leaf.chain, "-verify_ip", "127.0.0.1")
    assert not verify(root, leaf)
    crossed = pki.root("Other Root").cross_sign(sub)
    assert crossed.pem != sub.pem and crossed.key_pem == sub.key_pem
    assert verify(pki.root("Other Root"), leaf, crossed.cert)


@pytest.mark.parametrize(
    "kind,word",
    [
        ("rsa", "2048 bit"),
        ("rsa:1024", "1024 bit"),
        ("ec", "prime256v1"),
        ("ec:P-384", "secp384r1"),
        ("ed25519", "ED25519"),
    ],
)
def test_kinds_of_keys(ca, kind, word):
    leaf = ca.leaf("key.example.test", key=kind)
    assert word in process.run(["openssl", "x509", "-in", leaf.cert, "-noout", "-text"]).stdout
    public = process.run(["openssl", "pkey", "-in", leaf.key, "-pubout"]).stdout
    assert public == process.run(["openssl", "x509", "-in", leaf.cert, "-noout", "-pubkey"]).stdout
    assert os.stat(leaf.key).st_mode & 0o777 == 0o600


def test_dates_and_weak_ones(pki, ca):
    for leaf, status in (
        (ca.leaf("d.example.test"), 0),
        (ca.leaf("d.example.test", not_before=-60, not_after=-1), 1),
    ):
        assert process.run(["openssl", "x509", "-in", leaf.cert, "-checkend", "0"], check=False).returncode == status
    assert not verify(pki.root(), ca.leaf("d.example.test", not_before=2), ca.cert)
    old = ca.leaf("d.example.test", md="sha1")
    assert "ecdsa-with-SHA1" in process.run(["openssl", "x509", "-in", old.cert, "-noout", "-text"]).stdout
    alone = pki.self_signed("d.example.test")
    assert verify(alone, alone)
    assert alone.chain is None
    assert ca.leaf("d.example.test") is ca.leaf("d.example.test")
    assert ca.leaf("d.example.test", again=1).sha256 != ca.leaf("d.example.test").sha256


def test_key_containers(ca):
    leaf = ca.leaf("c.example.test")
    assert "ENCRYPTED" in leaf.encrypted_key("word").read_text()
    back = process.run(["openssl", "pkcs12", "-in", leaf.pkcs12("word"), "-passin", "pass:word", "-nodes"]).stdout
    assert leaf.pem in back and "PRIVATE KEY" in back
    assert leaf.der().read_bytes()[0] == 0x30


# the tree: every kind of change is seen, and nothing else


def test_tree_sees_every_change(tmp_path):
    for name in "abcdefg":
        (tmp_path / name).write_text(name)
    (tmp_path / "l").symlink_to("a")
    before = tree.snapshot(tmp_path)
    assert tree.diff(before, tree.snapshot(tmp_path), tree.UNTOUCHED) == []
    (tmp_path / "a").write_text("other")
    (tmp_path / "b").chmod(0o600)
    (tmp_path / "c").unlink()
    os.utime(tmp_path / "d", (1, 1))
    (tmp_path / "l").unlink()
    (tmp_path / "l").symlink_to("b")
    (tmp_path / "new").touch()
    stat = os.stat(tmp_path / "e")
    (tmp_path / "e2").write_text("e")
    os.utime(tmp_path / "e2", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (tmp_path / "e2").chmod(stat.st_mode & 0o777)
    (tmp_path / "e2").rename(tmp_path / "e")
    names = [os.path.basename(p) for p in tree.changed_paths(before, tree.snapshot(tmp_path))]
    assert names == ["a", "b", "c", "d", "l", "new"]
    untouched = [os.path.basename(p) for p in tree.changed_paths(before, tree.snapshot(tmp_path), tree.UNTOUCHED)]
    assert "e" in untouched and "f" not in untouched


def test_a_port_is_given_once():
    ports = [wire.free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    for port in ports:
        wire.give_back(port)


def test_processes_are_found_and_ended(tmp_path):
    import subprocess

    child = subprocess.Popen(["sleep", "60"], cwd=tmp_path)
    assert process.processes_of(tmp_path) == [child.pid]
    assert process.end_all(tmp_path) == []
    assert child.wait() == -15
