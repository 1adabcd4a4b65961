"""A certificate authority for tests, made by the `openssl` program: certificates that a TLS library really checks."""

import subprocess

__all__ = ("Authority",)


class Authority:
    """Issues certificates into a folder. Each is a pair of PEM files, its certificate and its key."""

    def __init__(self, folder, name="tests"):
        self._folder = folder
        self._name = name
        self.ca_file = folder / f"{name}.crt"
        self._key = folder / f"{name}.key"
        _openssl("req", "-x509", *_key_to(self._key), "-out", self.ca_file, "-subj", f"/CN={name}", "-days", "1")

    def issue(self, subject, *, names=""):
        """A certificate for a subject like `/O=group/CN=user`; `names` as in `DNS:a,IP:127.0.0.1` for a server."""
        stem = f"{self._name}-{subject.replace('/', '_').replace('=', '-')}"
        request, certificate, key = (self._folder / f"{stem}.{end}" for end in ("csr", "crt", "key"))
        _openssl("req", "-new", *_key_to(key), "-out", request, "-subj", subject)
        extensions = self._folder / f"{stem}.ext"
        usage = "serverAuth" if names else "clientAuth"
        extensions.write_text(f"extendedKeyUsage={usage}\n" + (f"subjectAltName={names}\n" if names else ""))
        signer = ("-CA", self.ca_file, "-CAkey", self._key, "-CAcreateserial")
        _openssl("x509", "-req", "-in", request, *signer, "-out", certificate, "-days", "1", "-extfile", extensions)
        return certificate, key


def _key_to(path):
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
