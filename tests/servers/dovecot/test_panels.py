# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a panel makes for Dovecot is left to it, and the panel's own command for mail is named."""

import pytest

from harness import tree
from harness.scene import material
from harness.tool import OK, REFUSED, Tool

PAIR = "ssl_cert = </old.pem\nssl_key = </old.key\n"
PLACES = {
    "Plesk": ("conf.d/11-plesk-security-ssl.conf", "plesk bin mailserver"),
    "Hestia": ("conf.d/domains/a.test.conf", "v-add-mail-domain-ssl"),
}


@pytest.mark.parametrize("panel", PLACES)
def test_a_place(panel, ca, tmp_path):
    name, command = PLACES[panel]
    home = tmp_path / "etc/dovecot"
    path = home / name
    path.parent.mkdir(parents=True)
    (home / "dovecot.conf").write_text(f"protocols = imap\n!include {name}\n")
    path.write_text(PAIR)
    before, tool, argv = tree.snapshot(tmp_path), Tool(root=tmp_path), material(ca.leaf("a.test"))
    for target in ("--default", "--all"):
        done = tool("deploy", *argv, target).expect(REFUSED, "managed-elsewhere")
        assert command in done.problem("managed-elsewhere")["message"]
    assert tree.diff(before, tree.snapshot(tmp_path), tree.UNTOUCHED) == []
    tool("deploy", *argv, "--default", "--accept", "managed-elsewhere").expect(OK)
    assert "certdeploy/a.test/current/" in path.read_text()
