# SPDX-License-Identifier: LGPL-2.1-or-later
"""A store from one server to another as one PKCS#12, and a certificate into Java's key store."""

import json
import os
import shutil
import subprocess

import pytest

from harness.tool import REFUSED, USAGE, Tool

STORE = "etc/ssl/certdeploy"
WORD = "sésame"


@pytest.fixture
def ca(pki):
    return pki.root().authority("Example CA 1")


@pytest.fixture
def word(tmp_path):
    path = tmp_path / "word"
    path.write_text(WORD + "\n")
    return path


@pytest.fixture
def there(tmp_path):
    """The tool on another server."""
    root = tmp_path / "there"
    (root / "etc").mkdir(parents=True)
    conf = tmp_path / "there.conf"
    conf.write_text("")
    return Tool(config=conf, root=root)


@pytest.fixture
def full(tool, ca, pki):
    """A store with two key types under one name, one that has ended, one signed by itself, and a request."""
    leaves = [ca.leaf("www.example.test"), ca.leaf("www.example.test", key="rsa"), ca.leaf("*.example.test")]
    for leaf in leaves:
        tool("import", "--fullchain", leaf.fullchain, "--key", leaf.key).expect(0)
    old = ca.leaf("old.example.test", not_before=-90, not_after=-1)
    tool("import", "--fullchain", old.fullchain, "--key", old.key, "--accept", "expired").expect(0)
    own = pki.self_signed("own.example.test")
    tool("import", "--cert", own.cert, "--key", own.key, "--accept", "self-signed").expect(0)
    tool("request", "--san", "later.example.test").expect(0)
    return tool


def listed(tool):
    return sorted((c["name"], c["sha256"]) for c in tool("store", "list").expect(0).json["certificates"]
                  if c.get("sha256"))


def material(root):
    """Every file that a server reads, by its name in the store."""
    return {str(path.relative_to(root / STORE).parent.parent / path.name): path.read_bytes()
            for path in (root / STORE).glob("*/current/../*/*.pem") if "requests" not in path.parts
            and os.readlink(path.parents[1] / "current") == path.parent.name}


def archive_of(tool, word, path):
    tool("export", "--all", "--passphrase-file", word, "--out", path).expect(0)
    return path


def test_a_whole_store_moves(full, there, word, tmp_path, schema):
    archive = archive_of(full, word, tmp_path / "store.p12")
    assert archive.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" not in archive.read_bytes()
    arrived = there("import", "--archive", archive, "--passphrase-file", word).expect(0)
    schema(arrived.json)
    assert listed(there) == listed(full) and len(listed(there)) == 5
    assert material(there.root) == material(full.root) and len(material(there.root)) == 25
    # One transaction; the second time there is nothing to do.
    assert len(there("history").json["history"]) == 1
    again = there("import", "--archive", archive, "--passphrase-file", word).expect(0)
    assert again.files == {}
    there("rollback", there("history").json["history"][0]["id"]).expect(0)
    assert listed(there) == []


def requests(root):
    return {str(path.relative_to(root / STORE)): (path.read_bytes(), path.stat().st_mode & 0o777)
            for path in (root / STORE).glob("*/requests/*/*")}


def test_requests_that_wait_move_along(full, there, ca, word, tmp_path):
    locked = tmp_path / "locked"
    locked.write_text("of the key\n")
    full("request", "--san", "locked.example.test", "--encrypt-key", "--passphrase-file", locked).expect(0)
    full("request", "--san", "www.example.test", "--name", "www.example.test").expect(0)
    archive = archive_of(full, word, tmp_path / "store.p12")
    there("import", "--archive", archive, "--passphrase-file", word).expect(0)
    assert requests(there.root) == requests(full.root) and len(requests(there.root)) == 6
    again = there("import", "--archive", archive, "--passphrase-file", word).expect(0)
    assert again.files == {}
    assert {(c["name"], c["waiting"]) for c in there("store", "list").json["certificates"] if c["waiting"]} == {
        ("later.example.test", 1), ("locked.example.test", 1), ("www.example.test", 1)}
    # The certificate arrives on the new server, and its key is there.
    csr = next((there.root / STORE).glob("later.example.test/requests/*/request.pem"))
    issued = tmp_path / "later.pem"
    subprocess.run(["openssl", "x509", "-req", "-in", csr, "-CA", ca.cert, "-CAkey", ca.key, "-days", "90",
                    "-copy_extensions", "copyall", "-out", issued], capture_output=True, check=True)
    there("import", "--cert", issued, "--chain", ca.cert).expect(0)
    assert "later.example.test" in dict(listed(there))


def test_requests_alone_and_broken_ones(tool, there, word, tmp_path):
    tool("request", "--san", "one.example.test").expect(0)
    tool("request", "--san", "two.example.test").expect(0)
    key = next((tool.root / STORE).glob("one.example.test/requests/*/key.pem"))
    key.write_bytes(next((tool.root / STORE).glob("two.example.test/requests/*/key.pem")).read_bytes())
    archive = tmp_path / "store.p12"
    made = tool("export", "--all", "--passphrase-file", word, "--out", archive).expect(0)
    assert made.problem("key-mismatch")["severity"] == "warning"
    assert made.problem("key-mismatch")["file"] == "/" + str(key.parent.relative_to(tool.root))
    there("import", "--archive", archive, "--passphrase-file", word).expect(0)
    assert sorted(path.split("/")[0] for path in requests(there.root)) == ["two.example.test"] * 2


def test_others_read_the_archive(full, word, tmp_path):
    archive = archive_of(full, word, tmp_path / "store.p12")
    text = subprocess.run(["openssl", "pkcs12", "-in", archive, "-passin", f"file:{word}", "-nodes"],
                          capture_output=True, check=True, text=True).stdout
    assert text.count("BEGIN PRIVATE KEY") == 5
    assert text.count("friendlyName: wildcard.example.test") == 3  # key, leaf, issuer


def test_what_is_newer_here_is_replaced_and_comes_back(full, there, ca, word, tmp_path):
    newer = ca.leaf("www.example.test", again=1)
    there("import", "--fullchain", newer.fullchain, "--key", newer.key).expect(0)
    before = material(there.root)
    archive = archive_of(full, word, tmp_path / "store.p12")
    there("import", "--archive", archive, "--passphrase-file", word).expect(0)
    assert listed(there) == listed(full)
    there("rollback", there("history").json["history"][0]["id"]).expect(0)
    assert material(there.root) == before


def test_archives_that_are_refused(full, there, ca, word, tmp_path):
    archive = archive_of(full, word, tmp_path / "store.p12")
    wrong = tmp_path / "wrong"
    wrong.write_text("other\n")
    there("import", "--archive", archive, "--passphrase-file", wrong).expect(REFUSED, "wrong-passphrase")
    there("import", "--archive", archive).expect(REFUSED, "key-encrypted")
    damaged = tmp_path / "damaged.p12"
    damaged.write_bytes(archive.read_bytes()[:-700] + bytes(700))
    there("import", "--archive", damaged, "--passphrase-file", word).expect(REFUSED)
    one = tmp_path / "one.p12"
    full("export", "own.example.test", "--passphrase-file", word, "--out", one).expect(0)
    there("import", "--archive", one, "--passphrase-file", word).expect(REFUSED, "not-understood")
    there("import", "--archive", word).expect(REFUSED, "not-understood")
    there("import", "--archive", archive, "--name", "x", "--passphrase-file", word).expect(USAGE)
    full("export", "--all", "www.example.test").expect(USAGE)
    full("export", "--all", "--format", "pem").expect(USAGE)
    there("export", "--all", "--passphrase-file", word).expect(REFUSED, "unknown-name")
    assert not (there.root / STORE).exists()


@pytest.mark.parametrize("what", ["own.example.test", "--all"])
def test_a_passphrase_is_not_cut_at_a_nul(full, tmp_path, what):
    """A file of a text editor in UTF-16 begins with one letter and a NUL."""
    (tmp_path / "wide").write_bytes("C4nary\n".encode("utf-16-le"))
    full("export", what, "--passphrase-file", tmp_path / "wide", "--out", tmp_path / "out").expect(
        REFUSED, "wrong-passphrase")
    assert not (tmp_path / "out").exists()


def test_two_key_types_are_one_export(full, word, tmp_path):
    """One file has both; it was the first alone, and an error for the second."""
    bundle = tmp_path / "www.p12"
    made = full("export", "www.example.test", "--passphrase-file", word, "--out", bundle).expect(0)
    assert [output["name"] for output in made.json["outputs"]] == ["pkcs12"]
    text = subprocess.run(["openssl", "pkcs12", "-in", bundle, "-passin", f"file:{word}", "-nodes"],
                          capture_output=True, check=True, text=True).stdout
    assert text.count("BEGIN PRIVATE KEY") == 2 and text.count("BEGIN CERTIFICATE") == 3
    assert {line.split(": ")[1] for line in text.splitlines() if "friendlyName" in line} == {
        "www.example.test", "www.example.test-rsa"}
    pem = tmp_path / "www.pem"
    full("export", "www.example.test", "--format", "pem", "--out", pem).expect(0)
    assert pem.read_text().count("BEGIN PRIVATE KEY") == 2 and pem.stat().st_mode & 0o077 == 0
    for given in (["--pkcs12", bundle, "--passphrase-file", word], ["--cert", pem]):
        assert full("import", *given, "--name", "www.example.test").expect(0).files == {}


def test_a_passphrase_in_json(full, tmp_path):
    """A panel hands it over with the request: no file holds it."""
    bundle = tmp_path / "own.p12"
    request = {"command": "export", "name": "own.example.test", "passphrase": WORD, "out": str(bundle)}
    full("-", stdin=json.dumps(request)).expect(0)
    text = subprocess.run(["openssl", "pkcs12", "-in", bundle, "-passin", f"pass:{WORD}", "-nodes"],
                          capture_output=True, check=True).stdout
    assert b"BEGIN PRIVATE KEY" in text and bundle.stat().st_mode & 0o077 == 0
    del request["out"]
    full("-", stdin=json.dumps(request)).expect(USAGE, "usage")
    full("export", "own.example.test", "--format", "key").expect(USAGE, "usage")
    assert full("export", "own.example.test", "--format", "cert").expect(0).json["outputs"][0]["text"]
    key, csr = tmp_path / "new.key", tmp_path / "new.csr"
    request = {"command": "request", "san": "new.example.test", "out_key": str(key), "out_csr": str(csr)}
    made = full("-", stdin=json.dumps(request)).expect(0)
    assert [output["file"] for output in made.json["outputs"]] == [str(key), str(csr)]
    assert "PRIVATE KEY" in key.read_text() and not (full.root / STORE / "new.example.test").exists()


@pytest.mark.skipif(shutil.which("keytool") is None, reason="keytool is not installed")
@pytest.mark.parametrize("form", ["pkcs12", "pkcs12-legacy"])
def test_java_reads_an_export(full, tmp_path, form):
    word, bundle = tmp_path / "plain", tmp_path / "www.p12"
    word.write_text("sesame\n")
    full("export", "wildcard.example.test", "--format", form, "--passphrase-file", word, "--out", bundle).expect(0)
    said = subprocess.run(["keytool", "-list", "-v", "-keystore", bundle, "-storetype", "PKCS12", "-storepass", "sesame"],
                          capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    assert "Alias name: wildcard.example.test" in said and "Entry type: PrivateKeyEntry" in said
    assert "Certificate chain length: 2" in said
