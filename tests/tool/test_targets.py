# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a target given on the command line means, on a tree with all three servers: list shows what deploy takes."""

import re
import shutil

import pytest

from test_hostile import DOVECOT, material, root  # noqa: F401


def chosen(run):
    return sorted((e["protocol"], e["name"] or "default") for e in run.endpoints)


@pytest.fixture
def plan(tool, root, leaf):  # noqa: F811
    return lambda *args: tool("plan", "--fullchain", leaf.fullchain, "--key", leaf.key, *args)


@pytest.mark.parametrize("pattern", [r"~\.example\.test$", "~^WWW", "~example", r"~^www\.example\.test$"])
def test_a_pattern_is_found_anywhere_in_a_name(tool, plan, pattern):
    """What the pattern does not bind is free; and a default is none of the names that it only bears."""
    expected = [("https", "www.example.test"), ("smtp", "default")]
    assert chosen(tool("list", "--hostname", pattern).expect(0)) == expected
    planned = plan("--hostname", pattern).expect(0)
    assert [e for e in chosen(planned) if e in expected] == expected
    assert planned.states == {"apache": "planned", "postfix": "planned", "dovecot": "unchanged"}


@pytest.mark.parametrize("pattern", [r"~^example", r"~\.test\.$", "~^$"])
def test_a_pattern_that_meets_nothing(tool, plan, pattern):
    tool("list", "--hostname", pattern).expect(6, "no-endpoint")
    plan("--hostname", pattern).expect(6, "no-endpoint")


def test_no_pattern(tool, plan):
    for run in (tool("list", "--hostname", "~("), plan("--hostname", "~(")):
        assert run.expect(2).problem("usage")["message"] == '"(" is not a usable pattern'


def test_what_is_true_of_a_whole_batch_is_told_once(tool, root, pki, tmp_path):  # noqa: F811
    """For people; in JSON each object has its own."""
    authority = pki.root().authority("Example CA 1")
    for number in range(4):
        leaf = authority.leaf(f"n{number}.example.test")  # noqa: F811
        place = tmp_path / "issued" / f"n{number}"
        place.mkdir(parents=True)
        (place / "privkey.pem").write_bytes(leaf.key.read_bytes())
        (place / "fullchain.pem").write_text(leaf.fullchain.read_text() + pki.root().cert.read_text())
    asked = ("deploy", "--batch-dir", tmp_path / "issued", "--install-only", "--dry-run")
    told = tool.text(*asked)
    assert told.status == 0 and told.err.count("[chain-root]") == 1, told
    assert "  The same in 3 other places (-v shows them)\n" in told.err
    assert tool.text("-v", *asked).err.count("[chain-root]") == 4
    found = [p for p in tool(*asked).expect(0).problems if p["code"] == "chain-root"]
    assert [p["order"] for p in found] == [1, 2, 3, 4]


def test_what_both_readings_of_a_configuration_find_is_told_once(plan, root):  # noqa: F811
    """A plan reads the edited configuration again, in which the same is noteworthy."""
    (root / "etc/postfix/main.cf").write_text(
        "myhostname = www.example.test\nsmtpd_tls_security_level = may\n"
        "smtpd_tls_cert_file = /etc/old/cert.pem\nsmtpd_tls_key_file = /etc/old/key.pem\n"
        "smtp_tls_cert_file = /$unknown/cert.pem\n")
    run = plan("--default").expect(0)
    assert "planned" in run.states.values()
    told = [(p["code"], p["message"], p["file"], p["line"]) for p in run.problems]
    assert any(code == "config-not-understood" for code, *_ in told) and len(told) == len(set(told)), run


@pytest.mark.parametrize("how", ["--all", "--default", "--install-only", "--no-remember"])
def test_a_plan_lists_the_files_that_a_deployment_lists(tool, root, material, how):  # noqa: F811
    def listed(command):
        run = tool(command, *material, how, "--accept", "name-mismatch").expect(0)
        return {(re.sub(r"\d{8}T\d{6}Z", "", f["path"]), f["change"], f["service"]) for f in run.json["files"]}

    planned = listed("plan")
    assert planned and listed("deploy") == planned


def test_nothing_is_said_of_a_reload_where_there_is_none(plan):
    """A tree has no server whose sessions could end."""
    run = plan("--default", "--service", "dovecot").expect(0)
    assert run.states["dovecot"] == "planned" and "sessions-end" not in run.codes


NO_NAMES = ("www.example.test:443", "https://www.example.test/", "www..example.test", "-www.example.test", "a b")


@pytest.mark.parametrize("command", ["check", "tlsa", "plan", "list", "verify", "doctor", "expiry", "store adopt"])
def test_what_is_no_host_name_is_told_so_by_every_command(tool, root, leaf, command):  # noqa: F811
    given = ("--fullchain", leaf.fullchain, "--key", leaf.key) if command in ("check", "tlsa", "plan") else ()
    for name in NO_NAMES:
        run = tool(*command.split(), *given, "--hostname", name).expect(2)
        assert [p["message"] for p in run.problems if p["code"] == "usage"] == [f'"{name}" is not a host name'], run
        assert not run.json["changed"]


@pytest.mark.parametrize("command", ["check", "tlsa"])
def test_a_certificate_alone_has_no_names_to_look_a_pattern_up_in(tool, leaf, command):
    given = ("--fullchain", leaf.fullchain, "--key", leaf.key)
    assert tool(command, *given, "--hostname", "~example").expect(2).codes.count("usage") == 1


def test_an_address_is_a_name_that_a_certificate_can_have(tool, root):  # noqa: F811
    tool("request", "--self-signed", "--san", "www.example.test", "--san", "2001:db8::1", "--name", "www").expect(0)
    for address in ("2001:db8::1", "[2001:DB8:0::1]"):
        tool("check", "--name", "www", "--hostname", address).expect(0)
        tool("plan", "--name", "www", "--hostname", address, "--service", "apache").expect(6, "no-endpoint")
    tool("check", "--name", "www", "--hostname", "2001:db8::2").expect(6, "name-mismatch")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_no_mail_server_gets_an_entry_for_an_address(tool, root, address):  # noqa: F811
    """No client sends one as the name it asks for: the entry would never be found."""
    tool("request", "--self-signed", "--san", address, "--name", "here").expect(0)
    for command in ("plan", "deploy"):
        refused = tool(command, "--name", "here", "--hostname", address).expect(6)
        assert "--address" in refused.problem("no-endpoint")["message"]
    named = f"local_name {address} {{\n  ssl_cert = </etc/old/cert.pem\n}}\n"
    (root / "etc/dovecot/dovecot.conf").write_text(DOVECOT + named)
    assert tool("plan", "--name", "here", "--hostname", address).expect(0).states["dovecot"] == "planned"


def test_a_host_that_is_the_default_too_is_told_once(tool, root, pki):  # noqa: F811
    other = pki.root().authority("Example CA 1").leaf("other.example.test")
    run = tool("plan", "--fullchain", other.fullchain, "--key", other.key, "--all", "--service", "apache").expect(6)
    assert [p["severity"] for p in run.problems if p["code"] == "name-mismatch"] == ["error"], run


def test_doctor_names_a_host_that_is_the_default_too_once(tool, root):  # noqa: F811
    run = tool("doctor", "--service", "apache").expect(8)
    assert [p["severity"] for p in run.problems if p["code"] == "name-mismatch"] == ["error"], run


def test_the_remedy_of_a_path_fits_its_form(plan):
    run = plan("--install-only", "--install-cert", "/etc/x/../y.pem", "--install-key", "/etc/y.key").expect(6)
    assert '".."' in run.problem("unsafe-path")["message"] and '".."' in run.problem("unsafe-path")["fix"]


def test_what_was_not_given_is_asked_for_alike(tool, root):  # noqa: F811
    """A request that lacks its material makes no sense; material that is none is refused."""
    for args in (["import"], ["check"], ["plan"], ["deploy"], ["tlsa"], ["export"], ["request"]):
        tool(*args).expect(2, "usage")
    assert "--san" in tool("request").problem("usage")["message"]


def test_a_file_that_is_not_there_is_told_with_its_remedy(tool, leaf, tmp_path):
    missing = tmp_path / "none"
    for args in (["--cert", missing], ["--cert", leaf.cert, "--passphrase-file", missing]):
        run = tool("check", *args).expect(1)
        assert run.problem("not-found")["fix"] == "Check the path." and not run.json["changed"]


def test_a_place_without_a_certificate_is_no_deployment_of_what_is_remembered(tool, root, leaf):  # noqa: F811
    given = ("--fullchain", leaf.fullchain, "--key", leaf.key)
    tool("deploy", *given, "--hostname", "www.example.test", "--service", "apache").expect(0)
    assert not tool("deploy").expect(0).json["changed"]
    assert not tool("deploy", "--service", "apache").expect(0).json["changed"]
    for place in (["--hostname", "none.example.test"], ["--default"], ["--all"], ["--address", "192.0.2.1"],
                  ["--listener", "*:443"], ["--install-cert", "/x.pem"], ["--permissions", "key=:root:0600"]):
        assert "no certificate" in tool("deploy", *place).expect(2).problem("usage")["message"], place


def deployed(tool):
    """{protocol: the deployments whose certificates it has}"""
    home = "/etc/ssl/certdeploy/"
    found = {}
    for e in tool("list").expect(0).endpoints:
        if (e.get("certificate") or "").startswith(home):
            found.setdefault(e["protocol"], set()).add(e["certificate"][len(home):].split("/")[0])
    return found


@pytest.mark.parametrize("renew", ["all", "one"])
def test_what_another_deployment_took_over_stays_its(tool, root, leaf, pki, renew):  # noqa: F811
    """Neither a run over all that is remembered nor a renewal of the one before takes it back; naming it does."""
    def given(leaf):  # noqa: F811
        return "--fullchain", leaf.fullchain, "--key", leaf.key

    other = pki.root().authority("Example CA 2").leaf("www.example.test")
    tool("deploy", *given(leaf), "--name", "a", "--hostname", "www.example.test").expect(0)
    tool("deploy", *given(other), "--name", "b", "--hostname", "www.example.test").expect(0)
    before = deployed(tool)
    assert before["https"] == {"b"}
    again = tool("deploy", *(() if renew == "all" else (*given(other), "--name", "a"))).expect(0)
    assert deployed(tool) == before
    assert "b" in again.problem("keeps-own")["message"] and again.problem("keeps-own")["severity"] == "notice"
    assert "configured-other" not in tool("verify").codes
    tool("deploy", "--name", "a").expect(0)
    assert deployed(tool)["https"] == {"a"}


@pytest.mark.parametrize("name", [".old", "WWW", "www_old"])
def test_a_directory_that_cannot_be_a_name_is_no_other_deployment(tool, root, leaf, name):  # noqa: F811
    """Whatever lies where the record of such a name would be: what is served from there goes to the one at hand."""
    tool("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--name", "a", "--hostname", "www.example.test",
         "--service", "apache").expect(0)
    store, records = root / "etc/ssl/certdeploy", root / "var/lib/certdeploy/deployments"
    shutil.copytree(store / "a", store / name, symlinks=True)
    (site,) = (path for path in (root / "etc/apache2").rglob("*") if path.is_file()
               and "/etc/ssl/certdeploy/a/" in path.read_text())
    site.write_text(site.read_text().replace("/etc/ssl/certdeploy/a/", f"/etc/ssl/certdeploy/{name}/"))
    shutil.copy(records / "a.json", records / f"{name}.json")
    assert deployed(tool)["https"] == {name}
    assert "keeps-own" not in tool("deploy", "--name", "a", "--fullchain", leaf.fullchain, "--key", leaf.key).codes
    assert deployed(tool)["https"] == {"a"}


def test_a_deployment_for_all_leaves_what_went_to_one(tool, root, leaf, pki):  # noqa: F811
    other = pki.root().authority("Example CA 2").leaf("www.example.test")
    tool("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--name", "a", "--all", "--accept",
         "name-mismatch").expect(0)
    tool("deploy", "--fullchain", other.fullchain, "--key", other.key, "--name", "b", "--service", "apache",
         "--hostname", "www.example.test").expect(0)
    before = deployed(tool)
    assert before["https"] == {"b"} and before["smtp"] == {"a"}
    run = tool("deploy", "--accept", "name-mismatch").expect(0)
    assert not run.json["changed"] and "keeps-own" not in run.codes
    assert deployed(tool) == before


def test_a_name_without_a_new_one(tool, root):  # noqa: F811
    tool("request", "--self-signed", "--san", "www.example.test", "--name", "www").expect(0)
    assert "--new-name" in tool("store", "rename", "www").expect(2).problem("usage")["message"]


def test_an_instance_of_debian_calls_its_files_by_where_it_lies(tool, tmp_path):
    """apache2ctl-two hands APACHE_CONFDIR to its envvars: without it they would be those of the first instance."""
    place = tool.root / "etc/apache2-two"
    place.mkdir(parents=True)
    (place / "envvars").write_text(
        'if [ "${APACHE_CONFDIR##/etc/apache2-}" != "${APACHE_CONFDIR}" ] ; then\n'
        'SUFFIX="-${APACHE_CONFDIR##/etc/apache2-}"\nelse\nSUFFIX=\nfi\nexport APACHE_RUN_DIR=/run/apache2$SUFFIX\n')
    (place / "apache2.conf").write_text(
        "Listen 443\n<VirtualHost *:443>\nServerName www.example.test\nSSLEngine on\n"
        "SSLCertificateFile ${APACHE_RUN_DIR}/www.pem\nSSLCertificateKeyFile ${APACHE_RUN_DIR}/${APACHE_CONFDIR}.key\n"
        "</VirtualHost>\n")
    conf = tmp_path / "two.conf"
    conf.write_text('services = ( { name = "two"; adapter = "apache"; config = "/etc/apache2-two/apache2.conf";'
                    ' server_root = "/etc/apache2-two"; envvars = "/etc/apache2-two/envvars"; version = "2.4.57";'
                    ' modules = [ "ssl" ]; } );\n')
    found = {(e["certificate"], e["key"]) for e in tool("-c", conf, "list").expect(0).endpoints}
    assert found == {("/run/apache2-two/www.pem", "/run/apache2-two/${APACHE_CONFDIR}.key")}


def test_a_second_pair_without_a_first(plan, root, leaf):  # noqa: F811
    """Dovecot would not start with that, and needs not be understood further than to its line."""
    shutil.copy(leaf.fullchain, root / "etc/old/alt.pem")
    (root / "etc/dovecot/dovecot.conf").write_text("protocols = imap\nssl_alt_cert = </etc/old/alt.pem\n")
    run = plan("--service", "dovecot", "--default").expect(6, "other-key-type")
    assert run.problem("other-key-type")["line"] == 2
