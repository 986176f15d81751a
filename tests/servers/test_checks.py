# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates that must not reach a server, and those that may after a repair or a word."""

import pytest

from harness import wire
from harness.host import Host
from harness.scene import Scene, material, secrets_in
from harness.skip import skip_without
from harness.tool import OK, REFUSED

NAME = "old.example.test"


@pytest.fixture(scope="module")
def scene(pki):
    """A running Apache that nothing here may change."""
    skip_without("apache")
    with Host(pki) as host:
        host.apache().add_site("www.example.test")
        host.start()
        yield Scene(host)


@pytest.fixture
def web(host):
    skip_without("apache")
    host.apache()
    host.start()
    return host


def wrong_key(ca):
    return ["--cert", ca.leaf(NAME).cert, "--key", ca.leaf(NAME, again=1).key, "--chain", ca.leaf(NAME).chain]


def cut(leaf, name, lines):
    return leaf._file(name, "\n".join(leaf.pem.splitlines()[:lines]) + "\n")


def two_leaves(ca):
    leaf = ca.leaf(NAME)
    both = leaf._file("unrelated.pem", leaf.chain_pem + leaf.pki.root("Stranger").authority("Strange CA").pem)
    return ["--cert", leaf.cert, "--key", leaf.key, "--chain", both]


BAD = {
    "mismatched key": ("key-mismatch", wrong_key),
    "mismatched key of another type": (
        "key-mismatch",
        lambda ca: [
            "--cert",
            ca.leaf(NAME).cert,
            "--key",
            ca.leaf(NAME, key="rsa").key,
            "--chain",
            ca.leaf(NAME).chain,
        ],
    ),
    "no key": ("key-missing", lambda ca: ["--cert", ca.leaf(NAME).cert, "--chain", ca.leaf(NAME).chain]),
    "expired": ("expired", lambda ca: material(ca.leaf(NAME, not_before=-60, not_after=-1))),
    "not yet valid": ("not-yet-valid", lambda ca: material(ca.leaf(NAME, not_before=2))),
    "wrong name": (
        "name-mismatch",
        lambda ca: material(ca.leaf("other.example.test")) + ["--hostname", "www.example.test"],
    ),
    "missing intermediate": ("chain-incomplete", lambda ca: material(ca.leaf(NAME), chain=False)),
    "unrelated in the chain": ("chain-unrelated", two_leaves),
    "self-signed": ("self-signed", lambda ca: material(ca.pki.self_signed(NAME))),
    "weak key": ("weak-key", lambda ca: material(ca.leaf(NAME, key="rsa:1024"))),
    "encrypted key": (
        "key-encrypted",
        lambda ca: [
            "--cert",
            ca.leaf(NAME).cert,
            "--key",
            ca.leaf(NAME).encrypted_key("word"),
            "--chain",
            ca.leaf(NAME).chain,
        ],
    ),
    "not for servers": ("wrong-usage", lambda ca: material(ca.leaf(NAME, usage="clientAuth"))),
    "a key as certificate": (
        "not-a-certificate",
        lambda ca: ["--cert", ca.leaf(NAME).key, "--key", ca.leaf(NAME).key],
    ),
}


@pytest.mark.parametrize("what", sorted(BAD))
def test_refused(scene, ca, what):
    code, make = BAD[what]
    argv = make(ca)
    target = [] if "--hostname" in argv else ["--all"]
    result = scene.host.tool("deploy", *argv, *target).expect(REFUSED, code)
    problem = result.problem(code)
    assert problem["severity"] == "error" and problem["message"] and problem["fix"]
    scene.assert_untouched()
    assert not list(scene.host.store.glob("*/*"))
    assert "PRIVATE KEY" not in result.out + result.err
    scene.host.tool("plan", *argv, *target).expect(REFUSED, code)


def test_wrong_passphrase(scene, ca, tmp_path):
    leaf = ca.leaf(NAME)
    word = tmp_path / "word"
    word.write_text("other\n")
    argv = [
        "--cert",
        leaf.cert,
        "--key",
        leaf.encrypted_key("word"),
        "--chain",
        leaf.chain,
        "--passphrase-file",
        word,
    ]
    result = scene.host.tool("deploy", *argv, "--all").expect(REFUSED, "wrong-passphrase")
    scene.assert_untouched()
    assert "other" not in result.out


@pytest.mark.parametrize(
    "what,code", [("expired", "expired"), ("self-signed", "self-signed"), ("not yet valid", "not-yet-valid")]
)
def test_accepted_on_request(web, ca, what, code):
    argv = BAD[what][1](ca)
    result = web.tool("deploy", *argv, "--all", "--accept", code).expect(OK, code)
    assert result.problem(code)["severity"] != "error"
    assert set(web.served().values()) == {result.json["certificates"][0]["sha256"]}
    assert set(web.served().values()) != {web.old.sha256}


def test_mismatch_is_never_accepted(scene, ca):
    scene.host.tool("deploy", *wrong_key(ca), "--all", "--accept", "key-mismatch").expect(REFUSED)
    scene.assert_untouched()


def pieces(ca):
    """The same certificate below two intermediates, in every form that people bring it in."""
    leaf = ca.authority("Example CA 1.1").leaf(NAME)
    above = [leaf.issuer.pem, ca.pem]
    return leaf, {
        "chain in order": (material(leaf), None),
        "chain backwards": (
            [
                "--cert",
                leaf.cert,
                "--key",
                leaf.key,
                "--chain",
                leaf._file("backwards.pem", "".join(reversed(above))),
            ],
            "chain-order",
        ),
        "root at the end": (
            [
                "--cert",
                leaf.cert,
                "--key",
                leaf.key,
                "--chain",
                leaf._file("rooted.pem", "".join(above) + leaf.root_pem),
            ],
            "chain-root",
        ),
        "full chain": (["--fullchain", leaf.fullchain, "--key", leaf.key], None),
        "full chain as certificate": (["--cert", leaf.fullchain, "--key", leaf.key], None),
        "everything in one file": (
            ["--cert", leaf._file("all.pem", ca.pem + leaf.key_pem + leaf.pem + leaf.issuer.pem)],
            "chain-order",
        ),
        "leaf again in the chain": (["--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.fullchain], None),
        "CRLF and text around": (
            [
                "--key",
                leaf.key,
                "--fullchain",
                leaf._file(
                    "bag.pem",
                    ("Bag Attributes\n  friendlyName: x\n" + leaf.fullchain_pem).replace("\n", "\r\n").encode(),
                ),
            ],
            None,
        ),
        "PKCS#12": (["--pkcs12", leaf.pkcs12("word")], None),
        "key with a passphrase": (
            ["--cert", leaf.cert, "--key", leaf.encrypted_key("word"), "--chain", leaf.chain],
            None,
        ),
    }


@pytest.mark.parametrize(
    "form",
    sorted(
        pieces.__doc__
        and [
            "chain in order",
            "chain backwards",
            "root at the end",
            "full chain",
            "full chain as certificate",
            "everything in one file",
            "leaf again in the chain",
            "CRLF and text around",
            "PKCS#12",
            "key with a passphrase",
        ]
    ),
)
def test_the_chain_is_put_in_order(web, ca, form, tmp_path):
    leaf, forms = pieces(ca)
    argv, code = forms[form]
    if form in ("PKCS#12", "key with a passphrase"):
        (tmp_path / "word").write_text("word\n")
        argv = argv + ["--passphrase-file", tmp_path / "word"]
    result = web.tool("deploy", *argv, "--all").expect(OK, *([code] if code else []))
    port, how = web.service("apache").endpoints()[0]
    assert wire.served_chain(port, **how) == [leaf.sha256, leaf.issuer.sha256, ca.sha256]
    assert secrets_in(result.out + result.err, leaf) == []


@pytest.mark.needs("apache")
def test_an_intermediate_in_the_middle_is_missing(scene, ca):
    leaf = ca.authority("Example CA 1.1").leaf(NAME)
    upper = leaf._file("upper.pem", ca.pem)
    result = scene.host.tool("deploy", "--cert", leaf.cert, "--key", leaf.key, "--chain", upper, "--all").expect(
        REFUSED
    )
    assert set(result.codes) & {"chain-incomplete", "chain-unrelated"}
    scene.assert_untouched()


@pytest.mark.parametrize("kind", ["ec:P-384", "rsa:3072"])
def test_other_keys(web, ca, kind):
    leaf = ca.leaf(NAME, key=kind)
    web.tool("deploy", *material(leaf), "--all", "--drop-other-types").expect()
    assert set(web.served().values()) == {leaf.sha256}


def test_check_describes_and_judges(scene, ca):
    leaf = ca.leaf(NAME, "IP:192.0.2.7", key="rsa")
    result = scene.host.tool("check", *material(leaf)).expect()
    described = result.json["certificates"][0]
    assert described["sha256"] == leaf.sha256 and described["key_type"] == "rsa"
    assert set(described["names"]) == {NAME, "192.0.2.7"}
    assert described["not_after"].endswith("Z") and "Example CA 1" in described["issuer"]
    scene.host.tool("check", *material(leaf), "--hostname", NAME).expect()
    scene.host.tool("check", *material(leaf), "--hostname", "elsewhere.test").expect(REFUSED, "name-mismatch")
    scene.host.tool("check", *wrong_key(ca)).expect(REFUSED, "key-mismatch")
    scene.assert_untouched()
