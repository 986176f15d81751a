# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sections, conditions, variables, includes and macros, each as the real server takes it."""

import pytest
from apache.plain import MODULES, Plain
from apache.row import Row, Stage, check
from apache.test_lines import AB, KEY, NEW, B, host_of

from harness import tree
from harness.scene import material
from harness.tool import OK, REFUSED

pytestmark = pytest.mark.needs("apache")

PAIR = "SSLCertificateFile «@a.pem|@full»\nSSLCertificateKeyFile «@a.key|@key»\n"
A = host_of(PAIR)
NONE = "SSLCertificateFile /none.pem\nSSLCertificateKeyFile /none.key\n"

SECTIONS = {
    "text behind >": Row(A.replace(":@port>", ":@port> # main"), new=("a.test",)),
    "> in a comment": Row(host_of("@c\n").replace(":@port>", ":@port> # a > b") + A + B, AB, NEW),
    "blank before >": Row(A.replace(":@port>", ":@port >") + B, AB, NEW),
    "quoted address": Row(A.replace("*:@port>", '"*:@port">') + B, AB, NEW),
    "blank behind <": Row("< VirtualHost *:@port>\n</VirtualHost>\n", refused="config-syntax", starts=False),
    "no >": Row("<VirtualHost *:@port\n</VirtualHost>\n", refused=("config-syntax", "<VirtualHost"), starts=False),
    "text behind the end": Row(A.replace("</VirtualHost>", "</VirtualHost> whatever") + B, AB, NEW),
    "blank in the end": Row(
        A.replace("</VirtualHost>", "</VirtualHost >")
        .replace("«@a.pem|@full»", "@a.pem")
        .replace("«@a.key|@key»", "@a.key"),
        refused=("config-syntax", "</VirtualHost >"),
        starts=False,
    ),
    "not closed in its file": Row(
        "Include one.inc\n</VirtualHost>\n",
        refused=("config-syntax", "one.inc", 1),
        files={"one.inc": "<VirtualHost *:@port>\nServerName a.test\n"},
        starts=False,
    ),
    "a host in a host": Row(
        "<VirtualHost *:@port>\n<VirtualHost *:@other>\n</VirtualHost>\n</VirtualHost>\n",
        refused=("config-syntax", "<VirtualHost *:@other"),
        starts=False,
    ),
    "a true condition that is not closed": Row(
        "Include one.inc\n" + B, AB, NEW, files={"one.inc": "<IfModule ssl_module>\n" + A}
    ),
    "LoadModule behind the condition": Row(
        "<IfModule dir_module>\n" + host_of("@c\n") + "</IfModule>\n"
        "LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so\n<IfModule mod_dir.c>\n" + A + "</IfModule>\n" + B,
        AB,
        NEW,
    ),
    "IfModule of compiled-in modules": Row(
        "<IfModule mod_so.c>\n<IfModule core.c>\n<IfModule http_core.c>\n"
        + A
        + "</IfModule>\n</IfModule>\n</IfModule>\n"
        "<IfModule event.c>\n" + B + "</IfModule>\n",
        AB,
        NEW,
    ),
    "nested and negated": Row(
        "<IfDefine !NO>\n<IfModule !mod_none.c>\n" + A + "</IfModule>\n<IfModule !ssl_module>\n<IfDefine X>\n"
        "SSLCertificateFile /none.pem\n<Foo>\n</Foo>\n</IfDefine>\n</IfModule>\n</IfDefine>\n" + B,
        AB,
        NEW,
    ),
    "IfVersion": Row(
        "<IfVersion >= 2.4>\n" + A + "</IfVersion>\n<IfVersion < 2.4.1>\n" + host_of("@c\n") + "</IfVersion>\n"
        "<IfVersion !~ ^2\\.4>\n"
        + host_of("@c\n")
        + "</IfVersion>\n<IfVersion = /^2\\.4\\./>\n"
        + B
        + "</IfVersion>\n",
        AB,
        NEW,
    ),
    "IfFile": Row(
        "<IfFile httpd.conf>\n" + A + "</IfFile>\n<IfFile @home/none>\n" + host_of("@c\n") + "</IfFile>\n"
        "<IfFile !none>\n" + B + "</IfFile>\n",
        AB,
        NEW,
    ),
    "IfDirective and IfSection": Row(
        "<IfDirective SSLEngine>\n"
        + A
        + "</IfDirective>\n<IfDirective MDomain>\n"
        + host_of("@c\n")
        + "</IfDirective>\n<IfSection VirtualHost>\n"
        + B
        + "</IfSection>\n",
        AB,
        NEW,
    ),
    "IfDirective of nobody knows what": Row(
        "<IfDirective PassengerEnabled>\nPassengerEnabled on\n</IfDirective>\n" + A + B,
        AB,
        NEW,
    ),
    "IfDirective of what no module has": Row(
        "<IfDirective SSLPolicy>\n" + host_of("SSLPolicy modern\n@c\n") + "</IfDirective>\n<IfDirective !SSLPolicy>\n" + A
        + "</IfDirective>\n<IfSection !Hosts>\n" + B + "</IfSection>\n<IfSection Hosts>\nListen @port\n</IfSection>\n"
        "<IfDirective LogIOTrackTTFB>\n<IfDirective ListenTCPDeferAccept>\n" + host_of("@c\n", "c.test") + "</IfDirective>\n</IfDirective>\n",
        {**AB, "c.test": "c"},
        NEW,
    ),
    "a condition within a host": Row(
        host_of("<IfModule !mod_ssl.c>\n" + NONE + "</IfModule>\n<IfModule ssl_module>\n" + PAIR + "</IfModule>\n") + B,
        AB,
        NEW,
    ),
    "a false branch within a host": Row(
        host_of("<IfDefine NO>\n" + NONE + "Include none.inc\nDefine a\n</IfDefine>\n" + PAIR) + B,
        AB,
        NEW,
    ),
}

VARIABLES = {
    "no case": Row(
        "Define Dir @etc/ssl\n"
        + host_of("SSLCertificateFile «${DIR}/certs/a.pem|@full»\nSSLCertificateKeyFile «${dir}/private/a.key|@key»\n")
        + B,
        AB,
        NEW,
    ),
    "before the environment": Row(
        "Define PLACE @etc/ssl\n" + host_of("SSLCertificateFile «${PLACE}/certs/a.pem|@full»\n" + KEY) + B,
        AB,
        NEW,
        environment={"PLACE": "/nowhere"},
        settings={"envvars": "@envvars"},
    ),
    "from the environment": Row(
        host_of("SSLCertificateFile «${PLACE}/ssl/certs/a.pem|@full»\n" + KEY) + B,
        AB,
        NEW,
        environment={"PLACE": "@etc"},
        settings={"envvars": "@envvars"},
    ),
    "by order": Row(
        "Define f @a.pem\n"
        + host_of("SSLCertificateFile «${f}|@full»\n" + KEY)
        + "Define f @b.pem\n"
        + host_of("SSLCertificateFile ${f}\nSSLCertificateKeyFile @b.key\n", "b.test"),
        AB,
        NEW,
    ),
    "of the whole": Row(
        host_of("Define inner @b.pem\n" + PAIR)
        + host_of("SSLCertificateFile ${inner}\nSSLCertificateKeyFile @b.key\n", "b.test"),
        AB,
        NEW,
    ),
    "not in a false branch": Row(
        "Define f @a.pem\n<IfDefine NO>\nDefine f @b.pem\n</IfDefine>\n"
        + host_of("SSLCertificateFile «${f}|@full»\n" + KEY)
        + B,
        AB,
        NEW,
    ),
    "UnDefine": Row(
        "Define X\n<IfDefine X>\n"
        + A
        + "</IfDefine>\nUnDefine X\n<IfDefine X>\n"
        + host_of("@c\n")
        + "</IfDefine>\n"
        + B,
        AB,
        NEW,
    ),
    "-D with a value": Row("<IfDefine X>\n" + host_of("@c\n") + "</IfDefine>\n" + A + B, AB, NEW, flags=("-DX=1",)),
    "-D": Row("<IfDefine SSL>\n" + A + "</IfDefine>\n" + B, AB, NEW, flags=("-DSSL",)),
    "within a name": Row(
        "Define x Certificate\n" + host_of("SSL${x}File «@a.pem|@full»\nSSL${x}KeyFile «@a.key|@key»\n") + B,
        AB,
        NEW,
    ),
    "a whole directive": Row(
        'Define line "SSLCertificateFile @a.pem"\n' + host_of("\t«${line}|SSLCertificateFile @full»\n" + KEY) + B,
        AB,
        NEW,
    ),
    "in single quotes": Row(
        "Define d @etc/ssl\n" + host_of("SSLCertificateFile '«${d}/certs/a.pem|@full»'\n" + KEY) + B,
        AB,
        NEW,
    ),
    "two addresses": Row(
        'Define places "127.0.0.1:@port 127.0.0.2:@port"\n' + A.replace("*:@port", "${places}"),
        {"a.test": "a", "a.test@127.0.0.2:port": "a", None: "a"},
        ("a.test", "a.test@127.0.0.2:port", None),
        listen="Listen @port\n",
    ),
    "SetEnv is none": Row(
        f"LoadModule env_module {MODULES}/mod_env.so\nSetEnv n c\n<IfDefine n>\n" + host_of("@c\n") + "</IfDefine>\n"
        + B
        + host_of("ServerAlias ${n}.test\n" + PAIR),
        {"a.test": "a", "c.test": "b"},
    ),
    "without braces": Row(
        "Define x 1\n" + host_of("SSLCertificateFile «@etc/ssl/certs/$x|@full»\n" + KEY) + B,
        AB,
        NEW,
    ),
    "in names": Row(
        "Define tld test\n" + A.replace("ServerName a.test", "ServerName a.${tld}") + B,
        AB,
        NEW,
    ),
}

INCLUDES = {
    "a file": Row("Include one.conf\n" + B, AB, NEW, files={"one.conf": A}),
    "never relative to the file": Row(
        "Include sub/one.conf\n" + B, AB, NEW, files={"sub/one.conf": "Include two.conf\n", "two.conf": A}
    ),
    "a glob in every part": Row(
        "Include s*/[a-c]?.conf\n" + B,
        AB,
        NEW,
        files={"sub/a1.conf": A, "sub/d1.conf": host_of("@c\n"), "sub/.a1.conf": "Bad\n"},
    ),
    "sorted": Row("Include sub/*.conf\n", AB, NEW, files={"sub/1-b.conf": A, "sub/1.conf": B.replace("1", "1")}),
    "a copy beside": Row("Include sub/*\n", AB, NEW, files={"sub/a.conf": A, "sub/b.conf.20260101": B}),
    "a backslash at the end": Row(
        host_of("Include names.inc\n" + PAIR) + B, AB, NEW, files={"names.inc": "ServerAlias z.test \\"}
    ),
    "a directory": Row("Include sub\n" + B, AB, NEW, files={"sub/x/y.conf~": A}),
    "hidden files of a directory": Row("Include sub/\n" + B, AB, NEW, files={"sub/.hidden": A}),
    "optional and not there": Row(
        "IncludeOptional none.conf\nIncludeOptional none/*.conf\nIncludeOptional sub/no*\n" + A + B,
        AB,
        NEW,
        files={"sub/x": "# x\n"},
    ),
    "links": Row(
        "IncludeOptional sub/*.conf\nIncludeOptional dangling.conf\n" + B,
        AB,
        NEW,
        files={"real/a.conf": A, "sub/x": "# x\n"},
        links={"sub/1.conf": "../nowhere", "sub/2.conf": "../real/a.conf", "dangling.conf": "nowhere"},
    ),
    "not there": Row("Include none.conf\n", refused=("config-syntax", "Include"), starts=False),
    "no match": Row(
        "Include sub/*.none\n", refused=("config-syntax", "Include"), files={"sub/x": "# x\n"}, starts=False
    ),
    "a cycle": Row(
        "Include loop.conf\n",
        refused=("config-syntax", "loop.conf", 1),
        files={"loop.conf": "Include loop.conf\n"},
        starts=False,
    ),
    "deep": Row(
        "Include d1\n" + B, AB, NEW, files={**{f"d{i}": f"Include d{i + 1}\n" for i in range(1, 120)}, "d120": A}
    ),
    "two arguments": Row("Include a b\n", refused=("config-syntax", "Include a"), starts=False),
    "ServerRoot in force": Row(
        "ServerRoot @home/sub\nInclude one.conf\nServerRoot @home\n" + B,
        AB,
        NEW,
        files={"sub/one.conf": A, "one.conf": "Bad\n"},
    ),
    "certificates relative to the last ServerRoot": Row(
        "ServerRoot @home/sub\n"
        + host_of("SSLCertificateFile «../ssl/certs/a.pem|@full»\n" + KEY)
        + "ServerRoot @home\n"
        + B,
        AB,
        NEW,
        files={"sub/x": "x\n"},
    ),
    "the same file twice": Row("Include one.conf\nInclude one.conf\n" + B, AB, NEW, files={"one.conf": A}),
    "a shared snippet, one of two": Row(
        host_of("Include pair.inc\n«|SSLCertificateFile @full\nSSLCertificateKeyFile @key\n»")
        + host_of("Include pair.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m", None: "m"},
        NEW,
        files={"pair.inc": "@m\n"},
    ),
    "a shared snippet, of another key type": Row(
        host_of("Include pair.inc\n") + host_of("Include pair.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"pair.inc": "@m\n"},
        key="rsa",
        refused=("shared-lines", "pair.inc", 1),
    ),
    "a shared snippet, all": Row(
        host_of("Include pair.inc\n") + host_of("Include pair.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        ("a.test", "b.test"),
        ("--all",),
        files={"pair.inc": "SSLCertificateFile «@m.pem|@full»\nSSLCertificateKeyFile «@m.key|@key»\n"},
    ),
    "a shared snippet, a chain file for one": Row(
        host_of("Include pair.inc\nSSLCertificateChainFile «@m.pem|@chain»\n") + host_of("Include pair.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        ("a.test", "b.test"),
        ("--all",),
        files={"pair.inc": "SSLCertificateFile «@m.pem|@full»\nSSLCertificateKeyFile «@m.key|@key»\n"},
    ),
    "a template included twice": Row(
        "Define n a\nInclude host.inc\nDefine n b\nInclude host.inc\n",
        AB,
        refused=("shared-lines", "host.inc", 4),
        files={
            "host.inc": "<VirtualHost *:@port>\nServerName ${n}.test\nSSLEngine on\n"
            "SSLCertificateFile @etc/ssl/certs/${n}.pem\nSSLCertificateKeyFile @etc/ssl/private/${n}.key\n"
            "</VirtualHost>\n"
        },
    ),
}

MACROS = {
    "a host from a macro": Row(
        "<Macro Site $n>\n<VirtualHost *:@port>\nServerName $n.test\nSSLEngine on\nSSLCertificateFile @etc/ssl/certs/$n.pem\n"
        "SSLCertificateKeyFile @etc/ssl/private/$n.key\n</VirtualHost>\n</Macro>\nUse Site a\nUse SITE b\n",
        AB,
        refused=("config-not-understood", "Use Site a"),
    ),
    "macros elsewhere do not hinder": Row(
        "<Macro Site $n>\n<VirtualHost *:@port>\nServerName $n.test\nSSLEngine on\nSSLCertificateFile @etc/ssl/certs/$n.pem\n"
        "SSLCertificateKeyFile @etc/ssl/private/$n.key\n</VirtualHost>\n</Macro>\n" + A + "Use Site b\n",
        AB,
        NEW,
    ),
    "lines from a macro": Row(
        "<Macro Tls $n>\nSSLEngine on\nSSLCertificateFile @etc/ssl/certs/$n.pem\nSSLCertificateKeyFile @etc/ssl/private/$n.key\n"
        "</Macro>\n<VirtualHost *:@port>\nServerName a.test\n  Use Tls a\n</VirtualHost>\n" + B,
        AB,
        refused=("config-not-understood", "  Use Tls a"),
    ),
    "the last line without a newline behind a macro is lost": Row(
        "<Macro Names>\nServerAlias d.test\n</Macro>\n"
        + host_of("Include one.inc\n@c\n", "c.test")
        + host_of("Include two.inc\n")
        + host_of("ServerAlias e.test f.test g.test\n@b\n", "b.test"),
        {"c.test": "c", "d.test": "c", "a.test": "a", "e.test": "b", "f.test": "a", "g.test": "a", "b.test": "b"},
        ("a.test", "f.test", "g.test"),
        files={
            "one.inc": "Use Names\nServerAlias h.test \\\n e.test",
            "two.inc": PAIR + "Use Names\nServerAlias f.test\nServerAlias g.test",
        },
    ),
    "the last use without a newline behind another": Row(
        "<Macro Site $name>\n<VirtualHost *:@port>\nServerName $name\nSSLEngine on\n@c\n</VirtualHost>\n</Macro>\n"
        + A
        + "Include uses.inc\n",
        {"a.test": "a", "c.test": "c", "b.test": "a"},
        target=("--hostname", "a.test"),
        files={"uses.inc": "Use Site c.test\nUse Site b.test"},
        new=("a.test", "b.test"),
    ),
    "unbalanced": Row(
        "<Macro Open $n>\n<VirtualHost *:@port>\nServerName $n\n</Macro>\n<Macro Close>\n</VirtualHost>\n</Macro>\n"
        "Use Open b.test\nSSLEngine on\n@b\nUse Close\n" + A,
        {"a.test": "a", "b.test": "b", None: "b"},
        ("a.test",),
    ),
    "Perl": Row(
        f"LoadModule perl_module {MODULES}/mod_perl.so\n<Perl>\nmy $x = 1 if 1 < 2; # </If>\n</Perl>\n" + A
        + "<Perl >\n1;\n</Perl>\n" + B,
        AB,
        NEW,
    ),
    "another macro of the host": Row(
        "<Macro Log $n>\nErrorLog @etc/$n.log\n</Macro>\n" + host_of("Use Log a\n" + PAIR) + B,
        AB,
        NEW,
    ),
}
ROWS = {**SECTIONS, **VARIABLES, **INCLUDES, **MACROS}


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for n, r in ROWS.items()])
def test_row(host, pki, ca, row):
    environment = {k: v.replace("@etc", str(host.etc)) for k, v in row.environment.items()}
    settings = dict(row.settings)
    if environment:
        envvars = host.etc / "envvars"
        envvars.write_text("".join(f"export {k}={v}\n" for k, v in environment.items()))
        settings["envvars"] = envvars
    web = Plain(host, flags=row.flags, environment=environment, **settings)
    (host.etc / "ssl/certs/$x").write_text(pki.root().leaf("a.test", "*.a.test").fullchain_pem)
    check(web, pki, ca, row)


def test_a_chosen_path_that_is_read(host, pki, ca):
    """A certificate where an Include finds it is no configuration: refused before anything is written."""
    stage = Stage(Plain(host), pki, ca, Row("Include sub\nIncludeOptional pairs/*.conf\n" + B, files={"sub/a.conf": host_of("@a\n")}))
    stage.write()
    (stage.web.home / "pairs").mkdir()
    stage.web.start()
    files = tree.snapshot(stage.web.home)
    argv = [*material(stage.new[0]), "--hostname", "a.test", "--accept", "name-mismatch"]
    argv += ["--install-key", str(stage.web.home / "pairs/key.pem"), "--install-fullchain"]
    for name in ("sub/x.pem", "sub/more/x.pem", "pairs/x.conf"):
        refused = host.tool("deploy", *argv, str(stage.web.home / name)).expect(REFUSED, "unsafe-path")
        assert refused.problem("unsafe-path")["file"] == str(stage.web.home / name)
        assert tree.diff(files, tree.snapshot(stage.web.home), tree.UNTOUCHED) == []
    host.tool("deploy", *argv, str(stage.web.home / "pairs/x.pem")).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256
    host.tool("rollback").expect(OK)
    assert tree.diff(files, tree.snapshot(stage.web.home)) == []
