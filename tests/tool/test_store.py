# SPDX-License-Identifier: LGPL-2.1-or-later
"""The names of the store, and whom its files belong to, on a tree with an Apache's configuration."""

import fcntl
import json
import os
import resource
import shutil
import stat
import struct
import subprocess

import pytest

from harness.process import CLEAN
from harness.tool import LOCKED, REFUSED, USAGE, Tool

NAME = "www.example.test"
STORE = "etc/ssl/certdeploy"
CONF = """ServerRoot "/etc/apache2"
Listen 443
LoadModule ssl_module modules/mod_ssl.so
Define FILES /etc/apache2/pair
<VirtualHost *:443>
ServerName www.example.test
SSLEngine on
SSLCertificateFile ${FILES}/www.pem
SSLCertificateKeyFile ${FILES}/www.key
</VirtualHost>
<VirtualHost *:443>
ServerName blog.example.test
SSLEngine on
SSLCertificateFile /etc/apache2/pair/blog.pem
SSLCertificateKeyFile /etc/apache2/pair/blog.key
</VirtualHost>
"""


@pytest.fixture
def ca(pki):
    return pki.root().authority("Example CA 1")


@pytest.fixture
def host(tool, ca, tmp_path):
    """The tool on a tree with an Apache of two sites."""
    pair = tool.root / "etc/apache2/pair"
    pair.mkdir(parents=True)
    (tool.root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\ncourier:x:4711:4712::/:/bin/false\n")
    (tool.root / "etc/group").write_text("root:x:0:\nssl-cert:x:4713:\n")
    (tool.root / "etc/apache2/apache2.conf").write_text(CONF)
    for name in ("www", "blog"):
        leaf = ca.leaf(f"{name}.example.test")
        shutil.copy(leaf.fullchain, pair / f"{name}.pem")
        shutil.copy(leaf.key, pair / f"{name}.key")
    conf = tmp_path / "certdeploy.conf"
    conf.write_text('services = ( { name = "apache"; config = "/etc/apache2/apache2.conf";'
                    ' server_root = "/etc/apache2"; version = "2.4.57"; modules = [ "ssl" ]; } );\n')
    return Tool(config=conf, root=tool.root)


def tree(directory):
    """Every path below: what it is and holds."""
    found = {}
    for place in sorted(directory.rglob("*")):
        mode = place.lstat().st_mode
        held = os.readlink(place) if place.is_symlink() else place.read_bytes() if place.is_file() else None
        found[str(place.relative_to(directory))] = (stat.S_IFMT(mode), held)
    return found


def names(tool):
    return [c["name"] for c in tool("store", "list").expect(0).json["certificates"]]


def test_a_damaged_file_of_another_key_type_is_left_behind(tool, ca):
    """It says nothing that could be carried over; the new pair takes its place."""
    for kind in ("ec", "rsa"):
        leaf = ca.leaf(NAME, key=kind)
        tool("import", "--fullchain", leaf.fullchain, "--key", leaf.key).expect(0)
    damaged = tool.root / STORE / NAME / "current/cert-rsa.pem"
    damaged.write_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    new = ca.leaf(NAME, again=2)
    tool("import", "--fullchain", new.fullchain, "--key", new.key).expect(0)
    assert not (tool.root / STORE / NAME / "current/cert-rsa.pem").exists()


# ---- names


def test_names_are_listed(host, ca, schema):
    assert names(host) == []
    old, new = ca.leaf(NAME), ca.leaf(NAME, key="rsa", again=1)
    for leaf in (old, new):
        host("import", "--fullchain", leaf.fullchain, "--key", leaf.key).expect(0)
    host("request", "--san", NAME).expect(0)
    host("request", "--san", "later.example.test").expect(0)
    listed = host("store", "list").expect(0)
    schema(listed.json)
    assert listed.json["command"] == "store" and listed.json["action"] == "list"
    later, *rest = listed.json["certificates"]
    assert (later["name"], later["sha256"], later["generations"], later["waiting"]) == ("later.example.test", None, 0, 1)
    assert {c["sha256"] for c in rest} == {old.sha256, new.sha256} and {c["name"] for c in rest} == {NAME}
    assert {(c["generations"], c["waiting"]) for c in rest} == {(2, 1)}
    assert rest[0]["generation"] == os.readlink(host.root / STORE / NAME / "current")


def test_a_certificate_in_use_stays(host, ca, schema):
    leaf = ca.leaf(NAME)
    host("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--hostname", NAME).expect(0)
    before = tree(host.root)
    for argv in (["remove", NAME], ["rename", NAME, "other.example.test"]):
        found = host("store", *argv).expect(REFUSED, "in-use")
        schema(found.json)
        assert found.problem("in-use")["file"] == "/etc/apache2/apache2.conf" and found.problem("in-use")["line"] == 8
    assert tree(host.root) == before

    # In a part that is not in force, and through a link of the site's own.
    conf = host.root / "etc/apache2/apache2.conf"
    conf.write_text(CONF + f"<IfDefine later>\nSSLCertificateFile /{STORE}/{NAME}/current/fullchain.pem\n</IfDefine>\n")
    assert host("store", "remove", NAME).expect(REFUSED, "in-use").problem("in-use")["line"] == 18
    conf.write_text(CONF)
    www = host.root / "etc/apache2/pair/www.pem"
    www.unlink()
    www.symlink_to(f"/{STORE}/{NAME}/current/fullchain.pem")
    host("store", "remove", NAME).expect(REFUSED, "in-use")
    www.unlink()
    shutil.copy(leaf.fullchain, www)
    conf.write_text(CONF + f"#SSLCertificateFile /{STORE}/{NAME}/current/fullchain.pem\n")
    host("store", "remove", NAME).expect(0)
    assert names(host) == [] and not (host.root / STORE / NAME).exists()


def acl(*entries):
    """system.posix_acl_access of (tag, permissions, id): 1 owner, 2 user, 4 group, 16 mask, 32 others."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_who_may_read_a_key_may_read_the_next_one(tool, ca):
    """By an access control list; the group, which the list keeps out, does not get in by the mode."""
    only_him = acl((1, 6, 0xFFFFFFFF), (2, 4, 65534), (4, 0, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF))
    key = tool.root / STORE / NAME / "current/key.pem"
    for number in range(3):
        leaf = ca.leaf(NAME, again=number)
        rule = ["--permissions", "key=::0640"] if number == 2 else []
        tool("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--name", NAME, "--install-only", *rule).expect(0)
        if number == 0:
            try:
                os.setxattr(key, "system.posix_acl_access", only_him)
            except OSError as e:
                pytest.skip(f"no access control lists here: {e}")
        has = "system.posix_acl_access" in os.listxattr(key)
        assert has == (number < 2), "what is said of the mode is all that holds"
        assert not has or os.getxattr(key, "system.posix_acl_access") == only_him
        assert key.stat().st_mode & 0o777 == 0o640
    assert "system.posix_acl_access" not in os.listxattr(key.with_name("combined.pem"))


def test_a_configuration_keeps_its_lists_and_attributes(host, ca):
    """On the way there and on the way back, with its owner, mode and time."""
    conf = host.root / "etc/apache2/apache2.conf"
    leaf = ca.leaf(NAME)
    try:
        os.setxattr(conf, "system.posix_acl_access",
                    acl((1, 6, 0xFFFFFFFF), (2, 6, 65534), (4, 4, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)))
        os.setxattr(conf, "user.note", b"kept")
    except OSError as e:
        pytest.skip(f"no access control lists or attributes here: {e}")
    os.utime(conf, ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))

    def attributes():
        return conf.stat().st_mode, conf.stat().st_uid, conf.stat().st_gid, {n: os.getxattr(conf, n) for n in os.listxattr(conf)}

    before, bytes_before, time = attributes(), conf.read_bytes(), conf.stat().st_mtime_ns
    host("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--hostname", NAME).expect(0)
    assert conf.read_bytes() != bytes_before and attributes() == before
    host("rollback", "--file", "/etc/apache2/apache2.conf").expect(0)
    assert (conf.read_bytes(), attributes(), conf.stat().st_mtime_ns) == (bytes_before, before, time)


def test_a_name_removed_and_put_back(host, ca):
    leaf = ca.leaf(NAME)
    host("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--hostname", NAME).expect(0)
    host("request", "--san", NAME).expect(0)
    (host.root / "etc/apache2/apache2.conf").write_text(CONF)
    remembered = host.root / f"var/lib/certdeploy/deployments/{NAME}.json"
    before = tree(host.root / STORE)
    assert remembered.exists()
    host("store", "remove", NAME).expect(0)
    assert tree(host.root / STORE) == {} and not remembered.exists()
    host("rollback").expect(0)
    assert tree(host.root / STORE) == before and remembered.exists()
    host("store", "remove", "none.example.test").expect(REFUSED, "unknown-name")
    host("store", "remove", "../../etc").expect(REFUSED, "unknown-name")
    host("store", "remove").expect(USAGE)


@pytest.mark.parametrize(
    "damage",
    ["[]", "{}", "null", '{"schema": "certdeploy-deployment/2"}', {"hostname": NAME}, {"hostname": [1]},
     {"address": None}, {"listener": {}}, {"service": [["apache"]]}, {"default": "no"}, {"all": 1}, {"source": {}}],
)  # fmt: skip
def test_a_damaged_target_is_not_taken_for_a_wider_one(host, ca, damage):
    leaf = ca.leaf(NAME, "blog.example.test")
    host("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--hostname", NAME).expect(0)
    remembered = host.root / f"var/lib/certdeploy/deployments/{NAME}.json"
    whole = json.loads(remembered.read_text())
    remembered.write_text(damage if isinstance(damage, str) else json.dumps({**whole, **damage}))
    before = tree(host.root / "etc")
    for command in (["deploy"], ["deploy", "--name", NAME]):
        refused = host(*command).expect(REFUSED, "not-understood")
        assert refused.problem("not-understood")["file"].endswith(f"/deployments/{NAME}.json")
    assert tree(host.root / "etc") == before
    # a new target takes its place
    again = host("deploy", "--name", NAME, "--hostname", NAME)
    again.expect(0)
    assert json.loads(remembered.read_text()) == whole


def test_old_backups_are_removed(tool, ca):
    for number in range(2):
        leaf = ca.leaf(NAME, again=number)
        tool("import", "--fullchain", leaf.fullchain, "--key", leaf.key, "--name", NAME).expect(0)
    assert not tool("prune", "--keep", "2").expect(0).json["changed"]
    assert tool("prune", "--keep", "1").expect(0).json["changed"]
    assert len(tool("history").expect(0).json["history"]) == 1


def test_a_run_without_a_record_has_no_number(host, ca):
    """Where the disk refuses the first write, nothing is in the history that could be shown or put back."""
    leaf = ca.leaf(NAME)
    host("import", "--fullchain", leaf.fullchain, "--key", leaf.key, "--name", NAME).expect(0)
    argv, env = host.argv("deploy", "--name", NAME, "--hostname", NAME)
    done = subprocess.run(argv, env={**CLEAN, **env}, capture_output=True, stdin=subprocess.DEVNULL,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
    said = json.loads(done.stdout)
    assert done.returncode == 1 and "io-error" in {p["code"] for p in said["problems"]}, said
    assert not said["changed"] and said["transaction"] is None
    assert len(host("history").expect(0).json["history"]) == 1


def test_runs_at_once_take_turns(host, ca):
    """Whoever planned for what another run has changed since starts over; without time to wait it is refused."""
    leaves = [ca.leaf(NAME, again=number) for number in range(6)]
    host("import", "--fullchain", leaves[0].fullchain, "--key", leaves[0].key, "--name", NAME).expect(0)

    def at_once(*command):
        runs = [host.start(*command, "--name", NAME, "--fullchain", leaf.fullchain, "--key", leaf.key)
                for leaf in leaves]
        return [run.wait(60) for run in runs]

    assert at_once("deploy", "--hostname", NAME) == [0] * 6
    assert at_once("import", "--accept", "key-reused") == [0] * 6
    assert set(at_once("deploy", "--hostname", NAME, "--wait", "0")) <= {0, REFUSED, LOCKED}
    served = host("list").expect(0).endpoints
    assert {e["certificate"] for e in served if e["name"] == NAME} == {f"/{STORE}/{NAME}/current/fullchain.pem"}
    assert not (host.root / "var/lib/certdeploy/journal").exists()


def test_nothing_is_said_of_what_another_run_may_put_back(host, ca):
    """Its files are in place and its end is open: whoever finds nothing to do then has not seen the end."""
    leaf = ca.leaf(NAME)
    given = "--fullchain", leaf.fullchain, "--key", leaf.key
    host("deploy", *given, "--hostname", NAME).expect(0)
    with open(host.root / "var/lib/certdeploy/lock", "r+") as lock:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        for command in (["deploy", *given, "--hostname", NAME], ["deploy"], ["deploy", "--keep-going"], ["rollback"],
                        ["recover"], ["import", *given]):
            host(*command, "--wait", "0").expect(LOCKED, "locked")
        for command in (["plan"], ["list"], ["history"], ["show"], ["store", "list"]):
            host(*command).expect(0)
    assert not host("deploy", *given, "--hostname", NAME, "--wait", "0").expect(0).json["changed"]


def test_a_name_changed(host, ca):
    leaf = ca.leaf(NAME)
    host("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--hostname", NAME).expect(0)
    host("request", "--san", NAME).expect(0)
    (host.root / "etc/apache2/apache2.conf").write_text(CONF)
    before = tree(host.root / STORE / NAME)
    host("store", "rename", NAME, "../x").expect(USAGE)
    changed = host("store", "rename", NAME, "new.example.test").expect(0)
    assert changed.json["changed"]
    assert tree(host.root / STORE / "new.example.test") == before and not (host.root / STORE / NAME).exists()
    key = host.root / STORE / "new.example.test/current/key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    host("check", "--name", "new.example.test").expect(0)
    # What is remembered goes along: the target is still known.
    host("deploy", "--name", "new.example.test").expect(0)
    assert f"/{STORE}/new.example.test/current/" in (host.root / "etc/apache2/apache2.conf").read_text()
    host("import", "--fullchain", leaf.fullchain, "--key", leaf.key, "--name", NAME).expect(0)
    host("store", "rename", NAME, "new.example.test").expect(REFUSED, "name-taken")
    host("rollback", host("history").json["history"][2]["id"], "--force")
    assert NAME in names(host)


def test_what_a_server_uses_is_adopted(host, ca, pki, schema):
    conf = (host.root / "etc/apache2/apache2.conf").read_bytes()
    adopted = host("store", "adopt", "--hostname", NAME).expect(0)
    schema(adopted.json)
    assert names(host) == [NAME] and adopted.json["certificates"][0]["sha256"] == ca.leaf(NAME).sha256
    assert not host("store", "adopt", "--all", "--name", NAME).expect(REFUSED, "name-taken").json["changed"]
    host("store", "adopt", "--all").expect(0)
    assert names(host) == ["blog.example.test", NAME]
    assert not host("store", "adopt", "--hostname", "~^(www|blog)[.]").expect(0).json["changed"]
    host("store", "adopt", "--hostname", "~^mail").expect(REFUSED, "no-endpoint")
    host("store", "adopt", "--hostname", "~(").expect(2, "usage")
    again = host("store", "adopt", "--all").expect(0)
    assert not again.json["changed"]
    assert (host.root / "etc/apache2/apache2.conf").read_bytes() == conf
    host("store", "adopt", "--hostname", "none.example.test").expect(REFUSED, "no-endpoint")
    # What the store has under the name is not replaced by what a server happens to use.
    old = ca.leaf(NAME, again=3)
    shutil.copy(old.fullchain, host.root / "etc/apache2/pair/www.pem")
    host("store", "adopt", "--hostname", NAME).expect(REFUSED, "key-mismatch")
    shutil.copy(old.key, host.root / "etc/apache2/pair/www.key")
    host("store", "adopt", "--hostname", NAME).expect(REFUSED, "name-taken")
    host("store", "adopt", "--hostname", NAME, "--name", "second.example.test").expect(0)


# ---- owner, group and mode


def permissions(place):
    found = place.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given away: needs root")
def test_files_belong_to_whom_they_are_meant_for(host, ca):
    leaf = ca.leaf(NAME)
    material = ["--fullchain", leaf.fullchain, "--key", leaf.key]
    current = host.root / STORE / NAME / "current"
    host("import", *material, "--permissions", "key=:ssl-cert:0640", "--permissions", "cert=courier").expect(0)
    assert permissions(current / "key.pem") == (0, 4713, 0o640)
    assert permissions(current / "cert.pem") == (4711, 0, 0o644)
    assert permissions(current / "combined.pem") == (0, 0, 0o600)
    assert not host("import", *material).expect(0).json["changed"]
    # The next generation has them as well, and a rule of the settings goes before what was.
    new = ca.leaf(NAME, again=1)
    host("import", "--fullchain", new.fullchain, "--key", new.key).expect(0)
    assert permissions(current / "key.pem") == (0, 4713, 0o640)
    host.config.write_text(host.config.read_text() + 'permissions = [ "key=::0400", "other/key=:courier" ];\n')
    assert host("import", "--fullchain", new.fullchain, "--key", new.key).expect(0).json["changed"]
    assert permissions(current / "key.pem") == (0, 4713, 0o400)
    # Chosen paths: also where something stands.
    target = host.root / "etc/courier"
    target.mkdir()
    paths = ["--install-cert", "/etc/courier/c.pem", "--install-key", "/etc/courier/k.pem", "--install-only"]
    host("deploy", *material, *paths).expect(0)
    assert permissions(target / "k.pem") == (0, 0, 0o400)
    host("deploy", *material, *paths, "--permissions", "key=courier:4712:0440").expect(0)
    assert permissions(target / "k.pem") == (4711, 4712, 0o440)


@pytest.mark.parametrize("rule, status, code", [
    ("key=::0644", REFUSED, "key-exposed"),
    ("combined=::0777", REFUSED, "key-exposed"),
    ("cert=::4755", USAGE, "usage"),
    ("key=nobody-here", REFUSED, "unknown-account"),
    ("key=:nobody-here", REFUSED, "unknown-account"),
    ("key", USAGE, "usage"),
    ("key=", USAGE, "usage"),
    ("key=::", USAGE, "usage"),
    ("key=::abc", USAGE, "usage"),
    ("leaf=root", USAGE, "usage"),
])
def test_rules_that_are_none(host, ca, rule, status, code):
    leaf = ca.leaf(NAME)
    found = host("import", "--fullchain", leaf.fullchain, "--key", leaf.key, "--permissions", rule)
    found.expect(status, code)
    assert not (host.root / STORE / NAME).exists()


# ---- the tree's own files


def test_intermediates_are_those_of_the_tree(tool, ca, tmp_path):
    conf = tmp_path / "chain.conf"
    conf.write_text(f'chain_directory = "{tmp_path}/intermediates";\n')
    (tmp_path / "intermediates").mkdir()
    shutil.copy(ca.cert, tmp_path / "intermediates/ca.pem")
    leaf = ca.leaf(NAME)
    there = Tool(config=conf, root=tool.root)
    there("check", "--cert", leaf.cert, "--key", leaf.key).expect(REFUSED, "chain-incomplete")
    inside = tool.root / str(tmp_path / "intermediates")[1:]
    inside.parent.mkdir(parents=True)
    shutil.copytree(tmp_path / "intermediates", inside)
    there("check", "--cert", leaf.cert, "--key", leaf.key).expect(0, "chain-completed")
