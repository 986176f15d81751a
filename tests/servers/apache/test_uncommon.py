# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations that few have and httpd takes all the same: macros of macros, odd names, directives around the pair."""

import pytest
from apache.plain import MODULES, Plain
from apache.row import Row, check
from apache.test_lines import AB, KEY, NEW, B, host_of
from apache.test_reading import PAIR, A
from apache.test_serving import ALL, INSERT
from apache.test_unruly import BOTH

from harness.tool import OK, Tool

pytestmark = pytest.mark.needs("apache")


def named(name, inside, before="ServerName a.test"):
    """A host with its own directives in the place of its name's."""
    return A.replace(before, f"{name}\n{inside}".rstrip("\n"))


def load(*names):
    return "".join(f"LoadModule {n}_module {MODULES}/mod_{n}.so\n" for n in names)


NAMES = {
    "a wildcard before, over another host's name": Row(
        host_of("ServerAlias *.test\nSSLCertificateFile «@c.pem|@full»\nSSLCertificateKeyFile «@c.key|@key»\n", "other.example")
        + host_of("@a\n") + B,
        {"a.test": "c", "b.test": "c", "other.example": "c"}, ("a.test", "b.test", "other.example"),
    ),
    "wildcards that cross": Row(
        host_of("ServerAlias a.*\n" + PAIR, "one.example") + host_of("ServerAlias *.test\n@b\n", "two.example"),
        {"a.test": "a", "x.test": "b", "a.x": "a", None: "a"}, ("a.test", "a.x", None),
    ),
    "an alias of everything": Row(
        B + host_of("ServerAlias *\n" + PAIR, "other.example"), {"a.test": "a", "any.where": "a", None: "b", "b.test": "b"},
        ("a.test", "any.where"),
    ),
    "ServerName in the place of another": Row(named("ServerName d.test", "ServerName a.test") + B, AB, NEW),
    "aliases before the name": Row(named("ServerAlias c.test", "ServerName a.test\nServerAlias d.test") + B,
                                   {**AB, "c.test": "a", "d.test": "a"}, (*NEW, "c.test", "d.test")),
    "the same name in both": Row(A + B.replace("ServerName b.test", "ServerName b.test\nServerAlias a.test"), AB, NEW),
    "a name with scheme and port": Row(named("ServerName https://a.test:8443", "UseCanonicalName On\nUseCanonicalPhysicalPort On") + B, AB, NEW),
    "a name _default_": Row(named("ServerName _default_", "ServerAlias a.test") + B, {**AB, "_default_": "a"}, (*NEW, "_default_")),
    "a name with a trailing dot": Row(B + host_of("@a\n").replace("a.test", "a.test."), {"b.test": "b", "a.test": "b"}, refused="no-endpoint"),
    "a name with a trailing dot, and an alias": Row(B + named("ServerName a.test.", "ServerAlias c.test"), {"b.test": "b", "a.test": "b", "c.test": "a"},
                                                    ("c.test",), ("--hostname", "c.test")),
    "names that begin with a digit or a hyphen": Row(
        named("ServerName 1.a.test", "ServerAlias -a.test a-.test a.test") + B, {**AB, "1.a.test": "a", "a-.test": "a"},
        (*NEW, "1.a.test", "a-.test"),
    ),
    "a long name": Row(
        named("ServerName a.test", "ServerAlias " + ".".join(["x" * 60] * 4) + ".test") + B,
        {**AB, ".".join(["x" * 60] * 4) + ".test": "a"}, (*NEW, ".".join(["x" * 60] * 4) + ".test"),
    ),
    "question marks": Row(
        B + host_of("ServerAlias ?.test ??.a.test\n" + PAIR, "other.example"), {"a.test": "a", "xy.a.test": "a", "x.a.test": "b"},
        ("a.test", "xy.a.test"),
    ),
    "a name in a script of its own, in UTF-8": Row(
        named("ServerName a.test", "ServerAlias \xe6\x97\xa5\xe6\x9c\xac.test xn--wgv71a.test") + B,
        {**AB, "xn--wgv71a.test": "a"}, (*NEW, "xn--wgv71a.test"),
    ),
    "ServerPath and what belongs to it": Row(named("ServerName a.test", "ServerPath /a\nServerAdmin root\nServerSignature On") + B, AB, NEW),
    "NameVirtualHost": Row("NameVirtualHost *:@port\n" + A + B, AB, NEW),
    "a name of two hosts on one address and on all": Row(
        A.replace("*:", "127.0.0.2:") + A + B, {**AB, "a.test@127.0.0.2:port": "a", "b.test@127.0.0.2:port": "a"},
        (*NEW, "a.test@127.0.0.2:port", "b.test@127.0.0.2:port"), listen=ALL,
    ),
    "sixteen thousand bytes of aliases": Row(
        B + named("ServerName a.test", "ServerAlias " + " ".join(f"n{i:04}.example" for i in range(1200))),
        {"a.test": "a", "n0000.example": "a", "n1199.example": "a"}, ("a.test", "n0000.example", "n1199.example"),
    ),
    "an argument of sixteen thousand bytes": Row(load("env") + named("ServerName a.test", 'SetEnv X "' + "x" * 16000 + '"') + B, AB, NEW),
    "a file of another encoding and CRLF": Row(
        "Include one.conf\n" + B, AB, NEW,
        files={"one.conf": ("# \xe3\x82\xb5\xe3\x82\xa4\xe3\x83\x88\n" + A).replace("\n", "\r\n")},
    ),
}
PLACES = {
    "three addresses of three hosts": Row(
        "<VirtualHost 127.0.0.1:@port 127.0.0.2:@port [::1]:@port>\nServerName a.test\nSSLEngine on\n" + PAIR + "</VirtualHost>\n"
        + B.replace("*:@port", "127.0.0.2:@port [::1]:@port"),
        {"a.test": "a", "a.test@::1:port": "a", "b.test@127.0.0.2:port": "b", "b.test@::1:port": "b", "b.test": "a"},
        ("a.test", "a.test@::1:port", "b.test"), listen=ALL,
    ),
    "an address twice": Row(A.replace("*:@port", "*:@port *:@port _default_:@port") + B, AB, NEW),
    "any port, before the port": Row(
        A.replace("*:@port", "*") + B, {"a.test": "b", "b.test": "b", "a.test@127.0.0.1:other": "a"}, ("a.test@127.0.0.1:other",), listen=BOTH,
    ),
    "the port of the main server's name": Row(
        "ServerName main.test:@port\n" + A.replace("*:@port", "127.0.0.1") + B, {"a.test": "a", "b.test": "a", "b.test@127.0.0.2:port": "b"},
        ("a.test", "b.test"), listen=ALL,
    ),
    "an address that is not listened on, and one that is": Row(A.replace("*:@port", "192.0.2.1:@port 127.0.0.1:@port") + B.replace("*:", "127.0.0.1:"), AB, NEW),
    "Listen with a protocol of its own": Row(A + B, AB, NEW, listen="Listen 127.0.0.1:@port http\n"),
    "Listen https and SSLEngine optional": Row(
        A.replace("SSLEngine on", "SSLEngine optional").replace("«@a.pem|@full»", "@a.pem").replace("«@a.key|@key»", "@a.key"), {"a.test": None}, listen="Listen @port https\n",
        refused="no-endpoint",
    ),
    "Protocol https and Listen http": Row(
        A.replace("SSLEngine on", "Protocol https") + B.replace("SSLEngine on", "Protocol HTTPS"), AB, NEW, listen="Listen 127.0.0.1:@port http\n",
    ),
    "Protocol http and SSLEngine on": Row(named("ServerName a.test", "Protocol http") + B, AB, NEW),
    "SSLEngine more than once": Row(A.replace("SSLEngine on", "SSLEngine off\nSSLEngine optional\nSSLEngine on") + B, AB, NEW),
    "variables in Listen and Include": Row(
        "Define H 127.0.0.1\nDefine PORT @port\nListen ${H}:${PORT} ${none}\nInclude ${D}${s}/a.conf\n".replace(" ${none}", " https") + B,
        AB, NEW, listen="Define D sub\nDefine s s\n", files={"subs/a.conf": A},
    ),
    "all of IPv6, and one of IPv4": Row(
        A.replace("*:", "[::1]:") + B, {"a.test": "b", "a.test@::1:port": "a", "b.test@::1:port": "a"}, ("a.test@::1:port", "b.test@::1:port"),
        listen="Listen [::]:@port\nListen 127.0.0.1:@other\n".replace("Listen [::]:@port", "Listen [::1]:@port\nListen 127.0.0.1:@port"),
    ),
    "the main server speaks TLS, hosts elsewhere do not": Row(
        "SSLEngine on\n" + PAIR + "<VirtualHost 127.0.0.1:@other>\nServerName a.test\nSSLEngine off\n</VirtualHost>\n",
        {"main.test": "a", "a.test@127.0.0.1:other": None}, ("main.test",), ("--hostname", "main.test"), listen=BOTH,
    ),
}
AROUND = {
    "IfDirective around the pair": Row(host_of("<IfDirective SSLCertificateFile>\n" + PAIR + "</IfDirective>\n<IfDirective !SSLEngine>\n@c\n</IfDirective>\n") + B, AB, NEW),
    "IfSection around the pair": Row(host_of("<IfSection Location>\n" + PAIR + "</IfSection>\n<IfSection !<Location>\n@c\n</IfSection>\n".replace("!<", "!")) + B, AB, NEW),
    "IfVersion without an operator": Row(
        "<IfVersion 2.4>\n" + host_of("@c\n") + "</IfVersion>\n<IfVersion >= 2>\n" + A + "</IfVersion>\n<IfVersion > 2.4.0 >\n" + B + "</IfVersion>\n", AB, NEW,
    ),
    "IfVersion of patterns": Row(
        "<IfVersion ~ ^2\\.4\\.[0-9]+$>\n" + A + "</IfVersion>\n<IfVersion !~ 2\\.(2|4)>\n" + host_of("@c\n") + "</IfVersion>\n<IfVersion = \"/2/\">\n" + B + "</IfVersion>\n", AB, NEW,
    ),
    "If and Else within the host": Row(
        host_of("<If \"%{HTTPS} == 'on'\">\nErrorDocument 404 x\n</If>\n<Else>\nErrorDocument 404 y\n</Else>\n" + PAIR) + B, AB, NEW,
    ),
    "a section's end on its own line": Row("<IfModule ssl_module></IfModule>\n" + host_of("@c\n") + "</IfModule>\n" + A + B, AB, NEW),
    "a module that is loaded where it is not there": Row(
        "<IfModule !mod_headers.c>\n" + load("headers") + "</IfModule>\n<IfModule mod_headers.c>\n" + A + "</IfModule>\n" + B, AB, NEW,
    ),
    "a module that is loaded where its file is there": Row(
        f"<IfFile {MODULES}/mod_headers.so>\n" + load("headers") + f"</IfFile>\n<IfFile {MODULES}/mod_nss.so>\nLoadModule nss_module {MODULES}/mod_nss.so\n</IfFile>\n"
        "<IfModule mod_nss.c>\n" + host_of("@c\n") + "</IfModule>\n<IfModule headers_module>\n" + A + "</IfModule>\n" + B, AB, NEW,
    ),
    "hosts of other modules for TLS": Row(
        "<IfModule mod_gnutls.c>\n<VirtualHost *:@port>\nServerName a.test\nGnuTLSEnable on\nGnuTLSCertificateFile @c.pem\n</VirtualHost>\n</IfModule>\n"
        "<IfModule mod_tls.c>\nTLSEngine @port\nTLSCertificate @c.pem @c.key\n</IfModule>\n<IfModule mod_nss.c>\nNSSEngine on\n</IfModule>\n" + A + B, AB, NEW,
    ),
    "comments that look like sections": Row(
        "#<VirtualHost *:@port>\n#ServerName a.test\n#SSLCertificateFile @c.pem\n#</VirtualHost>\n" + host_of("# </VirtualHost>\n #<IfDefine X>\n" + PAIR + "#SSLCertificateFile @c.pem\n") + B, AB, NEW,
    ),
    "rewriting with signs of sections": Row(
        load("rewrite", "headers") + named(
            "ServerName a.test", 'RewriteEngine On\nRewriteCond %{HTTP:X} <100\nRewriteCond "%{TIME_HOUR}" ">1" [OR]\nRewriteRule ^/(.*)$ https://a.test/$1 [R=301,L]\n'
            'Header always set Strict-Transport-Security "max-age=63072000; includeSubDomains"\nHeader edit Set-Cookie ^(.*)$ "$1;Secure"') + B, AB, NEW,
    ),
    "a condition that is defined by a macro": Row(
        "<Macro On $x>\nDefine $x yes\n</Macro>\nUse On HOST\n<IfDefine HOST>\n" + A + "</IfDefine>\n" + B, AB, NEW,
    ),
}
TLS = {
    "a policy for names": Row("SSLStrictSNIVHostCheck on\n" + named("ServerName a.test", "SSLStrictSNIVHostCheck off") + B, {"a.test": "a", "b.test": "b"}, ("a.test",)),
    "protocols and ciphers of one host": Row(
        named("ServerName a.test", "SSLProtocol -all +TLSv1.2 +TLSv1.3\nSSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384\nSSLCipherSuite HIGH:!aNULL\nSSLHonorCipherOrder on\n"
              "SSLSessionTickets off\nSSLCompression off\nProtocols http/1.1\nSSLOptions +StrictRequire\nSSLVerifyDepth 3\nSSLUserName SSL_CLIENT_S_DN") + B, AB, NEW,
    ),
    "commands of OpenSSL that name no certificate": Row(
        named("ServerName a.test", "SSLOpenSSLConfCmd Options -SessionTicket\nSSLOpenSSLConfCmd Curves P-256:X25519\nSSLOpenSSLConfCmd SignatureAlgorithms ECDSA+SHA256:RSA+SHA256:RSA-PSS+SHA256") + B, AB, NEW,
    ),
    "stapling": Row("SSLStaplingCache shmcb:@home/staple(32768)\nSSLUseStapling on\n" + named("ServerName a.test", "SSLUseStapling off\nSSLStaplingResponderTimeout 1") + B, AB, NEW),
    "the key before its certificate": Row(host_of(KEY + "SSLCertificateFile «@a.pem|@full»\n") + B, AB, NEW),
    "the key behind everything": Row(A.replace("SSLCertificateKeyFile «@a.key|@key»\n", "").replace("</V", "<Location />\n</Location>\n\n\tSSLCertificateKeyFile   «@a.key|@key»\n</V") + B, AB, NEW),
    "a chain relative to a ServerRoot that changes": Row(
        "ServerRoot @etc\n" + host_of(PAIR.replace("@full", "@cert") + "SSLCertificateChainFile «../ssl/certs/a.pem|@chain»\n") + B + "ServerRoot @home\n", AB, NEW,
    ),
    "two chain files": Row(
        host_of("SSLCertificateChainFile @c.pem\n" + PAIR.replace("@full", "@cert") + "SSLCertificateChainFile «@a.pem|@chain»\n") + B, AB, NEW,
    ),
    "other certificates of the same names": Row(
        named("ServerName a.test", "SSLCACertificateFile @m.pem\nSSLCADNRequestFile @m.pem\nSSLVerifyClient optional_no_ca\nSSLProxyCACertificateFile @m.pem") + B, AB, NEW,
    ),
    "a path through links and dots": Row(
        host_of("SSLCertificateFile «@home/link/../link/a.pem|@full»\n" + KEY) + B, AB, NEW, links={"link": "@etc/ssl/certs"},
    ),
    "a variable that is not there yet": Row(
        host_of("SSLCertificateFile «q/${late}.pem|@full»\n" + KEY) + "Define late x\n" + B, AB, NEW, files={"q/x": "x\n"}, links={"q/${late}.pem": "@a.pem"},
    ),
    "a variable without a value": Row(
        "Define empty\n" + host_of('SSLCertificateFile "«q/${empty}.pem|@full»"\n' + KEY) + B, AB, NEW, files={"q/x": "x\n"}, links={"q/${empty}.pem": "@a.pem"},
    ),
    "a value with quotes and blanks": Row(
        'Define f "\\"@home/q/a b.pem\\""\n' + host_of("SSLCertificateFile «${f}|@full»\n" + KEY) + B, AB, NEW, files={"q/x": "x\n"}, links={"q/a b.pem": "@a.pem"},
    ),
    "a whole pair in variables": Row(
        'Define c "SSLCertificateFile @a.pem"\nDefine k "SSLCertificateKeyFile @a.key"\n' + host_of("«${c}|SSLCertificateFile @full»\n«${k}|SSLCertificateKeyFile @key»\n") + B, AB, NEW,
    ),
    "the pair of the main server behind all hosts, for one": Row(host_of(INSERT) + B + "@m\n", {"a.test": "m", "b.test": "b"}),
}
SITE = ("<Macro Site $name $file>\n<VirtualHost *:@port>\nServerName $name\nSSLEngine on\nSSLCertificateFile $file.pem\n"
        "SSLCertificateKeyFile $file.key\n</VirtualHost>\n</Macro>\n")
CERT = "@etc/ssl/both/a"
MADE = {"refused": ("config-not-understood", "Use Site")}
MACROS = {
    "parameters in name and file": Row(SITE + "Use Site a.test " + CERT + "\n" + B, AB, **MADE),
    "within conditions": Row(SITE + "<IfModule ssl_module>\n<IfDefine !X>\n  # here\n  Use Site a.test " + CERT + "\n</IfDefine>\n</IfModule>\n" + B, AB,
                             refused=("config-not-understood", "  Use Site")),
    "the macro in an included file": Row("Include m.inc\n" + B + "Use Site a.test " + CERT + "\n", {"a.test": "a", "b.test": "b"}, files={"m.inc": "# macros\n" + SITE}, **MADE),
    "its use in an included file": Row(
        SITE + B + "Include u.inc\n", {"a.test": "a", "b.test": "b"}, files={"u.inc": "# the site\n\nuse SITE a.test " + CERT + "\n"},
        refused=("config-not-understood", "u.inc", 3),
    ),
    "a macro that uses a macro": Row(
        SITE + "<Macro Both $n>\n# both\nUse Site $n.test @etc/ssl/both/$n\nUse Site www.$n.test @etc/ssl/both/$n\n</Macro>\n\nUse Both a\n" + B,
        {**AB, "www.a.test": "a"}, refused=("config-not-understood", "Use Both a"),
    ),
    "a macro that is made by a macro": Row(
        "<Macro Make $m>\n<Macro $m $name>\n<VirtualHost *:@port>\nServerName $name.test\nSSLEngine on\nSSLCertificateFile @etc/ssl/both/$name.pem\n"
        "SSLCertificateKeyFile @etc/ssl/both/$name.key\n</VirtualHost>\n</Macro>\n</Macro>\nUse Make Site2\nUse Site2 a\n" + B,
        AB, refused=("config-not-understood", "Use Site2 a"),
    ),
    "a pair of a macro of a macro, within the host": Row(
        "<Macro Cert $f>\nSSLCertificateFile $f.pem\nSSLCertificateKeyFile $f.key\n</Macro>\n<Macro Tls $f>\nSSLEngine on\nUse Cert $f\n</Macro>\n"
        "<VirtualHost *:@port>\nServerName a.test\n<IfModule ssl_module>\n\tUse Tls " + CERT + "\n</IfModule>\n</VirtualHost>\n" + B,
        AB, refused=("config-not-understood", "\tUse Tls"),
    ),
    "a macro that includes the pair": Row(
        "<Macro Tls $f>\nSSLEngine on\nInclude $f.inc\n</Macro>\n<VirtualHost *:@port>\nServerName a.test\nUse Tls p\n</VirtualHost>\n" + B, AB, NEW,
        files={"p.inc": PAIR},
    ),
    "a host around an included pair, by a macro": Row(
        "<Macro Vhost $n>\n<VirtualHost *:@port>\nServerName $n.test\nSSLEngine on\nInclude $n.inc\n</VirtualHost>\n</Macro>\nUse Vhost a\n" + B, AB,
        files={"a.inc": "@a\n"}, refused=("config-not-understood", "Use Vhost a"),
    ),
    "a macro that is used and defined anew": Row(
        "<Macro N>\nServerAlias c.test\n</Macro>\n" + host_of("Use N\n" + PAIR) + "<Macro N>\nServerAlias d.test\n</MACRO>\n" + host_of("use n\n@b\n", "b.test"),
        {**AB, "c.test": "a", "d.test": "b"}, (*NEW, "c.test"),
    ),
    "parameters of every kind": Row(
        "<Macro N $a %b @q>\nServerAlias $a.test %b\nErrorDocument 404 @q\n</Macro>\n" + host_of('Use N c d.test "it is \'gone\'"\n' + PAIR) + B,
        {**AB, "c.test": "a", "d.test": "a"}, (*NEW, "c.test", "d.test"),
    ),
    "another host beside those of macros": Row(SITE + A + "Use Site c.test @etc/ssl/both/c\n" + B, {**AB, "c.test": "c"}, NEW),
}
INCLUDED = {
    "links to directories within a directory": Row("Include tree\n" + B, AB, NEW, files={"real/deep/a.conf": A, "tree/x": "# x\n"}, links={"tree/sub": "../real"}),
    "a link in the middle of a pattern": Row(
        "IncludeOptional v*/*/t?s/*.conf\n" + B, {"a.test": "b", "b.test": "b"}, files={"real/tls/a.conf": A.replace("«@a.pem|@full»", "@a.pem").replace("«@a.key|@key»", "@a.key"), "vhosts/x/none": "Bad\n"},
        links={"vhosts/site": "../real"}, refused="no-endpoint",
    ),
    "links at the beginning and the end of a pattern": Row(
        "IncludeOptional link/*/t?s/*.conf\n" + B, AB, NEW, files={"real/x/tls/y": "Bad\n", "real/a": A}, links={"link": "real", "real/x/tls/a.conf": "@home/real/a"},
    ),
    "a pattern of files, directories and links to nothing": Row(
        "IncludeOptional sites/*\n" + B, AB, NEW, files={"sites/10-dir/a.conf": A, "sites/20": "# x\n"}, links={"sites/30": "/nowhere"},
    ),
    "sites-enabled is a link to elsewhere": Row(
        "IncludeOptional sites-enabled/*.conf\n", AB, NEW, files={"other/all/a.conf": A, "other/all/b.conf": B}, links={"sites-enabled": "@home/other/all"},
    ),
    "a name in UTF-8": Row("Include \"s/\xe6\x97\xa5\xe6\x9c\xac *.conf\"\n" + B, AB, NEW, files={"s/\xe6\x97\xa5\xe6\x9c\xac 1.conf".encode("latin-1").decode(): A}),
    "a host in three files": Row(
        "Include one\n" + B, AB, NEW, files={"one": "<VirtualHost *:@port>\nInclude two\nInclude three\n</VirtualHost>\n", "two": "ServerName a.test\n", "three": "SSLEngine on\n" + PAIR},
    ),
}
GRAMMAR = {
    "classes that are none": Row(
        "Include sub/[[:alpha:]].conf\nIncludeOptional sub/{a,b}.conf\n" + B, AB, NEW, files={"sub/a].conf": A, "sub/a.conf": "Bad\n", "sub/b.conf": "Bad\n"},
    ),
    "a bracket that is not closed": Row("Include sub/[a.conf\n" + B, AB, NEW, files={"sub/[a.conf": A, "sub/a.conf": "Bad\n"}),
    "ranges and what is in no range": Row(
        "Include sub/[0-9][!b-z].conf\nIncludeOptional sub/[z-a]*\nIncludeOptional sub/[]]x\n" + B, AB, NEW, files={"sub/1a.conf": A, "sub/1b.conf": "Bad\n", "sub/]x": "# x\n"},
    ),
    "hidden files by a pattern": Row("Include sub/.*.conf\nIncludeOptional sub/*.conf\n" + B, AB, NEW, files={"sub/.a.conf": A}),
    "no address before the port": Row("<VirtualHost :@port>\n</VirtualHost>\n", refused="config-syntax", starts=False),
    "nothing but a port": Row("<VirtualHost @port>\n</VirtualHost>\n", refused="config-syntax", starts=False),
    "a port by its name": Row(host_of("@c\n").replace("*:@port", "*:https") + A + B, AB, NEW),
    "Listen on every address, in other words": Row(A + B, AB, NEW, listen="Listen *:@port\n"),
    "Listen on all of IPv4": Row(A.replace("*:", "0.0.0.0:") + B.replace("*:", "_default_:"), AB, NEW, listen="Listen 0.0.0.0:@port https\n"),
    "an alias with a scheme": Row(B + A.replace("ServerName a.test", "ServerName a.test\nServerAlias https://c.test c.test:443 a.test"), {"a.test": "a", "c.test": "b"}, ("a.test",)),
    "quotes around the words of conditions": Row(
        '<IfModule "ssl_module">\n<IfVersion ">=" "2.4">\n' + A + "</IfVersion>\n</IfModule>\n<IfDefine 'X'>\n" + host_of("@c\n") + "</IfDefine>\n" + B, AB, NEW,
    ),
    "not not": Row("<IfDefine !!X>\n" + A + "</IfDefine>\n<IfModule !!ssl_module>\n" + B + "</IfModule>\n", AB, NEW),
    "a macro that closes a host and opens the next": Row(
        "<Macro Next $n>\n</VirtualHost>\n<VirtualHost *:@port>\nServerName $n\nSSLEngine on\n</Macro>\n" + A.replace("</VirtualHost>\n", "") + "Use Next b.test\n@b\n</VirtualHost>\n", AB, NEW,
    ),
    "a macro that closes a host and opens the next, as target": Row(
        "<Macro Next $n>\n</VirtualHost>\n<VirtualHost *:@port>\nServerName $n\nSSLEngine on\n</Macro>\n" + B.replace("</VirtualHost>\n", "") + "Use Next a.test\n@a\n</VirtualHost>\n",
        {"a.test": "a", "b.test": "b"}, refused=("config-not-understood", "Use Next"),
    ),
    "a macro's pair, and the host's own behind it": Row(
        "<Macro Pair>\n@c\n</Macro>\n" + host_of("Use Pair\n@a\n") + B, AB, refused=("config-not-understood", "Use Pair"),
    ),
    "HTTP/2": Row(load("http2") + "Protocols h2 http/1.1\n" + A.replace("ServerName a.test", "ServerName a.test\nProtocols h2 h2c http/1.1\nH2Push off\nH2ModernTLSOnly off") + B, AB, NEW),
    "a condition in a condition that is not read": Row(
        "<IfModule mod_none.c>\n<IfDefine X>\n</IfDefine>\n<VirtualHost>\n<Directory />\n</Directory>\n</VirtualHost>\nUse Nothing\n${NOTHING}\n</IfModule>\n" + A + B, AB, NEW,
    ),
    "a false condition with what is no configuration": Row("<IfDefine X>\n)( ~ ' \"\n\\\n>> <\n</IfDefine>\n".replace(">> <\n", ">> \n") + A + B, AB, NEW),
    "a variable in a section's name": Row("Define s VirtualHost\n" + A.replace("<VirtualHost", "<${s}").replace("</VirtualHost", "</${s}") + B, AB, NEW),
    "a variable that ends a host": Row("Define e </VirtualHost>\n" + A.replace("</VirtualHost>", "${e}") + B, AB, NEW),
    "a variable of two lines' words": Row('Define n "a.test d.test"\n' + A.replace("ServerName a.test", "ServerName x.a.test\nServerAlias ${n} ${N}") + B, {**AB, "d.test": "a"}, (*NEW, "d.test")),
    "Define of Define": Row('Define d "Define x @a.pem"\n${d}\n' + host_of("SSLCertificateFile «${x}|@full»\n" + KEY) + B, AB, NEW),
    "an Include by a variable": Row('Define i "Include sub/a.conf"\n${i}\n' + B, AB, NEW, files={"sub/a.conf": A}),
    "a star with a backslash before it": Row(
        "Include \"sub/\\*.conf\"\n" + B, files={"sub/*.conf": "# x\n"}, refused=("config-syntax", "Include"), starts=False,
    ),
    "a star with a backslash before it, and another": Row("Include \"sub/\\*.*f\"\n" + B, AB, NEW, files={"sub/*.conf": A, "sub/x.conf": "Bad\n"}),
    "the same host in two files by a link": Row("Include sub/*.conf\n" + B, AB, NEW, files={"sub/a.conf": A}, links={"sub/b.conf": "a.conf"}),
    "the pair by two links": Row(
        host_of("Include one.inc\n") + B, AB, NEW, files={"p.inc": PAIR}, links={"one.inc": "two.inc", "two.inc": "p.inc"},
    ),
    "an empty file among the includes": Row("Include sub/*\n", AB, NEW, files={"sub/0": "", "sub/1": A, "sub/2": "\n", "sub/3": "#", "sub/4": B}),
    "blanks at the ends of everything": Row((A + B).replace("\n", "  \t\n").replace("|@full»  \t", "|@full»  \t"), AB, NEW),
    "names of directives in every case": Row(
        "<virtualHOST *:@port>\nSERVERNAME a.test\nsslENGINE ON\nSSLcertificateFILE «@a.pem|@full»\nsslCERTIFICATEkeyfile «@a.key|@key»\n</VIRTUALhost>\n" + B, AB, NEW,
    ),
    "SSLEngine by a word of another case": Row(A.replace("SSLEngine on", "SSLEngine ON") + B.replace("SSLEngine on", 'SSLEngine "oN"'), AB, NEW),
    "a main server with names and hosts without": Row(
        "ServerName a.test\n" + A.replace("ServerName a.test\n", "") + B, AB, NEW,
    ),
    "the pair behind a section": Row(host_of("<Directory />\nOptions None\n</Directory>\n" + PAIR + "<Files x>\n</Files>\n") + B, AB, NEW),
}
ROWS = {**GRAMMAR, **NAMES, **PLACES, **AROUND, **TLS, **MACROS, **INCLUDED}


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for n, r in ROWS.items()])
def test_row(host, pki, ca, row):
    web = Plain(host)
    # where certificate and key have the same name
    (host.etc / "ssl/both").mkdir()
    for label in "abcdm":
        for kind, place in (("pem", "certs"), ("key", "private")):
            (host.etc / f"ssl/both/{label}.{kind}").symlink_to(f"../{place}/{label}.{kind}")
    check(web, pki, ca, row)


def test_a_link_in_the_middle_of_a_pattern_of_a_tree(tmp_path):
    """As on the host itself."""
    place = tmp_path / "etc/apache2"
    (place / "real/x").mkdir(parents=True)
    (place / "sites").mkdir()
    (place / "sites/link").symlink_to("../real")
    (place / "real/x/a.conf").write_text(host_of("SSLCertificateFile /a\n", "a.test").replace("@port", "443"))
    for pattern, count in (("sites/*/x/*.conf", 0), ("sites/link/*/*.conf", 1)):
        (place / "apache2.conf").write_text(f"Listen 443\nIncludeOptional {pattern}\n")
        assert len([e for e in Tool(root=tmp_path)("list").expect(OK).endpoints if e["name"]]) == count
