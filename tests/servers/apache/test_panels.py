# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees as hosting packages and distributions lay them out, each as a whole on the real server."""

import pytest
from apache.plain import Plain
from apache.row import Row, check
from apache.test_lines import AB, B, host_of
from apache.test_reading import A

pytestmark = pytest.mark.needs("apache")

BOTH = "Listen @port\nListen @other\n"
OTHER = "Listen @other\n"
OLD_A = host_of("@a\n")
INHERITED = "«|    SSLCertificateFile @full\n    SSLCertificateKeyFile @key\n»"
XAMPP = """Listen @port

SSLCipherSuite HIGH:MEDIUM:!MD5:!RC4:!3DES
SSLPassPhraseDialog  builtin
SSLSessionCache        "shmcb:@etc/ssl_scache(512000)"

<VirtualHost _default_:@port>

#   General setup for the virtual host
DocumentRoot "/opt/lampp/htdocs"
ServerName b.test:443
ErrorLog "@etc/error_log"

SSLEngine on
#   Server Certificate:
SSLCertificateFile "@b.pem"
#SSLCertificateFile "conf/ssl.crt/server-dsa.crt"

#   Server Private Key:
SSLCertificateKeyFile "@b.key"
#SSLCertificateKeyFile "conf/ssl.key/server-dsa.key"

#<Location />
#SSLRequire (    %{SSL_CIPHER} !~ m/^(EXP|NULL)/ \\
#            and %{SSL_CLIENT_S_DN_O} eq "Snake Oil, Ltd." )
#</Location>
<FilesMatch "\\.(cgi|shtml|phtml|php)$">
    SSLOptions +StdEnvVars
</FilesMatch>
</VirtualHost>

"""
BITNAMI = """# Default SSL Virtual Host configuration.
<IfModule !ssl_module>
  LoadModule ssl_module modules/mod_ssl.so
</IfModule>

Listen @port
SSLPassPhraseDialog  builtin
<VirtualHost _default_:@port>
  DocumentRoot "/opt/bitnami/apache/htdocs"
  SSLEngine on
  SSLCertificateFile "conf/bitnami/certs/tls.crt"
  SSLCertificateKeyFile "conf/bitnami/certs/tls.key"
</VirtualHost>
"""
BITNAMI_SITE = """<VirtualHost 127.0.0.1:@port _default_:@port>
  ServerName a.test
  ServerAlias www.a.test
  SSLEngine on
  SSLCertificateFile "«conf/bitnami/certs/server.crt|@full»"
  SSLCertificateKeyFile "«conf/bitnami/certs/server.key|@key»"
</VirtualHost>
"""
SUSE = """<IfDefine SSL>
<IfDefine !NOSSL>

##
## SSL Virtual Host Context
##

<VirtualHost _default_:@port>
\tServerName {0}.test

\tSSLEngine on
{2}\t<IfDefine OCSP>
\tSSLUseStapling on
\t</IfDefine>
{1}</VirtualHost>

</IfDefine>
</IfDefine>
"""
KUSANAGI = """<VirtualHost *:@port>
    ServerName {0}
    SSLEngine on
{1}    <IfModule mod_http2.c>
      Protocols h2 http/1.1
    </IfModule>
    IncludeOptional templates/*.conf
    #IncludeOptional off
</VirtualHost>
"""
CUSTOMER = "<VirtualHost *:@port>\n  ServerName {0}.test\n  SSLEngine on\n  Include customers/{0}/tls.inc\n</VirtualHost>\n"

ROWS = {
    "XAMPP": Row(
        "Include etc/httpd-vhosts.conf\n<IfDefine SSL>\n<IfModule mod_ssl.c>\nInclude etc/httpd-ssl.conf\n</IfModule>\n</IfDefine>\n",
        AB,
        ("a.test", None),
        flags=("-DSSL",),
        listen=OTHER,
        files={"etc/httpd-vhosts.conf": A, "etc/httpd-ssl.conf": XAMPP},
    ),
    "Bitnami": Row(
        'IncludeOptional "conf/vhosts/*.conf"\nInclude "conf/bitnami/bitnami.conf"\n',
        {"a.test": "a", "www.a.test@127.0.0.2:port": "a", None: "a"},
        ("a.test", "www.a.test@127.0.0.2:port", None),
        listen=OTHER,
        files={
            "conf/vhosts/a-https-vhost.conf": BITNAMI_SITE,
            "conf/bitnami/bitnami.conf": '<VirtualHost _default_:@other>\n</VirtualHost>\nInclude "conf/bitnami/bitnami-ssl.conf"\n',
            "conf/bitnami/bitnami-ssl.conf": BITNAMI,
            "conf/bitnami/certs/none": "",
        },
        links={
            "conf/bitnami/certs/tls.crt": "@m.pem",
            "conf/bitnami/certs/tls.key": "@m.key",
            "conf/bitnami/certs/server.crt": "@a.pem",
            "conf/bitnami/certs/server.key": "@a.key",
        },
    ),
    "SUSE, where one host inherits": Row(
        "Include listen.conf\nInclude ssl-global.conf\nIncludeOptional vhosts.d/*.conf\n",
        {"a.test": "m", "b.test": "b", None: "m"},
        ("a.test", None),
        flags=("-DSSL", "-DSYSCONFIG"),
        listen="",
        files={
            "listen.conf": OTHER + "<IfDefine SSL>\n    <IfDefine !NOSSL>\n\t<IfModule mod_ssl.c>\n\n\t    Listen @port\n\n\t</IfModule>\n"
            "    </IfDefine>\n</IfDefine>\n",
            "ssl-global.conf": "<IfDefine SSL>\n<IfDefine !NOSSL>\n<IfModule mod_ssl.c>\n\t@m\n</IfModule>\n</IfDefine>\n</IfDefine>\n",
            "vhosts.d/a.conf": SUSE.format("a", "", "«|\tSSLCertificateFile @full\n\tSSLCertificateKeyFile @key\n»"),
            "vhosts.d/b.conf": SUSE.format("b", "@b\n", ""),
            "vhosts.d/vhost-ssl.template": "nonsense\n",
        },
    ),
    "KUSANAGI, the host that answers first": Row(
        "SSLUseStapling Off\n@m\nIncludeOptional conf.d/*.conf\n",
        {"a.test": "a", "default": "m", None: "m"},
        ("default", None),
        ("--default",),
        listen=BOTH,
        files={
            "conf.d/_http.conf": "<VirtualHost *:@other>\nServerName _default\n</VirtualHost>\n",
            "conf.d/_ssl.conf": KUSANAGI.format("default", INHERITED),
            "conf.d/a.conf": KUSANAGI.format("a.test", "@a\n"),
        },
    ),
    "a snippet for each customer": Row(
        "".join(CUSTOMER.format(name) for name in "bac"),
        {"a.test": "a", "b.test": "b", "c.test": "c"},
        files={
            "customers/a/tls.inc": "  SSLCertificateFile «@a.pem|@full»\n  SSLCertificateKeyFile «@a.key|@key»\n",
            "customers/b/tls.inc": "@b\n",
            "customers/c/tls.inc": "@c\n",
        },
    ),
    "a host for all names, without a target": Row(
        host_of("ServerAlias *\n@m\n", "default.test") + OLD_A + B,
        {"a.test": "m", "b.test": "m", "default.test": "m"},
        target=(),
        refused="no-endpoint",
    ),
    "one file for two ports, of which one is meant": Row(
        "<VirtualHost *:@port>\nServerName a.test\nInclude tls.inc\n</VirtualHost>\n<VirtualHost *:@other>\nServerName a.test\nInclude tls.inc\n"
        "«|SSLCertificateFile @full\nSSLCertificateKeyFile @key\n»</VirtualHost>\n",
        {"a.test": "a", "a.test@127.0.0.1:other": "a"},
        ("a.test@127.0.0.1:other",),
        ("--listener", "*:@other"),
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.1:@other\n",
        files={"tls.inc": "SSLEngine on\n@a\n"},
    ),
}


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for n, r in ROWS.items()])
def test_row(host, pki, ca, row):
    check(Plain(host, flags=row.flags), pki, ca, row)
