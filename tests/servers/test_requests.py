# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a request to the port: the key waits in the store, a CA signs, the name finds the key."""

import pytest

from harness import wire
from harness.pki import sha256_of
from harness.process import run
from harness.tool import REFUSED

NAME = "www.example.test"


def sign(ca, csr, out, days=90):
    """As a CA does it: from the request alone."""
    run(
        ["openssl", "x509", "-req", "-in", csr, "-CA", ca.cert, "-CAkey", ca.key, "-days", str(days)]
        + ["-copy_extensions", "copyall", "-out", out]
    )
    return sha256_of(out.read_text())


@pytest.mark.needs("apache")
def test_request_sign_deploy_move(host, ca, tmp_path):
    web = host.apache()
    web.add_site(NAME)
    host.start()
    csr, issued = tmp_path / "www.csr", tmp_path / "www.pem"
    made = host.tool("request", "--san", NAME, "--key-type", "ec:p256").expect(0)
    csr.write_text(made.json["outputs"][1]["text"])
    run(["openssl", "req", "-in", csr, "-verify", "-noout"])
    sha256 = sign(ca, csr, issued)

    # The certificate without its key: the name has it, another name does not.
    host.tool("deploy", "--cert", issued, "--chain", ca.cert, "--name", "other", "--hostname", NAME).expect(
        REFUSED, "key-missing"
    )
    host.tool("deploy", "--cert", issued, "--chain", ca.cert, "--name", NAME, "--hostname", NAME).expect(0)
    assert wire.served(web.port, sni=NAME) == sha256

    # To another server and back: the same certificate, read by openssl on the way.
    word, bundle = tmp_path / "word", tmp_path / "www.p12"
    word.write_text("sesame\n")
    host.tool("export", NAME, "--passphrase-file", word, "--out", bundle).expect(0)
    assert bundle.stat().st_mode & 0o777 == 0o600
    run(["openssl", "pkcs12", "-in", bundle, "-passin", "pass:sesame", "-noout"])
    host.tool("import", "--pkcs12", bundle, "--passphrase-file", word, "--name", "copy").expect(0)
    copies = {c["name"]: c["sha256"] for c in host.tool("expiry").json["certificates"]}
    assert copies["copy"] == copies[NAME] == sha256

    # A renewal with the same key: TLSA records 3 1 1 stay.
    again = host.tool("request", "--san", NAME, "--name", NAME, "--reuse-key").expect(0)
    csr.write_text(again.json["outputs"][1]["text"])
    renewed = sign(ca, csr, issued, days=120)
    before = host.tool("tlsa", NAME).json["outputs"][0]["text"]
    host.tool("deploy", "--cert", issued, "--chain", ca.cert, "--name", NAME).expect(0, "key-reused")
    assert wire.served(web.port, sni=NAME) == renewed
    after = host.tool("tlsa", NAME).json["outputs"][0]["text"]
    assert {r for r in before.splitlines() if " 3 1 1 " in r} == {r for r in after.splitlines() if " 3 1 1 " in r}
    host.tool("verify").expect(0)
