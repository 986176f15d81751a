# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations as they are found on hosts: stock files, panels, certbot, and what administrators come upon."""

import pytest
from apache.plain import MODULES, Plain
from apache.row import Row, check
from apache.test_lines import AB, KEY, NEW, B, host_of
from apache.test_reading import PAIR, A
from apache.test_serving import ALL, INSERT

from harness.process import run

pytestmark = pytest.mark.needs("apache")

PANELS = {
    "Debian's default-ssl": Row(
        "<IfModule mod_ssl.c>\n\t<VirtualHost _default_:@port>\n\t\tServerAdmin webmaster@localhost\n\n"
        "\t\tServerName a.test\n\t\t#   SSL Engine Switch:\n\t\tSSLEngine on\n\n"
        "\t\tSSLCertificateFile\t«@a.pem|@full»\n\t\tSSLCertificateKeyFile «@a.key|@key»\n\n"
        "\t\t#SSLCertificateChainFile /etc/apache2/ssl.crt/server-ca.crt\n\t\t#SSLCACertificatePath /etc/ssl/certs/\n"
        '\t\t<FilesMatch "\\.(cgi|shtml|phtml|php)$">\n\t\t\t\tSSLOptions +StdEnvVars\n\t\t</FilesMatch>\n'
        "\t</VirtualHost>\n</IfModule>\n# vim: syntax=apache ts=4 sw=4 sts=4 sr noet\n" + B,
        AB,
        NEW,
    ),
    "certbot's options with SSLEngine": Row(
        "<IfModule mod_ssl.c>\n<VirtualHost *:@port>\n  ServerName a.test\n  ServerAlias www.a.test\n"
        "  SSLCertificateFile «@a.pem|@full»\n  SSLCertificateKeyFile «@a.key|@key»\n  Include options.inc\n"
        "</VirtualHost>\n</IfModule>\n"
        + B.replace("SSLEngine on", "Include options.inc"),
        {**AB, "www.a.test": "a"},
        ("a.test", "www.a.test", None),
        files={"options.inc": "SSLEngine on\nSSLProtocol all -SSLv2 -SSLv3\nSSLHonorCipherOrder off\n"},
    ),
    "all addresses of a panel": Row(
        "<VirtualHost 127.0.0.1:@port [::1]:@port>\n  ServerName a.test\n  ServerAlias mail.a.test www.a.test\n"
        "  UseCanonicalName Off\n  <IfModule ssl_module>\n    SSLEngine on\n    SSLCertificateFile «@a.both|@full»\n"
        "    «|SSLCertificateKeyFile @key\n    »SSLVerifyClient none\n  </IfModule>\n</VirtualHost>\n"
        "<VirtualHost *:@port>\nServerName m.test\nSSLEngine on\n@m\n</VirtualHost>\n",
        {"a.test": "a", "mail.a.test@::1:port": "a", "a.test@127.0.0.2:port": "m", None: "a"},
        ("a.test", "mail.a.test@::1:port", None),
        listen=ALL,
    ),
    "a panel that includes a file for each user": Row(
        "IncludeOptional users/*/httpd.conf\n",
        AB,
        NEW,
        files={
            "users/admin/httpd.conf": "# by hand\n\n<VirtualHost 127.0.0.1:@port >\n\tSSLEngine on\n"
            "\tSSLCertificateFile «@a.pem|@full»\n\tSSLCertificateKeyFile «@a.key|@key»\n\n\tServerName www.a.test\n"
            "\tServerAlias www.a.test a.test \n\t<Directory \"/srv/admin/public_html\">\n\t\tOptions +Includes\n"
            "\t</Directory>\n</VirtualHost>\n",
            "users/b/httpd.conf": B.replace("*:", "127.0.0.1:"),
            "users/none/other.conf": "Nonsense\n",
        },
    ),
    "a chain in the file of client CAs": Row(
        host_of(
            "SSLCertificateFile «@a.pem|@full»\nSSLCertificateKeyFile «@a.key|@key»\nSSLCACertificateFile @m.pem\n"
            "SSLProtocol all -SSLv3\n"
        ).replace("*:", "127.0.0.1:")
        + B.replace("*:", "127.0.0.1:"),
        AB,
        NEW,
    ),
    "a stock host that only inherits": Row(
        "<IfModule ssl_module>\n@m\n</IfModule>\n"
        + host_of(INSERT).replace("SSLEngine on\n", "<IfModule ssl_module>\n  SSLEngine on\n")
        .replace(INSERT, "«|  SSLCertificateFile @full\n  SSLCertificateKeyFile @key\n»</IfModule>\n")
        + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m", None: "m"},
        NEW,
    ),
}

LISTENERS = {
    "https on one address only": Row(
        (A.replace("*:", "127.0.0.1:") + B.replace("*:", "127.0.0.2:")).replace("SSLEngine on\n", ""),
        {"a.test": "a", "b.test@127.0.0.2:port": None},
        listen="Listen 127.0.0.1:@port https\nListen 127.0.0.2:@port\n",
    ),
    "https of an address is not that of *": Row(
        host_of("@a\n").replace("SSLEngine on\n", ""),
        {"a.test": None},
        listen="Listen 127.0.0.1:@port https\n",
        refused="no-endpoint",
    ),
    "both families by themselves": Row(
        A + B.replace("*:", "[::1]:"),
        {"a.test": "a", "a.test@127.0.0.2:port": "a", "b.test@::1:port": "b"},
        ("a.test", "a.test@127.0.0.2:port"),
        listen="Listen 0.0.0.0:@port\nListen [::]:@port\n",
    ),
    "IPv6 alone": Row(
        A.replace("*:", "[::1]:"), {"a.test@::1:port": "a"}, ("a.test@::1:port",), listen="Listen [::1]:@port\n"
    ),
    "* answers IPv6 too": Row(A, {"a.test": "a", "a.test@::1:port": "a"}, ("a.test", "a.test@::1:port"), listen=ALL),
    "a name of this host": Row(A, listen="Listen localhost:@port\n"),
    "addresses and ports in one opening": Row(
        A.replace("*:@port", "127.0.0.1:@port 127.0.0.2:@port *:@other") + B,
        {"a.test": "a", "a.test@127.0.0.2:port": "a", "a.test@127.0.0.3:other": "a", "b.test@127.0.0.3:port": "b"},
        ("a.test", "a.test@127.0.0.2:port", "a.test@127.0.0.3:other"),
        listen="Listen @port\nListen @other\n",
    ),
    "the same address twice": Row(A.replace("*:@port", "*:@port _default_:@port") + B, AB, NEW),
    "Listen within a condition": Row(
        A + B, AB, NEW, listen="<IfModule ssl_module>\n\tListen 127.0.0.1:@port\n</IfModule>\n<IfModule mod_gnutls.c>\n"
        "\tListen 127.0.0.1:@port\n</IfModule>\n",
    ),
    "the opening over two lines": Row(A.replace("<VirtualHost *", "<VirtualHost \\\n  *") + B, AB, NEW),
}

EDITS = {
    "SSLEngine behind the certificate": Row(
        host_of(PAIR + "SSLEngine on\n").replace("SSLEngine on\n", "", 1) + B, AB, NEW
    ),
    "SSLEngine twice": Row(host_of("SSLEngine on\n" + PAIR).replace("SSLEngine on\n", "SSLEngine off\n", 1) + B, AB, NEW),
    "SSLEngine over two lines": Row(
        "@m\n"
        + host_of("").replace(
            "SSLEngine on\n", "  SSLEngine \\\n on\n«|  SSLCertificateFile @full\n  SSLCertificateKeyFile @key\n»"
        )
        + B,
        {"a.test": "m", "b.test": "b"},
    ),
    "only the key is its own": Row(
        "@m\n" + host_of("SSLCertificateKeyFile «@m.key|@key»\n«|SSLCertificateFile @full\n»") + B,
        {"a.test": "m", "b.test": "b"},
    ),
    "only the certificate is its own": Row(
        "@m\n" + host_of("SSLCertificateFile «@m.pem|@full»\n«|SSLCertificateKeyFile @key\n»") + B,
        {"a.test": "m", "b.test": "b"},
    ),
    "a key too many before another pair": Row(
        host_of("@a\nSSLCertificateKeyFile @a.key\n@a\n") + B,
        {"a.test": "a", "b.test": "b"},
        refused=("config-not-understood", "<VirtualHost"),
    ),
    "a host that nothing reaches has the main server's key": Row(
        "SSLEngine on\n@m\n"
        + host_of("SSLCertificateFile @m.both\n", "m.test").replace("*:", "no-such-host.invalid:"),
        {"main.test": "m"},
        target=("--default",),
        refused="shared-lines",
    ),
    "a host of plain HTTP has the main server's key": Row(
        "SSLEngine on\n@m\n<VirtualHost *:@other>\nSSLEngine off\n</VirtualHost>\n"
        + host_of("SSLCertificateFile @m.both\n", "m.test").replace("@port", "@other"),
        {"main.test": "m", "m.test@127.0.0.1:other": None},
        target=("--default",),
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.1:@other\n",
        refused="shared-lines",
    ),
    "the main server would get a key line": Row(
        "SSLEngine on\nSSLCertificateFile @m.both\n"
        + host_of("SSLCertificateFile @a.both\n").replace("*:", "no-such-host.invalid:"),
        {"main.test": "m"},
        target=("--default",),
        refused="shared-lines",
    ),
    "endings of two kinds": Row(
        host_of("SSLCertificateFile «@a.pem|@full»\r\nSSLCertificateKeyFile «@a.key|@key»\r\n") + B, AB, NEW
    ),
    "conditions in quotes": Row(
        '<IfModule "mod_ssl.c">\n' + A + "</IfModule>\n<IfFile 'httpd.conf' >\n" + B + "</IfFile>\n"
        '<IfDefine ! "NO">\n' + host_of("@c\n", "c.test") + "</IfDefine>\n",
        {**AB, "c.test": "c"},
        NEW,
    ),
    "a module that is not made of mod_NAME.c": Row(
        f"LoadModule ldap_module {MODULES}/mod_ldap.so\n<IfModule mod_ldap.c>\n" + host_of("@c\n") + "</IfModule>\n"
        "<IfModule util_ldap.c>\n<IfModule ldap_module>\n" + A + "</IfModule>\n</IfModule>\n" + B,
        AB,
        NEW,
    ),
    "clients must show a certificate": Row(
        host_of("SSLProtocol TLSv1.2\nSSLVerifyClient require\nSSLCACertificateFile @m.pem\n" + PAIR) + B, AB, NEW
    ),
    "revocation lists and session tickets": Row(
        host_of(
            "SSLCARevocationCheck none\nSSLCARevocationFile @etc/empty.crl\nSSLCARevocationPath @etc/ssl/certs\n"
            "SSLSessionTicketKeyFile @etc/ticket.key\n" + PAIR
        )
        + B,
        AB,
        NEW,
    ),
    "old and new versions": Row(
        host_of(
            "<IfVersion < 2.4.8>\nSSLCertificateFile @b.pem\nSSLCertificateChainFile @m.pem\n</IfVersion>\n"
            "<IfVersion >= 2.4.8>\n" + PAIR + "</IfVersion>\n"
        )
        + B,
        AB,
        NEW,
    ),
    "a variable of several words": Row(
        'Define tls "SSLEngine on"\n' + host_of(PAIR).replace("SSLEngine on", "${tls}") + B, AB, NEW
    ),
    "quotes within a variable": Row(
        'Define line "SSLCertificateFile \\"@a.pem\\""\n' + host_of("  «${line}|SSLCertificateFile @full»\n" + KEY) + B, AB, NEW
    ),
    "a directory with blanks in a variable": Row(
        'Define dir "@etc/with blanks"\n' + host_of('SSLCertificateFile "«${dir}/a.pem|@full»"\n' + KEY) + B, AB, NEW
    ),
    "one variable for two hosts": Row(
        "Define cert @m.pem\nDefine key @m.key\n"
        + host_of("SSLCertificateFile «${cert}|@full»\nSSLCertificateKeyFile «${key}|@key»\n")
        + host_of("SSLCertificateFile ${cert}\nSSLCertificateKeyFile ${key}\n", "b.test"),
        {"a.test": "m", "b.test": "m", None: "m"},
        NEW,
    ),
    "aliases over several lines": Row(
        B + host_of("ServerAlias \\\n  www.a.test \\\n  c.test\n" + PAIR),
        {"a.test": "a", "www.a.test": "a", "c.test": "a", "b.test": "b"},
        ("a.test", "www.a.test", "c.test"),
    ),
    "no-break space is no blank": Row(
        B + host_of("ServerAlias x.test\xa0c.test\n" + PAIR), {"a.test": "a", "c.test": "b", "x.test": "b"}
    ),
    "a trailing dot": Row(
        B + host_of("@a\n", "a.test."), {"a.test": "b", "b.test": "b"}, refused="no-endpoint"
    ),
    "a name with a variable that is not there": Row(
        B + host_of("ServerAlias ${NOT_THERE} c.test\n" + PAIR), {"a.test": "a", "c.test": "a"}, ("a.test", "c.test")
    ),
    "only names from a macro": Row(
        "<Macro Names $n>\nServerAlias www.$n c.test\n</Macro>\n" + host_of("Use Names a.test\n" + PAIR) + B,
        {**AB, "www.a.test": "a", "c.test": "a"},
        ("a.test", "www.a.test", "c.test", None),
    ),
    "a file that a macro includes": Row(
        "<Macro Site $n>\nInclude $n.inc\n</Macro>\nUse Site a\nUse Site b\n", AB, NEW, files={"a.inc": A, "b.inc": B}
    ),
    "a pair that a macro includes": Row(
        "<Macro Pair $n>\nInclude $n.inc\n</Macro>\n" + host_of("Use Pair m\n") + host_of("Use Pair m\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"m.inc": "@m\n"},
        refused=("shared-lines", "m.inc", 1),
    ),
    "own lines before mod_md": Row(
        "LoadModule md_module /usr/lib/apache2/modules/mod_md.so\n<MDomain a.test>\nMDCertificateAgreement accepted\n"
        "MDRenewMode manual\n</MDomain>\nMDStoreDir @etc/md\n" + A + B,
        AB,
        NEW,
    ),
    "a directory for each, one without the file": Row(
        "Include users/*/httpd.conf\n",
        refused=("config-syntax", "Include users"),
        files={"users/a/httpd.conf": "@m\n", "users/b/other.conf": "\n"},
        starts=False,
    ),
    "a host of nothing but an opening line": Row(A + "<VirtualHost *:@other></VirtualHost>\n</VirtualHost>\n" + B, AB, NEW),
    "a false branch that is not nested": Row(
        A.replace("«@a.pem|@full»", "@a.pem").replace("«@a.key|@key»", "@a.key") + "<IfDefine NO>\n<Foo>\n</IfDefine>\n",
        refused=("config-syntax", "</IfDefine>"),
        starts=False,
    ),
    "a word split by an indent": Row(
        host_of("SSLCertificateFile /etc/\\\n  a.pem\n" + KEY.replace("«@a.key|@key»", "@a.key")),
        refused=("config-syntax", "SSLCertificateFile"),
        starts=False,
    ),
    "a variable's name with a colon": Row("Define a:b c\n", refused=("config-syntax", "Define"), starts=False),
    "a host within <Directory>": Row(
        "<Directory />\n<VirtualHost *:@port>\n</VirtualHost>\n</Directory>\n",
        refused=("config-syntax", "<VirtualHost"),
        starts=False,
    ),
}
# of one name, on other ports and in files that are read again
TWINS = {
    "a redirect from plain HTTP": Row(
        "<VirtualHost *:@other>\nServerName a.test\nServerAlias c.test\n</VirtualHost>\n" + A + B,
        {**AB, "a.test@127.0.0.1:other": None},
        NEW,
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.1:@other\n",
    ),
    "an alias of plain HTTP alone": Row(
        "<VirtualHost *:@other>\nServerName a.test\nServerAlias c.test\n</VirtualHost>\n" + B,
        {"b.test": "b"},
        target=("--hostname", "c.test"),
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.1:@other\n",
        refused="no-endpoint",
        warns=("no-endpoint",),
    ),
    "one file for two ports": Row(
        "Define PORT @port\nInclude site.inc\nDefine PORT @other\nInclude site.inc\n" + B,
        {**AB, "a.test@127.0.0.1:other": "a"},
        (*NEW, "a.test@127.0.0.1:other"),
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.1:@other\n",
        files={"site.inc": A.replace("@port", "${PORT}")},
    ),
    "one file for two ports, one of them": Row(
        "Define PORT @port\nInclude site.inc\nDefine PORT @other\nInclude site.inc\n",
        {"a.test": "a", "a.test@127.0.0.1:other": "a"},
        target=("--listener", "*:@other"),
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.1:@other\n",
        files={"site.inc": host_of("@a\n").replace("@port", "${PORT}")},
        refused=("shared-lines", "site.inc", 4),
    ),
    "one file by two links": Row(
        "Include enabled/*.conf\n",
        AB,
        NEW,
        files={"available/site": A + B, "enabled/x": "# x\n"},
        links={"enabled/1.conf": "../available/site", "enabled/2.conf": "../available/site"},
    ),
    "only the chain from a snippet": Row(
        host_of("SSLCertificateFile «@a.pem|@cert»\n" + KEY + "Include c.inc\n«|SSLCertificateChainFile @chain\n»")
        + host_of("Include c.inc\n@b\n", "b.test"),
        AB,
        NEW,
        files={"c.inc": "SSLCertificateChainFile @m.pem\n"},
    ),
    "certificate and key from snippets of their own": Row(
        host_of("Include c.inc\nInclude k.inc\n" + INSERT)
        + host_of("Include k.inc\nInclude c.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"c.inc": "SSLCertificateFile @m.pem\n", "k.inc": "SSLCertificateKeyFile @m.key\n"},
    ),
}
# what httpd's own look-up makes of the address: without a name in /etc/hosts nothing is known here
NAMELESS = {
    "named after its address": Row(
        B.replace("*:", "127.0.0.1:") + A.replace("ServerName a.test\n", "").replace("*:", "127.0.0.1:"),
        {"localhost": "a", "b.test": "b", "a.test": "b", None: "b"},
        ("localhost",),
        ("--hostname", "localhost"),
    ),
    "chosen by its address": Row(
        A.replace("ServerName a.test\n", "").replace("*:", "127.0.0.2:") + B,
        {"a.test@127.0.0.2:port": "a", "b.test": "b"},
        ("a.test@127.0.0.2:port",),
        ("--address", "127.0.0.2"),
        listen=ALL,
    ),
    "chosen by a name": Row(
        host_of("@a\n").replace("ServerName a.test\n", "").replace("*:", "127.0.0.2:") + B,
        {"a.test@127.0.0.2:port": "a"},
        listen=ALL,
        refused="no-endpoint",
        warns=("no-endpoint",),
    ),
}
ROWS = {**PANELS, **LISTENERS, **EDITS, **TWINS, **NAMELESS}


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for n, r in ROWS.items()])
def test_row(host, pki, ca, row):
    (host.etc / "with blanks").mkdir()
    (host.etc / "with blanks/a.pem").write_text(pki.root().leaf("a.test", "*.a.test").fullchain_pem)
    (host.etc / "md").mkdir()
    (host.etc / "ticket.key").write_bytes(bytes(range(48)))
    run(
        ["openssl", "ca", "-gencrl", "-config", pki.conf, "-keyfile", pki.root().key, "-cert", pki.root().cert]
        + ["-crldays", "1", "-out", host.etc / "empty.crl"]
    )
    check(Plain(host), pki, ca, row)
