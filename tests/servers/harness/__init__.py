# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real servers on loopback, in private directories, for the tests and for ./quickstart.

    pki      certificate authorities and every kind of good and bad certificate
    host     a private host: directories, ports, servers, certdeploy.conf, the tool
    apache   postfix   dovecot   one server each
    wire     what a port serves, asked with openssl s_client
    tool     the built certdeploy, its exit status and its JSON
    tree     what changed in a directory
    conf     libconfig text

Nothing here looks at /etc for more than Debian's own stock files, needs systemd, or leaves a process
behind. Nothing here knows how the library works: it is the judge, not a part.
"""
