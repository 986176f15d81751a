# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations of every kind that httpd takes, as strange as they may be: what it serves is the judge."""

import contextlib
import json
import socket

import pytest
from apache.plain import MODULES, Plain
from apache.row import Row, Stage, check, deploy
from apache.test_lines import AB, KEY, NEW, B, host_of
from apache.test_reading import NONE, PAIR, A
from apache.test_serving import ALL, INSERT

from harness.scene import material
from harness.tool import OK, REFUSED

pytestmark = pytest.mark.needs("apache")

OLD_A = host_of("@a\n")
BOTH = "Listen 127.0.0.1:@port\nListen 127.0.0.1:@other\n"

LAYOUTS = {
    "RHEL: ssl.conf with its Listen and the stock host": Row(
        'Include conf.modules.d/*.conf\nIncludeOptional conf.d/*.conf\n',
        {"a.test": "a", "b.test": "b", None: "a", "x.test": "a"},
        ("a.test", None, "x.test"),
        listen="",
        files={
            "conf.modules.d/00-ssl.conf": "<IfModule !ssl_module>\nLoadModule ssl_module modules/mod_ssl.so\n</IfModule>\n",
            "conf.d/a.conf": A,
            "conf.d/ssl.conf": "Listen 127.0.0.1:@port https\nSSLSessionCacheTimeout  300\n\n<VirtualHost _default_:@port>\n"
            "ErrorLog @etc/ssl_error_log\nLogLevel warn\nSSLEngine on\nSSLHonorCipherOrder on\nSSLCipherSuite HIGH\n"
            "@m\n\n#SSLCertificateChainFile /etc/pki/tls/certs/server-chain.crt\n"
            '<FilesMatch "\\.(cgi|shtml|phtml|php)$">\n    SSLOptions +StdEnvVars\n</FilesMatch>\n'
            "</VirtualHost>\n\n",
            "conf.d/zz-b.conf": B,
            "conf.d/README": "Not a configuration\n",
        },
    ),
    "RHEL: the stock host alone has the name": Row(
        "IncludeOptional conf.d/*.conf\n",
        {"a.test": "a", "www.a.test": "a", None: "a"},
        ("a.test", "www.a.test", None),
        listen="",
        files={
            "conf.d/ssl.conf": "Listen 127.0.0.1:@port https\n<VirtualHost _default_:@port>\n#ServerName www.example.com:443\n"
            "ServerName a.test:@port\nServerAlias *.a.test\nSSLEngine on\n" + PAIR + "</VirtualHost>\n",
        },
    ),
    "SUSE": Row(
        "Include default-server.conf\nInclude listen.conf\nIncludeOptional vhosts.d/*.conf\n",
        AB,
        NEW,
        listen="",
        flags=("-DSSL",),
        files={
            "listen.conf": "<IfDefine SSL>\n    <IfDefine !NOSSL>\n\t<IfModule mod_ssl.c>\n\n"
            "\t    Listen 127.0.0.1:@port\n\n\t</IfModule>\n    </IfDefine>\n</IfDefine>\n",
            "default-server.conf": '<Directory "/srv/www/htdocs">\n\tAllowOverride None\n'
            "\t<IfModule !mod_access_compat.c>\n\t\tRequire all granted\n\t</IfModule>\n\t<IfModule mod_access_compat.c>\n"
            "\t\tOrder allow,deny\n\t\tAllow from all\n\t</IfModule>\n</Directory>\n",
            "vhosts.d/a-ssl.conf": "<IfDefine SSL>\n<IfDefine !NOSSL>\n\n\t" + A.replace("\n", "\n\t")
            + "\n</IfDefine>\n</IfDefine>\n",
            "vhosts.d/b.conf": B,
            "vhosts.d/vhost.template": "Nonsense <\n",
        },
    ),
    "Arch": Row(
        "# Secure (SSL/TLS) connections\nInclude conf/extra/httpd-ssl.conf\nInclude conf/extra/httpd-vhosts.conf\n"
        "<IfModule ssl_module>\nSSLRandomSeed startup builtin\nSSLRandomSeed connect builtin\n</IfModule>\n",
        AB,
        NEW,
        listen="",
        files={
            "conf/extra/httpd-ssl.conf": "Listen 127.0.0.1:@port\nSSLPassPhraseDialog  builtin\n<VirtualHost _default_:@port>\n"
            'DocumentRoot "/srv/http"\nServerName a.test:443\nServerAdmin you@example.com\nSSLEngine on\n'
            'SSLCertificateFile "«@a.pem|@full»"\n#SSLCertificateFile "/etc/httpd/conf/server-dsa.crt"\n'
            'SSLCertificateKeyFile "«@a.key|@key»"\nErrorDocument 404 \\\n          "a b"\n</VirtualHost>\n',
            "conf/extra/httpd-vhosts.conf": B,
        },
    ),
    "FreeBSD": Row(
        "ServerRoot @etc\nInclude httpd/Includes/*.conf\nIncludeOptional httpd/modules.d/[0-9][0-9][0-9]_*.conf\n",
        AB,
        NEW,
        files={"Includes/a.conf": A, "modules.d/280_b.conf": B, "modules.d/28_c.conf": "Bad\n", "Includes/x": "Bad\n"},
    ),
    "Debian: links to files and a conf-enabled pair": Row(
        "IncludeOptional mods-enabled/*.load\nIncludeOptional conf-enabled/*.conf\nIncludeOptional sites-enabled/*.conf\n",
        {"a.test": "m", "b.test": "m", None: "m"},
        NEW,
        files={
            "conf-available/tls.conf": "<IfModule mod_ssl.c>\n@m\n</IfModule>\n",
            "sites-available/000-a.conf": "<VirtualHost *:@port>\n\tServerName a.test\n\n\tSSLEngine on\n"
            "«|\tSSLCertificateFile @full\n\tSSLCertificateKeyFile @key\n»\tErrorLog @etc/error.log\n</VirtualHost>\n",
            "sites-available/b.conf": host_of("", "b.test"),
            "sites-available/c.conf": host_of("@c\n"),
            "conf-enabled/x": "# x\n",
            "sites-enabled/x": "# x\n",
        },
        links={
            "conf-enabled/tls.conf": "../conf-available/tls.conf",
            "sites-enabled/000-a.conf": "../sites-available/000-a.conf",
            "sites-enabled/b.conf": "@home/sites-available/b.conf",
        },
    ),
    "a link to the directory of sites": Row(
        "Include sites-enabled/*.conf\n",
        AB,
        NEW,
        files={"sites-available/a.conf": A, "sites-available/b.conf": B},
        links={"sites-enabled": "sites-available"},
    ),
    "a link to a link": Row(
        "Include enabled/*.conf\n" + B,
        AB,
        NEW,
        files={"real/a": A, "enabled/x": "# x\n", "available/x": "# x\n"},
        links={"enabled/a.conf": "../available/a.conf", "available/a.conf": "@home/real/a"},
    ),
}

CONDITIONS = {
    "all conditions around one another": Row(
        '<IfModule ssl_module>\n<IfDefine !X>\n  <IfVersion >= 2.4>\n<IfFile "httpd.conf">\n<IfDirective SSLEngine>\n'
        "<IfSection VirtualHost>\n" + A + "</IfSection>\n</IfDirective>\n</IfFile>\n  </IfVersion>\n</IfDefine>\n</IfModule>\n" + B,
        AB,
        NEW,
    ),
    "ends in comments, in a false branch": Row(
        "<IfDefine X>\n# </IfDefine>\n" + host_of("@c\n") + "  # <IfDefine Y>\n</IfDefine>\n" + A + B, AB, NEW
    ),
    "a false branch with a line continued into its end": Row(
        "<IfDefine X>\nFoo \\\n</IfDefine>\n" + host_of("@c\n") + "</IfDefine>\n" + A + B, AB, NEW
    ),
    "text behind the conditions": Row(
        "<IfDefine X> # not here\n" + host_of("@c\n") + "</IfDefine>\n<IfModule ssl_module> # here\n" + A + "</IfModule>\n" + B,
        AB,
        NEW,
    ),
    "capital letters and small ones": Row(
        "<IFMODULE mod_ssl.c>\n" + A.replace("VirtualHost", "VIRTUALHOST") + "</ifmodule>\n"
        "<ifdefine x>\n<VIRTUALHOST>\n</virtualhost>\n</IFDEFINE>\n" + B.replace("VirtualHost", "virtualhost"),
        AB,
        NEW,
    ),
    "blanks behind the ends": Row("<IfModule ssl_module>  \n" + A + "</IfModule>  \t\n" + B, AB, NEW),
    "blanks within the argument": Row("<IfModule  ssl_module >\n" + A + "</IfModule>\n<IfDefine ! X >\n" + B + "</IfDefine>\n",
        AB, NEW),
    "a module's name in another case": Row(
        "<IfModule SSL_MODULE>\n" + host_of("@c\n") + "</IfModule>\n<IfModule Mod_ssl.c>\n" + host_of("@c\n") + "</IfModule>\n"
        + A + B, AB, NEW
    ),
    "a variable in the condition": Row(
        "Define M ssl_module\nDefine N mod_none.c\n<IfModule ${M}>\n" + A + "</IfModule>\n<IfModule !${M}>\n" + host_of("@c\n")
        + "</IfModule>\n<IfDefine ${N}>\n</IfDefine>\n" + B,
        AB,
        NEW,
    ),
    "the condition by a variable": Row(
        'Define OPEN "<IfModule ssl_module>"\n${OPEN}\n' + A + "</IfModule>\n" + B, AB, NEW
    ),
    "SSLEngine within a condition, nothing else": Row(
        "@m\n<VirtualHost *:@port>\nServerName a.test\n<IfDefine !X>\n  SSLEngine on\n«|  SSLCertificateFile @full\n"
        "  SSLCertificateKeyFile @key\n»</IfDefine>\n</VirtualHost>\n" + B,
        {"a.test": "m", "b.test": "b"},
    ),
    "SSLEngine off within a false condition": Row(
        host_of("<IfDefine X>\nSSLEngine off\n</IfDefine>\n" + PAIR) + B, AB, NEW
    ),
    "a condition that begins in the host and holds the end of another": Row(
        host_of("<IfVersion = 2.4.1>\n" + NONE + "</IfVersion>\n<IfVersion ~ ^2\\.4>\n" + PAIR + "</IfVersion>\n") + B, AB, NEW
    ),
    "a version between slashes": Row(
        "<IfVersion = /^2.4/>\n" + A + "</IfVersion>\n<IfVersion != 2.4>\n" + host_of("@c\n").replace("*:", "127.0.0.3:")
        + "</IfVersion>\n" + B, AB, NEW
    ),
    "IfFile of a glob, of a directory": Row(
        "<IfFile *.conf>\n" + host_of("@c\n") + "</IfFile>\n<IfFile sub>\n" + A + "</IfFile>\n" + B,
        AB, NEW, files={"sub/x": "x\n"},
    ),
    "IfDefine of a variable with a value": Row(
        'Define X "x y"\n<IfDefine X>\n' + A + "</IfDefine>\n<IfDefine x>\n" + host_of("@c\n") + "</IfDefine>\n" + B, AB, NEW
    ),
    "other sections of every kind": Row(
        f"LoadModule proxy_module {MODULES}/mod_proxy.so\nLoadModule authn_core_module {MODULES}/mod_authn_core.so\n"
        f"LoadModule authz_host_module {MODULES}/mod_authz_host.so\n"
        + host_of(
            '<LocationMatch "^/x>y$">\nRequire all denied\n</LocationMatch>\n<If "%{HTTP_HOST} == \'a\' && 3 -gt 2">\n'
            "LimitRequestBody 0\n</If>\n<ElseIf true>\n</ElseIf>\n<Else>\n</Else>\n<Location />\n<LimitExcept GET>\n<RequireAll>\n<RequireAny>\n"
            'Require ip 10.0.0.0/8\n</RequireAny>\n</RequireAll>\n</LimitExcept>\n</Location>\n<FilesMatch ".+">\n</FilesMatch>\n'
            '<Proxy "http://x.test/*">\nProxySet keepalive=On\n</Proxy>\n<DirectoryMatch "^/(?<user>[^/]+)/">\n</DirectoryMatch>\n'
            + PAIR
        )
        + B,
        AB,
        NEW,
    ),
}

INCLUDING = {
    "globs within globs": Row(
        "Include conf/*/v*.d/[a-z]*.conf\n" + B,
        AB,
        NEW,
        files={
            "conf/x/vhosts.d/a.conf": A,
            "conf/x/vhosts.d/1.conf": "Bad\n",
            "conf/x/other/a.conf": "Bad\n",
            "conf/file": "Bad\n",
            "conf/.hidden/vhosts.d/a.conf": "Bad\n",
        },
    ),
    "negated and escaped globs": Row(
        "Include sub/[!c]?conf\nIncludeOptional sub/\\*.x\nInclude sub/[^.abd-z].cnf\n" + B,
        AB,
        NEW,
        files={"sub/a.conf": A, "sub/c.conf": "Bad\n", "sub/c.cnf": "# c\n", "sub/b.x": "Bad\n"},
    ),
    "a glob that matches a directory": Row(
        "Include conf.d/*\n" + B, AB, NEW, files={"conf.d/1": "# nothing\n", "conf.d/2/deep/a": A}
    ),
    "quotes around the path": Row(
        "Include 'sub/*.conf'\nInclude \"with blank/b\"\n", AB, NEW, files={"sub/a.conf": A, "with blank/b": B}
    ),
    "a chain of variables": Row(
        "Define BASE @home\nDefine SUB ${BASE}/sub\nDefine sites ${sub}/sites\nInclude ${SITES}/*.conf\n" + B,
        AB,
        NEW,
        files={"sub/sites/a.conf": A},
    ),
    "slashes and dots in the path": Row(
        "Include @home//sub/./../sub/*.conf\n" + B, AB, NEW, files={"sub/a.conf": A}
    ),
    "an include within a section": Row(
        host_of("<Directory />\nInclude dir.inc\n</Directory>\n" + PAIR) + B,
        AB,
        NEW,
        files={"dir.inc": "Require all granted\nDefine later @b.pem\n"},
    ),
    "the pair in a file of a file": Row(
        host_of("Include one.inc\n") + B, AB, NEW, files={"one.inc": "Include two.inc\n", "two.inc": PAIR}
    ),
    "certificate in one file and key in another": Row(
        host_of("Include c.inc\nInclude k.inc\n") + B,
        AB,
        NEW,
        files={"c.inc": "SSLCertificateFile «@a.pem|@full»\n", "k.inc": KEY},
    ),
    "a shared snippet within a shared snippet": Row(
        host_of("Include out.inc\n" + INSERT) + host_of("Include out.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"out.inc": "SSLProtocol all\nInclude in.inc\n", "in.inc": "@m\n"},
    ),
    "a shared snippet, by two links": Row(
        host_of("Include one.inc\n" + INSERT) + host_of("Include two.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"real.inc": "@m\n"},
        links={"one.inc": "real.inc", "two.inc": "real.inc"},
    ),
    "a shared snippet, by a glob": Row(
        host_of("IncludeOptional tls/*.inc\n" + INSERT) + host_of("Include tls/\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"tls/p.inc": "@m\n"},
    ),
    "a shared snippet twice in one host": Row(
        host_of("Include p.inc\nSSLProtocol all\nInclude p.inc\n" + INSERT) + host_of("Include p.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"p.inc": "@m\n"},
    ),
    "a pair in a snippet, once more in the host": Row(
        host_of("Include p.inc\nSSLCertificateFile «@a.pem|@full»\nSSLCertificateKeyFile «@a.key|@key»\n")
        + host_of("Include p.inc\n", "b.test"),
        {"a.test": "a", "b.test": "m"},
        files={"p.inc": "@m\n"},
    ),
    "a snippet of the main server and of hosts": Row(
        "Include p.inc\n" + host_of("Include p.inc\n" + INSERT) + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"p.inc": "@m\n"},
    ),
    "a shared chain, and what is inherited": Row(
        "@m\n" + host_of("Include c.inc\n«|SSLCertificateFile @cert\nSSLCertificateKeyFile @key\nSSLCertificateChainFile @chain\n»")
        + host_of("Include c.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"c.inc": "SSLCertificateChainFile @m.pem\n"},
    ),
    "a shared chain, and an own certificate with its key inside": Row(
        host_of("SSLCertificateFile «@a.both|@cert»\nInclude c.inc\n«|SSLCertificateKeyFile @key\nSSLCertificateChainFile @chain\n»")
        + host_of("Include c.inc\n@b\n", "b.test"),
        AB,
        NEW,
        files={"c.inc": "SSLCertificateChainFile @m.pem\n"},
    ),
    "a file of hosts that is read twice": Row(
        "@m\nInclude one.conf\nInclude one.conf\n",
        {"a.test": "m", "b.test": "m"},
        files={"one.conf": host_of(INSERT) + host_of("", "b.test")},
    ),
    "a combined file, read twice": Row(
        "Include one.conf\nInclude one.conf\n" + B,
        AB,
        NEW,
        files={"one.conf": host_of("SSLCertificateFile «@a.both|@full»\n«|SSLCertificateKeyFile @key\n»")},
    ),
    "the main server's pair, read twice": Row(
        "Include p.inc\nInclude p.inc\n" + host_of(INSERT + "«|SSLCertificateFile @full\nSSLCertificateKeyFile @key\n»")
        + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"},
        files={"p.inc": "@m\n"},
    ),
    "everything, where the main server's pair is read twice": Row(
        "Include p.inc\nInclude p.inc\n" + host_of("") + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"},
        ("a.test", "b.test"),
        ("--all",),
        files={"p.inc": "SSLCertificateFile «@m.pem|@full»\nSSLCertificateKeyFile «@m.key|@key»\n"},
    ),
    "a name with blanks, brackets and a hash": Row(
        "Include 'odd [x] #1/*.conf'\n" + B,
        AB,
        NEW,
        files={"odd x #1/a.conf": A, "odd [x] #1/a.conf": "Bad\n"},
    ),
}

WORDS = {
    "single quotes and blanks": Row(
        host_of("SSLCertificateFile '«@home/with blank/a.pem|@full»'\n" + KEY) + B,
        AB, NEW, files={"with blank/x": "x\n"}, links={"with blank/a.pem": "@a.pem"},
    ),
    "an escaped quote": Row(
        host_of('SSLCertificateFile "«@home/q/a\\"b.pem|@full»"\n' + KEY) + B,
        AB, NEW, files={"q/x": "x\n"}, links={'q/a"b.pem': "@a.pem"},
    ),
    "an escaped backslash": Row(
        host_of("SSLCertificateFile «@home/q/a\\\\b.pem|@full»\n" + KEY) + B,
        AB, NEW, files={"q/x": "x\n"}, links={"q/a\\b.pem": "@a.pem"},
    ),
    "a lone backslash": Row(
        host_of("SSLCertificateFile «@home/q/a\\b.pem|@full»\n" + KEY) + B,
        AB, NEW, files={"q/x": "x\n"}, links={"q/a\\b.pem": "@a.pem"},
    ),
    "a hash in the path": Row(
        host_of("SSLCertificateFile «@home/q/#a.pem|@full»\n" + KEY) + B,
        AB, NEW, files={"q/x": "x\n"}, links={"q/#a.pem": "@a.pem"},
    ),
    "a quote within the path": Row(
        host_of("SSLCertificateFile «@home/q/a'b.pem|@full»\n" + KEY) + B,
        AB, NEW, files={"q/x": "x\n"}, links={"q/a'b.pem": "@a.pem"},
    ),
    "8-bit bytes in the path": Row(
        host_of("SSLCertificateFile «@home/q/\xc3\xa4.pem|@full»\n" + KEY) + "# \xff\xfe\n" + B,
        AB, NEW, files={"q/x": "x\n"}, links={"q/\xe4.pem": "@a.pem"},
    ),
    "a quote and blanks behind": Row(host_of('SSLCertificateFile "«@a.pem|@full»"  \t\n' + KEY) + B, AB, NEW),
    "every kind of blank": Row(
        host_of("\v SSLCertificateFile\f\t«@a.pem|@full»\v\n\t \tSSLCertificateKeyFile \t «@a.key|@key»\t\n") + B, AB, NEW
    ),
    "a name in quotes": Row(host_of("'SSLCertificateFile' «@a.pem|@full»\n" + '"sslcertificatekeyfile" «@a.key|@key»\n') + B,
        AB, NEW),
    "a relative path, and up": Row(
        host_of("SSLCertificateFile «../ssl/certs/a.pem|@full»\nSSLCertificateKeyFile «./../ssl//private/a.key|@key»\n") + B, AB, NEW
    ),
    "a variable within a variable's name": Row(
        "Define a b\nDefine b @a.pem\n" + host_of("ServerAlias ${${a}} ${ ${a ${\n" + PAIR) + B, AB, NEW
    ),
    "a backslash before a variable": Row("Define x c\n" + host_of('ServerAlias "q.test" ${x}.test\n' + PAIR) + B, {**AB, "c.test": "a"},
        (*NEW, "c.test")),
    "a variable in the middle of quotes": Row(
        "Define d certs\n" + host_of("SSLCertificateFile '«@etc/ssl/${d}/a.pem|@full»'\n" + KEY) + B, AB, NEW
    ),
    "a variable that opens the host": Row(
        'Define open "<VirtualHost *:@port>"\n' + A.replace("<VirtualHost *:@port>", "${open}") + B, AB, NEW
    ),
    "a port from a variable of the environment": Row("Define P @port\n" + A.replace("@port", "${p}") + B, AB, NEW),
    "Define within the host before": Row(
        host_of("Define c @a.pem\n@b\n", "b.test") + host_of("SSLCertificateFile «${c}|@full»\n" + KEY),
        {"a.test": "a", "b.test": "b", None: "b"}, ("a.test",),
    ),
    "a variable redefined between certificate and key": Row(
        "Define f @a.pem\n" + host_of("SSLCertificateFile «${f}|@full»\nDefine f @a.key\nSSLCertificateKeyFile «${f}|@key»\n") + B,
        AB, NEW,
    ),
    "CRLF without a last newline": Row(
        ("@m\n" + B + host_of("«|SSLCertificateFile @full\nSSLCertificateKeyFile @key\n»"))
        .replace("\n", "\r\n").removesuffix("\r\n"),
        {"a.test": "m", "b.test": "b"},
    ),
    "tabs and comments before the line": Row(
        "@m\n<VirtualHost *:@port>\n\t# Engine \\\n\t  SSLEngine off\n\t\tServerName a.test\n\t  SSLEngine on\n«|\t  SSLCertificateFile @full\n"
        "\t  SSLCertificateKeyFile @key\n»</VirtualHost>\n" + B,
        {"a.test": "m", "b.test": "b"},
    ),
    "a comment continued behind SSLEngine": Row(
        "@m\n" + host_of("«|SSLCertificateFile @full\nSSLCertificateKeyFile @key\n»# SSLCertificateFile \\\n  /none.pem\n") + B,
        {"a.test": "m", "b.test": "b"},
    ),
    "a continued line before the end of the host": Row(
        "@m\n" + host_of("«|SSLCertificateFile @full\nSSLCertificateKeyFile @key\n»ServerAlias c.test \\\n\n") + B,
        {"a.test": "m", "b.test": "b", "c.test": "m"}, ("a.test", "c.test"),
    ),
    "the whole host on continued lines": Row(
        "<Virtual\\\nHost \\\n*:@port\\\n>\nServer\\\nName a.te\\\nst\nSSLEn\\\ngine o\\\nn\nSSLCertificateFile\\\n «@a.pem|@full»\n"
        "SSLCertificateKeyFile \\\n\\\n«@a.key|@key»\n</Virtual\\\nHost>\n" + B,
        AB, NEW,
    ),
    "a line of nothing but a backslash": Row(
        host_of("\\\nSSLCertificateFile «@a.pem|@full»\n\\\n\n" + KEY) + B, AB, NEW
    ),
    "NUL in a comment": Row("# x\0 y \\\n" + A + B, AB, NEW),
}

CERTIFICATES = {
    "an own chain, inherited pair": Row(
        "@m\n" + host_of("SSLCertificateChainFile «@m.pem|@chain»\n«|»").replace(
            "SSLEngine on\n", "SSLEngine on\n«|SSLCertificateFile @cert\nSSLCertificateKeyFile @key\n»"
        ) + B,
        {"a.test": "m", "b.test": "b"},
    ),
    "a chain that is the certificate itself": Row(
        host_of("SSLCertificateFile «@a.pem|@cert»\n" + KEY + "SSLCertificateChainFile «@a.pem|@chain»\n") + B, AB, NEW
    ),
    "the same pair twice": Row(
        host_of(PAIR + PAIR) + B, AB, NEW
    ),
    "certificate and key in one file, named twice": Row(
        host_of("SSLCertificateFile «@a.both|@full»\nSSLCertificateKeyFile «@a.both|@key»\n") + B, AB, NEW
    ),
    "a key alone, over an inherited pair": Row(
        "@m\n" + host_of("SSLCertificateKeyFile «@m.key|@key»\n«|SSLCertificateFile @full\n»") + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"},
    ),
    "two keys alone, over an inherited pair": Row(
        "@m\n" + host_of("SSLCertificateKeyFile «@m.key|@key»\nSSLCertificateKeyFile @c.key\n«|SSLCertificateFile @full\n»")
        + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"},
    ),
    "keys alone, of the main server": Row(
        "SSLCertificateKeyFile @m.key\n"
        + host_of("SSLCertificateFile «@m.pem|@full»\n«|SSLCertificateKeyFile @key\n»")
        + host_of("SSLCertificateFile @m.pem\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
    ),
    "a key alone, of the main server, and combined": Row(
        "SSLCertificateKeyFile @m.key\n" + A + B, AB, NEW
    ),
    "everything, where a key too many is in the main server": Row(
        "SSLCertificateFile «@m.pem|@full»\nSSLCertificateKeyFile «@m.key|@key»\nSSLCertificateKeyFile @c.key\n" + host_of("") + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"}, ("a.test", "b.test"), ("--all",),
    ),
    "the main server's pair and a host's own, everything": Row(
        "SSLCertificateFile «@m.pem|@full»\nSSLCertificateKeyFile «@m.key|@key»\n" + A + host_of("", "b.test") + host_of("", "c.test"),
        {"a.test": "a", "b.test": "m", "c.test": "m"}, ("a.test", "b.test", "c.test"), ("--all",),
    ),
    "proxied elsewhere with certificates of its own": Row(
        f"LoadModule proxy_module {MODULES}/mod_proxy.so\nLoadModule proxy_http_module {MODULES}/mod_proxy_http.so\n"
        + host_of(
            "SSLProxyEngine on\nSSLProxyVerify none\nSSLProxyCheckPeerName off\nSSLProxyMachineCertificateFile @m.both\n"
            "SSLProxyCACertificateFile @m.pem\nProxyPass / https://127.0.0.1:1/\n" + PAIR
            + "SSLCACertificateFile @m.pem\nSSLVerifyClient optional_no_ca\n"
        ) + B, AB, NEW,
    ),
}

ADDRESSES = {
    "two addresses, one of them TLS": Row(
        "<VirtualHost *:@port *:@other>\nServerName a.test\n" + PAIR + "</VirtualHost>\n",
        {"a.test": "a", "a.test@127.0.0.1:other": "a"}, ("a.test", "a.test@127.0.0.1:other"),
        listen="Listen @port https\nListen @other\n",
    ),
    "the first address decides": Row(
        "<VirtualHost *:@other *:@port>\nServerName a.test\n@a\n</VirtualHost>\n",
        {"a.test": None, "a.test@127.0.0.1:other": None}, listen="Listen @port https\nListen @other\n", refused="no-endpoint",
    ),
    "a twin of plain HTTP": Row(
        "<VirtualHost *:@other>\nServerName a.test\nServerAlias *\n</VirtualHost>\n" + A
        + "<VirtualHost *:@other>\nServerName b.test\n</VirtualHost>\n" + B,
        {**AB, "a.test@127.0.0.1:other": None}, NEW, listen=BOTH,
    ),
    "a twin on another port of TLS": Row(
        A + A.replace("@port", "@other").replace("a.pem", "c.pem").replace("a.key", "c.key") + B,
        {**AB, "a.test@127.0.0.1:other": "c"}, (*NEW, "a.test@127.0.0.1:other"), listen=BOTH,
    ),
    "only one port of a name": Row(
        A + OLD_A.replace("@port", "@other") + B,
        {**AB, "a.test@127.0.0.1:other": "a"}, NEW, ("--listener", "*:@port"), listen=BOTH,
    ),
    "a host of both families": Row(
        A.replace("*:@port", "127.0.0.1:@port [::1]:@port") + B.replace("*:@port", "[::1]:@port 127.0.0.1:@port"),
        {**AB, "a.test@::1:port": "a", "b.test@::1:port": "b"}, (*NEW, "a.test@::1:port"), listen=ALL,
    ),
    "IPv4 within IPv6": Row(
        A.replace("*:", "[::ffff:127.0.0.1]:") + B, {"a.test": "a", "a.test@127.0.0.2:port": "b"}, ("a.test",), listen=ALL,
    ),
    "other ways to write an address": Row(
        A.replace("*:", "[0:0:0:0:0:0:0:1]:") + B, {"a.test": "b", "a.test@::1:port": "a"}, ("a.test@::1:port",), listen=ALL,
    ),
    "Listen twice for one port": Row(
        A + B, AB, NEW, listen="Listen 127.0.0.1:@port\nListen 127.0.0.2:@port\nListen [::1]:@port\n",
    ),
    "_default_ without a port": Row(
        A.replace("*:@port", "_default_") + B, {"a.test": "b", "a.test@127.0.0.1:other": "a"}, ("a.test@127.0.0.1:other",),
        listen=BOTH,
    ),
    "_default_ in capital letters": Row(A.replace("*:", "_DEFAULT_:") + B, AB, NEW),
    "names that overlap": Row(
        host_of("ServerAlias a.test *.a.test\nSSLCertificateFile «@c.pem|@full»\nSSLCertificateKeyFile «@c.key|@key»\n", "c.test")
        + OLD_A + B,
        {"c.test": "c", "a.test": "c", "q.a.test": "c", "b.test": "b"}, ("c.test", "a.test", "q.a.test"),
    ),
    "an alias before, a name behind, on other addresses": Row(
        host_of("ServerAlias a.test\nSSLCertificateFile «@c.pem|@full»\nSSLCertificateKeyFile «@c.key|@key»\n", "c.test")
        .replace("*:", "127.0.0.2:") + A + B,
        {"a.test": "a", "b.test": "b", "a.test@127.0.0.2:port": "c", None: "a"}, ("a.test", None, "a.test@127.0.0.2:port"), listen=ALL,
    ),
    "names in capital letters, as target": Row(
        A.replace("a.test", "A.TeSt") + B, {**AB, "a.TEST": "a"}, (*NEW, "a.TEST"), ("--hostname", "A.tEST"),
    ),
    "a trailing dot, as target": Row(A + B, AB, NEW, ("--hostname", "a.test.")),
    "an alias with a trailing dot": Row(
        A.replace("ServerName a.test", "ServerName a.test\nServerAlias c.test.") + B, {**AB, "c.test": "a"}, (*NEW, "c.test"),
    ),
    "names in another script": Row(
        A.replace("ServerName a.test", "ServerName a.test\nServerAlias b\xfccher.test xn--bcher-kva.test") + B,
        {**AB, "xn--bcher-kva.test": "a"}, (*NEW, "xn--bcher-kva.test"), ("--hostname", "xn--bcher-kva.test"),
    ),
    "an underscore": Row(
        A.replace("ServerName a.test", "ServerName a_b.test\nServerAlias a.test") + B, {**AB, "a_b.test": "a"}, (*NEW, "a_b.test"),
        ("--hostname", "a_b.test"),
    ),
    "a scheme without a port": Row(A.replace("ServerName a.test", "ServerName HTTPS://a.test") + B, AB, NEW),
    "aliases that are no names": Row(
        A.replace("ServerName a.test", 'ServerName a.test\nServerAlias "" " " a..test - # [::1] 127.0.0.1') + B, AB, NEW,
    ),
    "the first host without a name": Row(
        A.replace("ServerName a.test\n", "") + B, {None: "a", "b.test": "b", "main.test": "a"}, (None, "main.test"), ("--default",),
    ),
    "SSLEngine on for all, off for one": Row(
        "SSLEngine on\n@m\n<VirtualHost *:@other>\nSSLEngine off\nServerName a.test\n</VirtualHost>\n" + A.replace("SSLEngine on\n", "") + B,
        {**AB, "a.test@127.0.0.1:other": None}, NEW, listen=BOTH,
    ),
    "SSLEngine optional for all": Row("SSLEngine optional\n" + A + B, AB, NEW),
    "Protocol https for all": Row(
        "Protocol https\n" + A.replace("SSLEngine on\n", "") + B.replace("SSLEngine on\n", ""), AB, NEW,
    ),
    "Protocol http against Listen https": Row(
        A.replace("SSLEngine on\n", "") + B, AB, NEW, listen="Listen @port https\n",
    ),
    "Listen https, and a host with nothing of the core": Row(
        "<VirtualHost *:@port>\n@a\n<IfModule ssl_module>\nSSLProtocol all\n</IfModule>\n</VirtualHost>\n", {None: None, "main.test": None},
        target=("--default",), listen="Listen @port https\n", refused="no-endpoint",
    ),
    "Listen https, and a host with a directive of the core": Row(
        "<VirtualHost *:@port>\n" + PAIR + "timeout 60\n</VirtualHost>\n", {None: "a", "main.test": "a"}, (None, "main.test"),
        ("--default",), listen="Listen @port https\n",
    ),
    "Listen https, and a host with a section of the core": Row(
        "<VirtualHost *:@port>\n" + PAIR + "<Location />\n</Location>\n</VirtualHost>\n", {None: "a", "main.test": "a"},
        (None, "main.test"), ("--default",), listen="Listen @port https\n",
    ),
    "Protocol https for all, and a host with nothing of the core": Row(
        "Protocol https\n<VirtualHost *:@port>\n" + PAIR + "</VirtualHost>\n", {None: "a", "main.test": "a"}, (None, "main.test"),
        ("--default",),
    ),
    "no host at all": Row(
        "SSLEngine on\n" + PAIR, {"main.test": "a", "x.test": "a"}, ("main.test", "x.test"), ("--default",),
    ),
    "the main server in an included file": Row(
        "Include main.inc\n" + B.replace("*:", "127.0.0.2:"), {"main.test": "a", f"b.test@127.0.0.2:port": "b"}, ("main.test",),
        ("--hostname", "main.test"), listen=ALL, files={"main.inc": "SSLEngine on\n" + PAIR},
    ),
}

MACROS = {
    "a macro with words in quotes": Row(
        "<Macro Names $a %b>\nServerAlias $a %b\n</Macro>\n" + host_of('Use Names "c.test d.test" e.test\n' + PAIR) + B,
        {**AB, "c.test": "a", "d.test": "a", "e.test": "a"}, (*NEW, "c.test", "d.test", "e.test"),
    ),
    "a macro of a macro": Row(
        "<Macro In $n>\nServerAlias $n.test\n</Macro>\n<Macro Out $x>\nUse In $x\nUse In e\n</Macro>\n"
        + host_of("Use Out c\n" + PAIR) + B,
        {**AB, "c.test": "a", "e.test": "a"}, (*NEW, "c.test", "e.test"),
    ),
    "a macro in an included file, undefined again": Row(
        "Include m.inc\n" + host_of("Use Names\n" + PAIR) + "UndefMacro names\n<Macro Names>\nServerAlias e.test\n</Macro>\n"
        + host_of("Use Names\n@b\n", "b.test"),
        {**AB, "c.test": "a", "e.test": "b"}, (*NEW, "c.test"), files={"m.inc": "<Macro names>\nServerAlias c.test\n</Macro>\n"},
    ),
    "a macro around the pair's conditions": Row(
        "<Macro If>\n<IfModule ssl_module>\n</Macro>\n<Macro Fi>\n</IfModule>\n</Macro>\n" + host_of(PAIR) + B, AB, NEW
    ),
    "Use in a false branch": Row("<IfDefine X>\nUse Nothing\n</IfDefine>\n" + A + B, AB, NEW),
    "everything but the host of a macro": Row(
        "<Macro Site $n>\n<VirtualHost *:@port>\nServerName $n.test\nSSLEngine on\nSSLCertificateFile @etc/ssl/certs/$n.pem\n"
        "SSLCertificateKeyFile @etc/ssl/private/$n.key\n</VirtualHost>\n</Macro>\n" + A + "Use Site d\n",
        {"a.test": "a", "d.test": "d"}, ("a.test",), ("--all",), warns=("config-not-understood",),
    ),
    "everything but the lines of a macro": Row(
        "<Macro Pair>\n@d\n</Macro>\n" + A + host_of("Use Pair\n", "d.test"),
        {"a.test": "a", "d.test": "d"}, ("a.test",), ("--all",), warns=("config-not-understood",),
    ),
    "everything, where the main server's lines are a macro's": Row(
        "<Macro Pair>\n@m\n</Macro>\nUse Pair\n" + host_of(INSERT) + host_of(INSERT, "b.test"),
        {"a.test": "m", "b.test": "m"}, ("a.test", "b.test"), ("--all",),
    ),
}
MD = f"LoadModule md_module {MODULES}/mod_md.so\nMDCertificateAgreement accepted\nMDStoreDir @etc/md\nMDRenewMode manual\n"
C_OF_MD = "MDCertificateFile @c.pem\nMDCertificateKeyFile @c.key\n"
LEFT = {"refused": "managed-elsewhere"}
MANAGED = {
    "files for mod_md": Row(MD + f"<MDomain a.test>\n{C_OF_MD}</MDomain>\n" + host_of("") + B, {"a.test": "c", "b.test": "b"}, **LEFT),
    "files for mod_md and an alias": Row(
        MD + f"<MDomainSet www.a.test a.test manual>\n{C_OF_MD}</MDomainSet>\n" + host_of("ServerAlias www.a.test\n") + B,
        {"a.test": "c", "www.a.test": "c"}, **LEFT,
    ),
    "two pairs for mod_md": Row(
        MD + "<MDomain a.test>\nMDCertificateFile @c.pem\nMDCertificateKeyFile @c.key\nMDCertificateFile ../ssl/certs/d.pem\n"
        "MDCertificateKeyFile @d.key\n</MDomain>\n" + host_of("") + B,
        {"a.test": "d", "b.test": "b"}, **LEFT,
    ),
    "files for mod_md before the host's own": Row(
        MD + f"<MDomain a.test>\n{C_OF_MD}</MDomain>\n" + OLD_A + B, {"a.test": "c", "b.test": "b"}, **LEFT
    ),
    "files for mod_md before those of the main server": Row(
        MD + f"@m\n<MDomain a.test>\n{C_OF_MD}</MDomain>\n" + host_of("") + B, {"a.test": "c", "b.test": "b"}, **LEFT
    ),
    "files for mod_md, and a ServerRoot behind": Row(
        MD + "<MDomain a.test>\nMDCertificateFile certs/c.pem\nMDCertificateKeyFile private/c.key\n</MDomain>\nServerRoot @etc/ssl\n"
        + host_of("") + B,
        {"a.test": "c", "b.test": "b"}, **LEFT,
    ),
    "a member for mod_md": Row(
        MD + f"<MDomain a.test>\nMDMember d.test\n{C_OF_MD}</MDomain>\n" + host_of("") + host_of("", "d.test") + B,
        {"a.test": "c", "d.test": "c"}, target=("--hostname", "d.test"), **LEFT,
    ),
    "a wildcard for mod_md": Row(
        MD + f"<MDomain *.a.test>\n{C_OF_MD}</MDomain>\n" + host_of("", "x.a.test") + B,
        {"x.a.test": "c"}, target=("--hostname", "x.a.test"), **LEFT,
    ),
    "a wildcard alias of what is mod_md's": Row(
        MD + f"<MDomain x.a.test>\n{C_OF_MD}</MDomain>\n" + host_of("ServerAlias *.a.test\n") + B, {"a.test": "c"}, **LEFT
    ),
    "a neighbour with files for mod_md": Row(
        MD + f"<MDomain b.test>\n{C_OF_MD}</MDomain>\n" + A + host_of("", "b.test"), {"a.test": "a", "b.test": "c", None: "a"}, NEW
    ),
    "everything but what is mod_md's": Row(
        MD + f"<MDomain d.test>\n{C_OF_MD}</MDomain>\n" + A + host_of("@d\n", "d.test"), {"a.test": "a", "d.test": "c", None: "a"}, NEW,
        ("--all",), warns=("managed-elsewhere",),
    ),
}
TWO = "SSLCertificateFile «@m.pem|@full»\nSSLCertificateKeyFile «@m.key|@key»\n"
MORE = {
    "quotes around every word": Row(
        A.replace("SSLEngine on", "SSLEngine \"on\"").replace("ServerName a.test", "'ServerName' \"a.test\"\nServerAlias \"c.test\" 'd.test'")
        .replace("*:@port>", "\"127.0.0.1:@port\" '[::1]:@port'>") + B.replace("*:", "127.0.0.1:"),
        {**AB, "c.test": "a", "d.test@::1:port": "a"}, (*NEW, "c.test", "d.test@::1:port"),
        listen="\"Listen\" '127.0.0.1:@port' \"https\"\nListen \"[::1]:@port\"\n",
    ),
    "a hash among the aliases": Row(
        B + A.replace("ServerName a.test", "ServerName a.test\nServerAlias c.test # d.test #e.test"),
        {"a.test": "a", "c.test": "a", "d.test": "a", "e.test": "b"}, ("a.test", "c.test", "d.test"),
    ),
    "thousands of aliases on continued lines": Row(
        B + A.replace("ServerName a.test", "ServerName a.test\nServerAlias " + " \\\n".join(f"n{i}.test" for i in range(3000)) + " c.test"),
        {"a.test": "a", "n0.test": "a", "n2999.test": "a", "c.test": "a"}, ("a.test", "n0.test", "n2999.test", "c.test"),
    ),
    "a comment of a hundred thousand bytes": Row("# " + "x" * 100000 + " \\\n" + "y" * 100000 + "\n" + A + B, AB, NEW),
    "text behind the opening": Row(A.replace(":@port>", ":@port>SSLEngine off"), {"a.test": "a"}),
    "the opening continued into the next line": Row(
        "@m\n" + host_of("").replace(">\nServerName a.test\nSSLEngine on\n", "> \\\nServerName none.test\n«|SSLCertificateFile @full\n"
        "SSLCertificateKeyFile @key\n»ServerName a.test\nInclude engine.inc\n") + B,
        {"a.test": "m", "b.test": "b"}, files={"engine.inc": "SSLEngine on\n"},
    ),
    "two files that define the same variable": Row(
        "Include one.conf\nInclude two.conf\n",
        AB, NEW,
        files={
            "one.conf": "Define cert @a.pem\nDefine key @a.key\n"
            + host_of("SSLCertificateFile «${cert}|@full»\nSSLCertificateKeyFile «${key}|@key»\n"),
            "two.conf": "Define cert @b.pem\nDefine key @b.key\n" + host_of("SSLCertificateFile ${cert}\nSSLCertificateKeyFile ${key}\n", "b.test"),
        },
    ),
    "the definition behind its use": Row(
        "ErrorDocument 404 ${late}\nDefine late x\n" + A + "Define ${late} @b.pem\n" + host_of("SSLCertificateFile ${x}\nSSLCertificateKeyFile @b.key\n", "b.test"),
        AB, NEW,
    ),
    "what looks like a map": Row(host_of("ErrorDocument 404 \"${map:key} ${x:-y}\"\n" + PAIR) + B, AB, NEW),
    "twins that share their snippet with nobody": Row(
        host_of("Include p.inc\n") + host_of("Include p.inc\n").replace("@port", "@other") + B,
        {"a.test": "m", "a.test@127.0.0.1:other": "m", "b.test": "b", None: "m"}, (*NEW, "a.test@127.0.0.1:other"),
        listen=BOTH, files={"p.inc": TWO},
    ),
    "twins that share their snippet with another": Row(
        host_of("Include p.inc\n" + INSERT) + host_of("Include p.inc\n" + INSERT).replace("@port", "@other") + host_of("Include p.inc\n", "b.test"),
        {"a.test": "m", "a.test@127.0.0.1:other": "m", "b.test": "m", None: "m"}, (*NEW, "a.test@127.0.0.1:other"),
        listen=BOTH, files={"p.inc": "@m\n"},
    ),
    "one key for all in a snippet": Row(
        host_of("SSLCertificateFile @m.pem\nInclude k.inc\n" + INSERT) + host_of("SSLCertificateFile @m.pem\nInclude k.inc\n", "b.test"),
        {"a.test": "m", "b.test": "m"}, files={"k.inc": "SSLCertificateKeyFile @m.key\n"},
    ),
    "one key for all in a snippet before the certificate": Row(
        host_of("Include k.inc\nSSLCertificateFile @m.pem\n" + INSERT) + host_of("Include k.inc\nSSLCertificateFile @m.pem\n", "b.test"),
        {"a.test": "m", "b.test": "m"}, files={"k.inc": "SSLCertificateKeyFile @m.key\n"},
    ),
    "one key for all in the main server": Row(
        "SSLCertificateKeyFile @m.key\n" + host_of("SSLCertificateFile «@m.pem|@full»\n«|SSLCertificateKeyFile @key\n»")
        + host_of("SSLCertificateFile @m.pem\n", "b.test"),
        {"a.test": "m", "b.test": "m"},
    ),
    "a combined file of the main server": Row(
        "SSLCertificateFile @m.both\n" + host_of(INSERT) + host_of("", "b.test"), {"a.test": "m", "b.test": "m"},
    ),
    "everything, a combined file of the main server": Row(
        "SSLCertificateFile «@m.both|@full»\n«|SSLCertificateKeyFile @key\n»" + host_of("") + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"}, ("a.test", "b.test"), ("--all",),
    ),
    "everything, and hosts with SSLEngine off": Row(
        TWO + host_of("") + host_of("@c\n", "c.test").replace("SSLEngine on", "SSLEngine off").replace("@port", "@other") + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m", "c.test@127.0.0.1:other": None}, ("a.test", "b.test"), ("--all",), listen=BOTH,
    ),
    "the defaults of two ports": Row(
        A + B + A.replace("@port", "@other") + B.replace("@port", "@other"),
        {**AB, "a.test@127.0.0.1:other": "a", "b.test@127.0.0.1:other": "b"}, (*NEW, "a.test@127.0.0.1:other"), ("--default",), listen=BOTH,
    ),
    "several names at once": Row(
        A + host_of("@d\n", "d.test") + A.replace("ServerName a.test", "ServerName c.test"),
        {"a.test": "a", "c.test": "a", "d.test": "d"}, ("a.test", "c.test"), ("--hostname", "a.test", "--hostname", "c.test"),
    ),
    "a pattern of names": Row(
        A + host_of("@d\n", "d.test") + A.replace("ServerName a.test", "ServerName c.test"),
        {"a.test": "a", "c.test": "a", "d.test": "d"}, ("a.test", "c.test"), ("--hostname", "~^[ac]\\.test$"),
    ),
    "by the certificate's own names": Row(
        A + host_of("@d\n", "d.test") + A.replace("ServerName a.test", "ServerName c.test"),
        {"a.test": "a", "c.test": "a", "d.test": "d"}, ("a.test", "c.test"), (),
    ),
    "a wildcard as target": Row(
        host_of("@d\n", "d.test") + A.replace("ServerName a.test", "ServerName other.test\nServerAlias *.a.test"),
        {"x.a.test": "a", "y.z.a.test": "a", "d.test": "d"}, ("x.a.test", "y.z.a.test"), ("--hostname", "*.a.test"),
    ),
    "a name below a wildcard in the middle": Row(
        host_of("@d\n", "d.test") + A.replace("ServerName a.test", "ServerName other.test\nServerAlias a*t c?.test"),
        {"a.test": "a", "axt": "a", "cc.test": "a", "d.test": "d"}, ("a.test", "axt", "cc.test"), ("--hostname", "a.test"),
    ),
    "the name in two hosts of two ports, one in vain": Row(
        A + OLD_A.replace("@port", "9") + B, AB, NEW,
    ),
    "a host of ports that are not there and of one that is": Row(A.replace("*:@port", "*:9 10.255.255.1 *:@port") + B, AB, NEW),
    "ServerRoot in quotes, with a slash at its end": Row(
        'ServerRoot "@home/"\nInclude sub/a.conf\nServerRoot @etc\nInclude httpd/b.conf\nServerRoot \'@home\'\n', AB, NEW,
        files={"sub/a.conf": A, "b.conf": B},
    ),
    "a file of both endings": Row(
        "Include one.conf\n", {"a.test": "m", "b.test": "m", None: "m"}, NEW,
        files={"one.conf": "SSLCertificateFile @m.pem\r\nSSLCertificateKeyFile @m.key\n" + host_of("«|SSLCertificateFile @full\r\nSSLCertificateKeyFile @key\r\n»")
               .replace("SSLEngine on\n", "\tSSLEngine on\r\n", 1).replace("«|SSL", "«|\tSSL").replace("\r\nSSLCertificateKeyFile @key", "\r\n\tSSLCertificateKeyFile @key")
               + host_of("", "b.test")},
    ),
    "a file that is only its host, without an end of line": Row(
        "@m\nInclude one.conf\n" + host_of("", "b.test"), {"a.test": "m", "b.test": "m"},
        files={"one.conf": "<VirtualHost *:@port>\n    ServerName a.test\n    SSLEngine on\n«|    SSLCertificateFile @full\n    SSLCertificateKeyFile @key\n»</VirtualHost>"},
    ),
    "an empty host": Row(
        "SSLEngine on\n" + TWO.replace("«@m.pem|@full»", "@m.pem").replace("«@m.key|@key»", "@m.key")
        + "<VirtualHost *:@port>\n</VirtualHost>\n" + A, {"a.test": "a", None: "m", "main.test": "m"}, ("a.test",),
    ),
    "an empty host gets its own": Row(
        "SSLEngine on\n@m\n<VirtualHost *:@port>\n«|\tSSLCertificateFile @full\n\tSSLCertificateKeyFile @key\n»</VirtualHost>\n" + host_of("@a\n"),
        {"a.test": "a", None: "m", "main.test": "m"}, (None, "main.test"), ("--default",),
    ),
    "an own RSA pair beside a shared ECDSA pair": Row(
        host_of("Include p.inc\n" + INSERT) + host_of("Include p.inc\n", "b.test"), {"a.test": "m", "b.test": "m"}, files={"p.inc": "# x\n@m\n# y"},
    ),
    "a snippet without a last newline": Row(
        host_of("Include p.inc\n") + B, AB, NEW, files={"p.inc": "SSLCertificateFile «@a.pem|@full»\nSSLCertificateKeyFile «@a.key|@key»"},
    ),
    "a snippet that ends in a comment": Row(
        host_of("Include p.inc\n") + B, AB, NEW, files={"p.inc": "SSLCertificateFile «@a.both|@full»\n«|SSLCertificateKeyFile @key\n»# the end"},
    ),
    "Use over several lines": Row(
        "<Macro Names $a $b>\n  # $a\n\tServerAlias $a \\\n  $b\n</Macro>\n" + host_of("Use \\\n Names c.test \\\n  d.test\n" + PAIR) + B,
        {**AB, "c.test": "a", "d.test": "a"}, (*NEW, "c.test", "d.test"),
    ),
    "a macro with a variable": Row(
        "Define T test\n<Macro Names $a>\nServerAlias $a.${T}\n</Macro>\nDefine T none\n" + host_of("Define T test\nUse Names c\n" + PAIR) + B,
        {**AB, "c.test": "a"}, (*NEW, "c.test"),
    ),
    "arguments that begin alike": Row(
        "<Macro Names $a $ab>\nServerAlias $ab.test $a.test\n</Macro>\n" + host_of("Use Names c d\n" + PAIR) + B,
        {**AB, "c.test": "a", "d.test": "a"}, (*NEW, "c.test", "d.test"),
    ),
    "SSLEngine from a macro, pair by hand": Row("<Macro Tls>\nSSLEngine on\n</Macro>\n" + host_of("Use Tls\n" + PAIR).replace("SSLEngine on\n", "", 1) + B, AB, NEW),
    "SSLEngine from a macro, pair inherited": Row(
        "@m\n<Macro Tls>\nSSLEngine on\n</Macro>\n<VirtualHost *:@port>\n«|  SSLCertificateFile @full\n  SSLCertificateKeyFile @key\n»  ServerName a.test\n"
        "  Use Tls\n</VirtualHost>\n" + B,
        {"a.test": "m", "b.test": "b"},
    ),
}
MADE_D = (
    "<Macro S $n>\n<VirtualHost *:@port>\nServerName $n.test\nSSLEngine on\n{0}</VirtualHost>\n</Macro>\n{1}Use S d\n"
)
CONFCMD = "SSLOpenSSLConfCmd Certificate @c.pem\nSSLOpenSSLConfCmd PrivateKey @c.key\n"
LEFT_ALONE = {"target": ("--all",), "warns": ("config-not-understood",)}
STILL_MORE = {
    "a shared snippet with a variable for the site": Row(
        "Define SITE a\n" + host_of("Include p.inc\n" + INSERT) + "Define SITE b\n" + host_of("Include p.inc\n", "b.test"),
        AB,
        NEW,
        files={"p.inc": "SSLCertificateFile @etc/ssl/certs/${SITE}.pem\nSSLCertificateKeyFile @etc/ssl/private/${SITE}.key\n"},
    ),
    "if the certificate's file is there": Row(
        host_of("<IfFile @a.pem>\n" + PAIR + "</IfFile>\n<IfFile !@a.pem>\n@m\n</IfFile>\n") + B, AB, NEW
    ),
    "an IPv6 address as target": Row(
        B + A.replace("*:", "[::1]:"),
        {"a.test@::1:port": "a", "b.test": "b"},
        ("a.test@::1:port",),
        ("--address", "::1"),
        listen="Listen 127.0.0.1:@port\nListen [::1]:@port\n",
    ),
    "an address with a port as target": Row(
        B.replace("*:", "127.0.0.1:") + A.replace("*:", "127.0.0.1:").replace("@port", "@other"),
        {"a.test@127.0.0.1:other": "a", "b.test": "b"},
        ("a.test@127.0.0.1:other",),
        ("--address", "127.0.0.1:@other"),
        listen=BOTH,
    ),
    "everything but what has a key too many": Row(
        A + host_of("@d\nSSLCertificateKeyFile @d.key\n@d\n", "d.test"), {"a.test": "a", "d.test": "d"}, **LEFT_ALONE
    ),
    "everything but what SSLOpenSSLConfCmd names": Row(
        A + host_of("@d\n" + CONFCMD, "d.test"), {"a.test": "a", "d.test": "c"}, **LEFT_ALONE
    ),
    "everything, with a snippet that a macro's host reads too": Row(
        MADE_D.format("Include p.inc\n", host_of("Include p.inc\n" + INSERT)),
        {"a.test": "m", "d.test": "m"},
        files={"p.inc": "@m\n"},
        **LEFT_ALONE,
    ),
    "everything, where a macro's host inherits": Row(
        "@m\n" + MADE_D.format("", host_of(INSERT)), {"a.test": "m", "d.test": "m"}, **LEFT_ALONE
    ),
    "everything, where a macro's host is the default": Row(
        MADE_D.format("@d\n", "") + A, {None: "d", "a.test": "a"}, **LEFT_ALONE
    ),
    "the default, which answers for a host with SSLEngine off": Row(
        A + host_of("@c\n", "c.test").replace("SSLEngine on", "SSLEngine off"),
        {"a.test": "a", "c.test": "a"},
        ("a.test", "c.test"),
    ),
    "SSLEngine in a shared snippet, pair inherited": Row(
        "@m\n<VirtualHost *:@port>\n«|  SSLCertificateFile @full\n  SSLCertificateKeyFile @key\n»  ServerName a.test\n"
        "  Include e.inc\n</VirtualHost>\n<VirtualHost *:@port>\nServerName b.test\nInclude e.inc\n</VirtualHost>\n",
        {"a.test": "m", "b.test": "m"},
        files={"e.inc": "SSLEngine on\n"},
    ),
    "four certificates with their keys inside, inherited": Row(
        "SSLCertificateFile @m.both\n" * 4 + host_of("") + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"},
        refused="config-not-understood",
    ),
    "Listen behind the hosts": Row(
        "Include v/*.conf\n",
        AB,
        NEW,
        listen="",
        files={"v/a.conf": A + B, "v/z.conf": "Listen 127.0.0.1:@port https\n"},
    ),
}
INCOMPLETE = ("name-mismatch", "chain-incomplete")
SELF = {
    "no chain, where there was one": Row(
        host_of("SSLCertificateFile «@a.pem|@full»\n" + KEY + "«SSLCertificateChainFile @m.pem\n|»") + B, AB, NEW, accept=INCOMPLETE
    ),
    "no chain, where one is inherited": Row(
        "SSLCertificateChainFile @m.pem\n" + host_of("SSLCertificateFile «@a.pem|@cert»\n" + KEY + "«|SSLCertificateChainFile @cert\n»") + B,
        AB, NEW, accept=INCOMPLETE,
    ),
    "no chain, where one is shared": Row(
        host_of("SSLCertificateFile «@a.pem|@cert»\n" + KEY + "Include c.inc\n«|SSLCertificateChainFile @cert\n»") + host_of("Include c.inc\n@b\n", "b.test"),
        AB, NEW, accept=INCOMPLETE, files={"c.inc": "SSLCertificateChainFile @m.pem\n"},
    ),
}
ROWS = {**LAYOUTS, **CONDITIONS, **INCLUDING, **WORDS, **CERTIFICATES, **ADDRESSES, **MACROS, **MANAGED, **MORE, **STILL_MORE}


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for n, r in ROWS.items()])
def test_row(host, pki, ca, row):
    (host.etc / "md").mkdir()
    check(Plain(host, flags=row.flags), pki, ca, row)


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for n, r in SELF.items()])
def test_a_certificate_of_a_root(host, pki, row):
    """One without a chain."""
    check(Plain(host), pki, pki.root("Another Root"), row)


def test_a_host_that_only_the_dns_names(host, pki, ca):
    """Listed as httpd calls it where the DNS says nothing, and left alone in a sweep."""
    with contextlib.suppress(OSError):
        pytest.skip(f"127.0.0.2 has a name: {socket.gethostbyaddr('127.0.0.2')[0]}")
    bogus = "bogus_host_without_reverse_dns"
    nameless = host_of("@d\n").replace("ServerName a.test\n", "")
    row = Row(
        (A + nameless).replace("*:", "127.0.0.2:"),
        {"a.test@127.0.0.2:port": "a", f"{bogus}@127.0.0.2:port": "d"},
        ("a.test@127.0.0.2:port",),
        ("--all",),
        listen=ALL,
        warns=("config-not-understood",),
    )
    check(Plain(host), pki, ca, row)
    listed = [e for e in host.tool("list").expect(OK).endpoints if e["name"] == bogus]
    assert len(listed) == 1 and "ServerName" in listed[0]["note"]


def test_what_mod_md_has_overrules(host, pki, ca):
    """Whatever is accepted: its files are loaded behind a host's own."""
    web = Plain(host)
    (host.etc / "md/domains/a.test").mkdir(parents=True)
    stage = Stage(web, pki, ca, Row(MD + "MDomain a.test\n" + OLD_A + B, accept=("managed-elsewhere",)))
    stage.write()
    assert host.tool("list").expect(OK).endpoints[0]["note"] is None
    for name, text in ("pubcert", stage.leaves["c"].fullchain_pem), ("privkey", stage.leaves["c"].key_pem):
        (host.etc / f"md/domains/a.test/{name}.pem").write_text(text)
    deploy(stage).expect(REFUSED, "managed-elsewhere")
    stage.row.target = ("--hostname", "b.test")
    deploy(stage).expect(OK)


MADE = "<VirtualHost *:@port>\nServerName $n.test\nSSLEngine on\nSSLCertificateFile {0}\nSSLCertificateKeyFile {1}\n</VirtualHost>\n"
RENEWED = {
    "a host": "<Macro Site $n>\n" + MADE + "</Macro>\nUse Site a\n",
    "the lines": "<Macro Tls>\nSSLCertificateFile {0}\nSSLCertificateKeyFile {1}\n</Macro>\n" + host_of("Use Tls\n"),
}


@pytest.mark.parametrize("target", [("--hostname", "a.test"), ("--all",), ()], ids=["name", "all", "none"])
@pytest.mark.parametrize("what", RENEWED)
def test_what_a_macro_makes_is_renewed(host, pki, ca, what, target):
    """Where it names the store's files nothing of the configuration changes."""
    web = Plain(host)
    stage = Stage(web, pki, ca, Row(B, target=("--hostname", "b.test")))
    stage.write()
    web.start()
    deploy(stage).expect(OK)
    web.write("macro.conf", stage.fill(RENEWED[what].format("@full", "@key")))
    web.write("httpd.conf", stage.texts(1)["httpd.conf"].replace(b"<VirtualHost", b"Include macro.conf\n<VirtualHost", 1))
    web.control("reload")
    made, leaf = (web.home / "macro.conf").read_bytes(), ca.leaf("a.test", "b.test")
    # without a target it goes where it went before: to b.test, and a.test changes with it
    done = host.tool("deploy", *material(leaf), "--name", "x", *target, "--also-changes").expect(OK)
    assert stage.ask("a.test") == leaf.sha256
    assert (web.home / "macro.conf").read_bytes() == made
    assert "config-not-understood" not in done.codes
    assert host.tool("deploy", *material(leaf), "--name", "x", *target).expect(OK).json["changed"] is False
    host.tool("plan", *material(leaf), "--name", "y", "--hostname", "a.test").expect(REFUSED, "config-not-understood")


def test_the_configuration_is_a_link(host, pki, ca):
    web = Plain(host)
    stage = Stage(web, pki, ca, Row(A + B))
    stage.write()
    (web.home / "real").mkdir()
    web.config.rename(web.home / "real/main")
    web.config.symlink_to("real/main")
    web.start()
    deploy(stage).expect(OK)
    assert web.config.is_symlink() and stage.ask("a.test") == stage.new[0].sha256
    assert deploy(stage).expect(OK).json["changed"] is False
    host.tool("rollback").expect(OK)
    assert web.config.is_symlink() and stage.ask("a.test") == stage.sha("a")


def test_two_certificates_for_hosts_that_share_a_snippet(host, pki, ca):
    web, shared = Plain(host), "Include p.inc\n"
    hosts = host_of(shared) + host_of(shared, "b.test") + host_of(shared, "d.test")
    stage = Stage(web, pki, ca, Row(hosts, files={"p.inc": "@m\n"}))
    stage.write()
    web.start()
    leaves = {name: ca.leaf(name) for name in ("a.test", "b.test")}
    orders = [
        {"cert_file": str(leaf.cert), "key_file": str(leaf.key), "chain_file": str(leaf.chain), "hostname": [name]}
        for name, leaf in leaves.items()
    ]
    for changed in (True, False):
        done = host.tool("deploy", "--batch", "-", stdin=json.dumps(orders)).expect(OK)
        assert done.json["changed"] is changed
    assert [stage.ask(name) for name in leaves] == [leaf.sha256 for leaf in leaves.values()]
    assert stage.ask("d.test") == stage.sha("m")
