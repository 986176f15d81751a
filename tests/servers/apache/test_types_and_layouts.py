# SPDX-License-Identifier: LGPL-2.1-or-later
"""RSA and ECDSA side by side; trees laid out as other distributions lay them out."""

import pytest
from apache.plain import Plain
from apache.row import Row, Stage, check, check_refused, deploy
from apache.test_lines import B, host_of

from harness import tree, wire
from harness.tool import OK, REFUSED

pytestmark = pytest.mark.needs("apache")

BOTH = (
    "SSLCertificateFile @r.pem\nSSLCertificateKeyFile @r.key\nSSLCertificateFile @e.pem\nSSLCertificateKeyFile @e.key\n"
)


class Dual(Stage):
    """The host a.test with an RSA and an ECDSA certificate of old, r and e, for the same names."""

    def __init__(self, web, pki, ca, row, names=("a.test", "b.test", "*.a.test", "c.test"), days=60):
        super().__init__(web, pki, ca, row)
        self.rsa = pki.root().leaf(*names, key="rsa", not_after=days)
        self.ecdsa = pki.root().leaf(*names, key="ec", not_after=days)
        for label, leaf in (("r", self.rsa), ("e", self.ecdsa)):
            self.tokens[f"@{label}.pem"], self.tokens[f"@{label}.key"] = web.host.install(label, leaf)
            for token, name in ((f"@{label}.both", f"{label}.both"), (f"@{label}.odd", f"{label}.odd\\")):
                self.tokens[token] = web.host.etc / "ssl/private" / name
                self.tokens[token].write_text(leaf.key_pem + leaf.fullchain_pem)
        self.write()
        web.start()

    def served(self):
        return tuple(
            wire.served(self.web.port, sni="a.test", sigalgs=algorithms)
            for algorithms in (wire.RSA_ONLY, wire.ECDSA_ONLY)
        )


def test_the_pair_of_its_own_type_is_replaced(host, pki, ca):
    stage = Dual(Plain(host), pki, ca, Row(host_of(BOTH) + B, key="rsa"))
    assert stage.served() == (stage.rsa.sha256, stage.ecdsa.sha256)
    result = deploy(stage).expect(OK)
    assert stage.served() == (stage.new[0].sha256, stage.ecdsa.sha256)
    assert result.problem("other-key-type")["severity"] == "notice"
    assert deploy(stage).expect(OK).json["changed"] is False


def test_both_types_are_listed_with_what_is_served(host, pki, ca):
    stage = Dual(Plain(host), pki, ca, Row(host_of(BOTH) + B, key="rsa"))
    for run in host.tool("list", "--live").expect(OK), host.tool("expiry").expect(OK):
        own = next(one for one in run.endpoints if one["name"] == "a.test")
        (also,) = own["also"]
        assert (own["key_type"], own["sha256"], own["served_sha256"]) == ("ecdsa", *[stage.ecdsa.sha256] * 2)
        assert (also["key_type"], also["sha256"], also["served_sha256"]) == ("rsa", *[stage.rsa.sha256] * 2)
        assert (own["verified"], also["verified"], own["line"] - also["line"]) == (True, True, 2)
        assert next(one for one in run.endpoints if one["name"] == "b.test")["also"] == []
    told = host.tool.text("list", "--hostname", "a.test").expect(OK).out.splitlines()
    assert [line.rpartition(":")[2] for line in told[1:] if " a.test " in line] == [
        str(own["line"]), str(also["line"])], told


def test_a_last_line_that_ends_in_a_backslash_stays(host, pki, ca):
    """The backslash is part of the name, as long as no newline follows it."""
    before = "SSLCertificateFile @r.both\nSSLCertificateFile @e.odd"
    row = Row(host_of("Include one.inc\n") + B, key="rsa", files={"one.inc": before})
    stage = Dual(Plain(host), pki, ca, row)
    assert stage.served() == (stage.rsa.sha256, stage.ecdsa.sha256)
    deploy(stage).expect(OK)
    after = "SSLCertificateFile @full\nSSLCertificateFile @e.odd \nSSLCertificateKeyFile @key"
    assert (stage.web.home / "one.inc").read_text() == stage.fill(after)
    assert stage.served() == (stage.new[0].sha256, stage.ecdsa.sha256)
    assert deploy(stage).expect(OK).json["changed"] is False
    host.tool("rollback").expect(OK)
    assert (stage.web.home / "one.inc").read_text() == stage.fill(before)


def test_both_are_replaced_when_both_are_given(host, pki, ca):
    stage = Dual(Plain(host), pki, ca, Row(host_of(BOTH) + B, key=("rsa", "ec")))
    deploy(stage).expect(OK)
    assert stage.served() == tuple(leaf.sha256 for leaf in stage.new)


def test_both_are_given_where_there_was_one(host, pki, ca):
    stage = Dual(Plain(host), pki, ca, Row(host_of("@a\n") + B, key=("rsa", "ec")))
    deploy(stage).expect(OK)
    assert stage.served() == tuple(leaf.sha256 for leaf in stage.new)


@pytest.mark.parametrize("how", [{"days": -1}, {"names": ("other.test",)}], ids=["expired", "other names"])
def test_the_other_type_does_not_fit_any_more(host, pki, ca, how):
    row = Row(host_of(BOTH) + B, key="rsa", refused=("other-key-type", "SSLCertificateFile @e.pem"))
    stage = Dual(Plain(host), pki, ca, row, **{"days": 60, **how})
    check_refused(stage)
    deploy(stage, "--drop-other-types").expect(OK)
    assert stage.served() == (stage.new[0].sha256, None)
    text = (stage.web.home / "httpd.conf").read_text()
    assert text.count("SSLCertificateFile") == text.count("SSLCertificateKeyFile") == 2  # its own and b.test's


def test_both_are_inherited_by_all(host, pki, ca):
    """What the main server has is enough, although a host that nothing reaches has a pair of its own."""
    dead = host_of("@c\n", "c.test").replace("*:", "no-such-host.invalid:")
    row = Row("@m\n" + host_of("") + host_of("", "b.test") + dead, key=("rsa", "ec"), target=("--all",))
    stage = Dual(Plain(host), pki, ca, row)
    deploy(stage).expect(OK)
    assert stage.served() == tuple(leaf.sha256 for leaf in stage.new)
    text = stage.web.config.read_text()
    assert text.count("SSLCertificateFile") == 3
    assert deploy(stage).expect(OK).json["changed"] is False


def test_inherited_pairs_in_the_other_order(host, pki, ca):
    """What is written by position must not be hidden by an inherited pair of the same type behind it."""
    swapped = "SSLCertificateFile @e.pem\nSSLCertificateKeyFile @e.key\nSSLCertificateFile @r.pem\nSSLCertificateKeyFile @r.key\n"
    stage = Dual(Plain(host), pki, ca, Row(swapped + host_of("") + host_of("", "c.test"), key="rsa"))
    deploy(stage).expect(OK)
    assert stage.served() == (stage.new[0].sha256, stage.ecdsa.sha256)
    assert wire.served(stage.web.port, sni="c.test", sigalgs=wire.RSA_ONLY) == stage.rsa.sha256


def test_one_chain_file_for_two_types(host, pki, ca):
    row = Row(host_of(BOTH + "SSLCertificateChainFile @m.pem\n") + B, key=("rsa", "ec"))
    stage = Dual(Plain(host), pki, ca, row)
    deploy(stage).expect(OK)
    assert stage.served() == tuple(leaf.sha256 for leaf in stage.new)
    assert "SSLCertificateChainFile" not in (stage.web.home / "httpd.conf").read_text()
    assert len(wire.served_chain(stage.web.port, sni="a.test", sigalgs=wire.RSA_ONLY)) == 2


@pytest.mark.parametrize("below", [BOTH, "", BOTH + "SSLCertificateChainFile @c.pem\n"], ids=["own pairs", "nothing", "a chain"])
def test_one_inherited_chain_file_for_two_types(host, pki, ca, below):
    """It cannot be unset: both types are given the chain that they have in common."""
    row = Row("SSLCertificateChainFile @m.pem\n@m\n" + host_of(below) + B, key=("rsa", "ec"))
    stage = Dual(Plain(host), pki, ca, row)
    b = wire.served_chain(stage.web.port, sni="b.test")
    deploy(stage).expect(OK)
    assert stage.served() == tuple(leaf.sha256 for leaf in stage.new)
    for algorithms in (wire.RSA_ONLY, wire.ECDSA_ONLY):
        chain = wire.served_chain(stage.web.port, sni="a.test", sigalgs=algorithms)
        assert len(chain) == 2 and chain[1] == ca.sha256
    assert wire.served_chain(stage.web.port, sni="b.test") == b
    assert deploy(stage).expect(OK).json["changed"] is False


def test_two_types_of_two_issuers_have_no_chain_in_common(host, pki, ca):
    chain = "SSLCertificateChainFile @m.pem\n"
    row = Row(chain + host_of(BOTH) + B, key=("rsa", "ec"), refused=("config-not-understood", chain))
    stage = Dual(Plain(host), pki, ca, row)
    stage.new[1] = pki.root().authority("Example CA 2").leaf("a.test", "b.test", "*.a.test", "c.test", key="ec")
    check_refused(stage)


RHEL = {
    "httpd.conf": "Include conf.modules.d/*.conf\nIncludeOptional conf.d/*.conf\n",
    "conf.modules.d/00-ssl.conf": "# loaded above\n",
    "conf.d/h1.conf": host_of("SSLCertificateFile «@a.pem|@full»\nSSLCertificateKeyFile «@a.key|@key»\n"),
    "conf.d/ssl.conf": "<VirtualHost _default_:@port>\nSSLEngine on\n@m\n</VirtualHost>\n",
}
SUSE = {
    "httpd.conf": "Include conf.d/*.conf\nIncludeOptional vhosts.d/*.conf\n",
    "conf.d/x.conf": "# nothing\n",
    "vhosts.d/vhost-ssl.conf": "<IfDefine SSL>\n<IfDefine !NOSSL>\n"
    + host_of("SSLCertificateFile «@a.pem|@full»\nSSLCertificateKeyFile «@a.key|@key»\n")
    + "</IfDefine>\n</IfDefine>\n",
    "vhosts.d/vhost-ssl.template": "Nonsense\n",
}


def laid_out(files, **more):
    site = files["httpd.conf"]
    return Row(site, files={k: v for k, v in files.items() if k != "httpd.conf"}, **more)


def test_rhel_first_by_name_is_the_default(host, pki, ca):
    """conf.d/h1.conf sorts before ssl.conf: it, not the stock host, is the default of its port."""
    row = laid_out(RHEL, serves={"a.test": "a", None: "a", "main.test": "m"}, new=("a.test", None))
    check(Plain(host, home="httpd"), pki, ca, row)


def test_suse_hosts_within_ifdefine_ssl(host, pki, ca):
    row = laid_out(SUSE, serves={"a.test": "a", None: "a"}, new=("a.test", None), flags=("-DSSL",))
    check(Plain(host, flags=("-DSSL",)), pki, ca, row)


# of each distribution: configuration, where sites lie, the files it starts its server by, what defines SSL
TREES = {
    "debian": (
        "etc/apache2/apache2.conf",
        "etc/apache2/sites-enabled",
        {"etc/apache2/envvars": "APACHE_CONFDIR=/etc/apache2\nexport SITES=sites-enabled\n"},
        "IncludeOptional ${SITES}/*.conf\n",
    ),
    "rhel": (
        "etc/httpd/conf/httpd.conf",
        "etc/httpd/conf.d",
        {"etc/sysconfig/httpd": 'OPTIONS="-D SSL"\nLANG=C\n', "usr/sbin/httpd": ""},
        'ServerRoot "/etc/httpd"\n<IfDefine SSL>\nIncludeOptional conf.d/*.conf\n</IfDefine>\n',
    ),
    "suse": (
        "etc/apache2/httpd.conf",
        "etc/apache2/vhosts.d",
        {"etc/sysconfig/apache2": 'APACHE_SERVER_FLAGS="SSL"\n', "usr/sbin/httpd-prefork": ""},
        "<IfDefine SSL>\n<IfDefine !NOSSL>\nIncludeOptional /etc/apache2/vhosts.d/*.conf\n</IfDefine>\n</IfDefine>\n",
    ),
    "arch": (
        "etc/httpd/conf/httpd.conf",
        "etc/httpd/conf/extra",
        {"usr/bin/httpd": ""},
        'ServerRoot "/etc/httpd"\n#Include conf/extra/none.conf\nInclude conf/extra/a.conf\n',
    ),
    "alpine": (
        "etc/apache2/httpd.conf",
        "etc/apache2/conf.d",
        {"etc/conf.d/apache2": 'HTTPD="/usr/sbin/httpd"\nHTTPD_OPTS="-D SSL"\n', "usr/sbin/httpd": "", "var/www/x": ""},
        "ServerRoot /var/www\n<IfDefine SSL>\nIncludeOptional /etc/apache2/conf.d/*.conf\n</IfDefine>\n",
    ),
    "gentoo": (
        "etc/apache2/httpd.conf",
        "etc/apache2/vhosts.d",
        {"etc/conf.d/apache2": 'APACHE2_OPTS="-D DEFAULT_VHOST -D INFO -D SSL"\n', "usr/sbin/apache2": ""},
        'ServerRoot "/usr/lib64/apache2"\n<IfDefine SSL>\nLoadModule ssl_module modules/mod_ssl.so\n</IfDefine>\n'
        "<IfModule ssl_module>\nIncludeOptional /etc/apache2/vhosts.d/*.conf\n</IfModule>\n",
    ),
    "freebsd": (
        "usr/local/etc/apache24/httpd.conf",
        "usr/local/etc/apache24/Includes",
        {
            "etc/rc.conf": 'apache24_enable="YES"\napache24_flags="-DSSL"\n',
            "usr/local/etc/apache24/envvars.d/a.env": "export SITES=Includes\n",
        },
        'ServerRoot "/usr/local"\n<IfDefine SSL>\nInclude etc/apache24/${SITES}/*.conf\n</IfDefine>\n',
    ),
    "its own sources": (
        "usr/local/apache2/conf/httpd.conf",
        "usr/local/apache2/conf/extra",
        {"usr/local/apache2/bin/envvars": 'LD_LIBRARY_PATH="/usr/local/apache2/lib:$LD_LIBRARY_PATH"\nexport LD_LIBRARY_PATH\n'},
        "Include conf/extra/*.conf\n",
    ),
    "bitnami": ("opt/bitnami/apache/conf/httpd.conf", "opt/bitnami/apache/conf/vhosts", {}, "IncludeOptional conf/vhosts/*.conf\n"),
    "cwp": ("usr/local/apache/conf/httpd.conf", "usr/local/apache/conf.d", {}, "IncludeOptional conf.d/*.conf\n"),
    "cpanel": ("etc/apache2/conf/httpd.conf", "etc/apache2/conf.d", {}, "IncludeOptional conf.d/*.conf\n"),
    "aapanel": ("www/server/apache/conf/httpd.conf", "www/server/apache/conf/extra", {}, "Include conf/extra/*.conf\n"),
}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_is_found_by_itself(name, ca, tmp_path):
    from harness.scene import material
    from harness.tool import Tool

    config, sites, more, text = TREES[name]
    site = tmp_path / sites / "a.conf"
    files = {config: f"Listen 443\n{text}", **more}
    files[f"{sites}/a.conf"] = (
        "<VirtualHost *:443>\nServerName a.test\nSSLEngine on\nSSLCertificateFile /old.pem\n"
        "SSLCertificateKeyFile /old.key\n</VirtualHost>\n"
    )
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    tool = Tool(root=tmp_path)
    found = tool("discover").expect(OK).json["services"]
    assert [(s["adapter"], s["config"]) for s in found] == [("apache", f"/{config}")]
    before = tree.snapshot(tmp_path)
    leaf = ca.leaf("a.test")
    tool("plan", *material(leaf), "--hostname", "a.test", "--name", "x").expect(OK)
    assert tree.diff(before, tree.snapshot(tmp_path), tree.UNTOUCHED) == []
    tool("deploy", *material(leaf), "--hostname", "a.test", "--name", "x").expect(OK)
    assert "certdeploy/x/current/" in site.read_text() and "/old" not in site.read_text()


HOST = (
    "<VirtualHost {0}>\nServerName {1}\nSSLEngine on\nSSLCertificateFile /o.pem\nSSLCertificateKeyFile /o.key\n"
    "</VirtualHost>\n"
)
OF_MODULES = "<IfDefine !SYSCONFIG>\nInclude /etc/apache2/loadmodule.conf\n</IfDefine>\n"
OF_SSL = "<IfDefine SSL>\n<IfDefine !NOSSL>\n<IfModule mod_ssl.c>\n{0}</IfModule>\n</IfDefine>\n</IfDefine>\n"
OF_PREFORK = "<IfModule prefork.c>\nLoadModule ssl_module /usr/lib64/apache2-prefork/mod_ssl.so\n</IfModule>\n"
SYSCONFIG = 'APACHE_MODULES="mod_alias {0}rewrite"\nAPACHE_SERVERNAME="web.test"\nAPACHE_CONF_INCLUDE_FILES="local.conf none.conf"\n'


@pytest.mark.parametrize(
    ("modules", "flags", "names"),
    [
        ("ssl ", "SSL", {"a.test", "b.test", "c.test", "web.test"}),
        ("", "SSL", set()),  # those of loadmodule.conf count only where there are none of its own
        ("ssl ", "-DSTATUS", set()),
    ],
)
def test_what_suse_hands_to_its_server(tmp_path, modules, flags, names):
    """Of /etc/sysconfig/apache2: modules, the main server's name, further files; see start_apache2."""
    from harness.tool import Tool

    unnamed = HOST.format("*:443", "x").replace("ServerName x\n", "")
    sysconfig = f'{SYSCONFIG.format(modules)}APACHE_CONF_INCLUDE_DIRS="/etc/apache2/more/*.conf /gone/*.conf"\n'
    for path, text in {
        "httpd.conf": f"{OF_MODULES}Include /etc/apache2/listen.conf\nIncludeOptional /etc/apache2/vhosts.d/*.conf\n",
        "loadmodule.conf": OF_PREFORK,
        "listen.conf": f"Listen 80\n{OF_SSL.format('Listen 443' + chr(10))}",
        "vhosts.d/a.conf": f"{HOST.format('_default_:443', 'a.test')}{unnamed}",
        "vhosts.d/vhost-ssl.template": "nonsense\n",
        "local.conf": HOST.format("*:443", "b.test"),
        "more/c.conf": HOST.format("*:443", "c.test"),
        "../sysconfig/apache2": f'{sysconfig}APACHE_SERVER_FLAGS="{flags}"\n',
    }.items():
        (tmp_path / "etc/apache2" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "etc/apache2" / path).write_text(text)
    tool = Tool(root=tmp_path)
    assert {e["name"] for e in tool("list").expect(OK).endpoints if e["name"]} == names
    (tmp_path / "etc/sysconfig/apache2").write_text(f'APACHE_SERVER_FLAGS="SSL"\nAPACHE_MODULES="$(cat list)"\n')
    problem = tool("list").expect(REFUSED).problem("config-not-understood")
    assert (problem["file"], problem["line"]) == ("/etc/sysconfig/apache2", 2)
    # without a file of its own the server is started as it stands
    (tmp_path / "etc/sysconfig/apache2").unlink()
    (tmp_path / "etc/apache2/listen.conf").write_text("<IfModule mod_ssl.c>\nListen 443\n</IfModule>\n")
    assert {"a.test"} == {e["name"] for e in tool("list").expect(OK).endpoints} - {None, "bogus_host_without_reverse_dns"}


def test_what_an_old_release_of_debian_left_is_no_server(tmp_path):
    from harness.tool import Tool

    (tmp_path / "etc/apache2").mkdir(parents=True)
    (tmp_path / "etc/apache2/httpd.conf").write_text(f"Listen 443\n{HOST.format('*:443', 'b.test')}")
    (tmp_path / "etc/apache2/apache2.conf").write_text(f"Include httpd.conf\n{HOST.format('*:443', 'a.test')}")
    endpoints = Tool(root=tmp_path)("list").expect(OK).endpoints
    assert [e["name"] for e in endpoints] == [None, "b.test", "a.test"]


def test_host_names_as_addresses_in_a_tree(tmp_path):
    """Those of its own /etc/hosts; one that only a resolver knows keeps its name and is not connected to."""
    from harness.tool import Tool

    host = "<VirtualHost {0}:443>\nServerName {0}\nSSLEngine on\nSSLCertificateFile /o.pem\nSSLCertificateKeyFile /o.key\n"
    names = ("web.test", "far.test")
    for path, text in {
        "etc/hosts": "127.0.0.1 localhost # web.test\n192.0.2.7\tx WEB.test web.test # far.test\n2001:db8::7 web.test\n",
        "etc/apache2/apache2.conf": "Listen 443\n" + "".join(host.format(n) + "</VirtualHost>\n" for n in names),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    endpoints = Tool(root=tmp_path)("list").expect(OK).endpoints
    listeners = {e["listen"] for e in endpoints if e["name"] == "web.test"}
    assert listeners == {"192.0.2.7:443", "[2001:db8::7]:443"}
    assert {e["listen"] for e in endpoints if e["name"] == "far.test"} == {"far.test:443"}


def test_a_host_without_a_name_is_named_after_its_address(tmp_path):
    """By the first line of the tree's /etc/hosts that has the address; a machine's name needs a dot."""
    from harness.tool import Tool

    host = "<VirtualHost {0}:443>\nSSLEngine on\nSSLCertificateFile /o.pem\nSSLCertificateKeyFile /o.key\n"
    addresses = ("192.0.2.7", "[2001:db8::7]", "192.0.2.8", "*")
    for path, text in {
        "etc/hosts": "192.0.2.70 no.test\n# 192.0.2.7 no.test\n192.0.2.7\n 192.0.2.7\tWeb.test x # y\n192.0.2.7 late.test\n"
        "2001:DB8:0::7 six.test\n127.0.1.1 vm",
        "etc/hostname": "vm\n",
        "etc/apache2/apache2.conf": "Listen 443\n" + "".join(host.format(a) + "</VirtualHost>\n" for a in addresses),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    endpoints = Tool(root=tmp_path)("list").expect(OK).endpoints
    assert {(e["listen"], e["name"]) for e in endpoints if e["name"]} == {
        ("192.0.2.7:443", "web.test"),
        ("[2001:db8::7]:443", "six.test"),
    }
    assert {e["listen"] for e in endpoints if not e["name"]} == {f"{a}:443" for a in addresses}
