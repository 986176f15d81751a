# SPDX-License-Identifier: LGPL-2.1-or-later
"""What certdeploy says that a client gets, against what a client gets."""

import fnmatch
import hashlib
import re
import ssl
from pathlib import Path


def leaf_in(path):
    """SHA-256 of the first certificate in a file, None when there is none."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return None
    found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S)
    return found and hashlib.sha256(ssl.PEM_cert_to_DER_cert(found.group())).hexdigest()


class Listing:
    """The endpoints of `certdeploy list --json`, by listener."""

    def __init__(self, result):
        self.sets = {}
        for endpoint in result.endpoints:
            self.sets.setdefault(endpoint["listen"], []).append(endpoint)

    def endpoint(self, listen, name):
        """The endpoint that answers for a name in a set, by the listing alone."""
        name = name and name.lower()
        endpoints = [e for e in self.sets.get(listen, []) if e["tls"]]
        named = [e for e in endpoints if e["name"]]
        for match in (lambda e: e["name"] == name, lambda e: glob(e["name"], name or "")):
            for endpoint in named:
                if name and match(endpoint):
                    return endpoint
        return next((e for e in endpoints if e["name"] is None), None)

    def predict(self, address, port, name, known):
        """(listen, SHA-256 or None) for a connection. known: listeners of the configuration, as httpd names them."""
        address = f"[{address}]" if ":" in address else address
        for listen in (f"{address}:{port}", f"{address}:*", f"*:{port}", "*:*"):
            if listen in known:
                break
        else:
            # no set: the main server, which is listed by where it is reached
            listen = next((s for s in self.sets if s in (f"{address}:{port}", f"*:{port}")), None)
        endpoint = self.endpoint(listen, name)
        return listen, endpoint and leaf_in(endpoint["certificate"])


def glob(pattern, name):
    return ("*" in pattern or "?" in pattern) and fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def sets_of(dump):
    """Listeners in `httpd -t -D DUMP_VHOSTS`: ["*:443", "127.0.0.2:*", …]"""
    return re.findall(r"^(\S+:(?:\d+|\*))\s", dump, re.M)
