"""An authority of RFC 3161 for tests: an HTTP server around `openssl ts`, with a CA of its own."""

import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONFIGURATION = """
[tsa]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256
signer_digest = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[extensions]
extendedKeyUsage = critical, timeStamping
keyUsage = critical, digitalSignature
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
"""


def openssl(*arguments, content=None):
    return subprocess.run(
        ["openssl", *map(str, arguments)], input=content, capture_output=True, check=True
    ).stdout


class Authority:
    """The files of an authority: `ca.pem`, `tsa.pem` and what `openssl ts` needs."""

    def __init__(self, folder):
        self.folder = folder
        self.is_slow = threading.Event()
        self.answer = None
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(CONFIGURATION.format(folder=folder))
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        common = ("-config", folder / "config", "-days", 30)
        (folder / "config").write_text(
            CONFIGURATION.format(folder=folder)
            + "[req]\ndistinguished_name = name\n[name]\ncommonName = x\n"
        )
        openssl(
            "req", "-x509", *key, *common, "-subj", "/CN=Test CA", "-extensions", "ca",
            "-keyout", folder / "ca.key", "-out", folder / "ca.pem",
        )  # fmt: skip
        openssl(
            "req", "-new", *key, "-config", folder / "config", "-subj", "/CN=Test TSA",
            "-keyout", folder / "tsa.key", "-out", folder / "tsa.csr",
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", folder / "tsa.csr", "-CA", folder / "ca.pem",
            "-CAkey", folder / "ca.key", "-days", 30, "-set_serial", 2,
            "-extfile", folder / "config", "-extensions", "extensions",
            "-out", folder / "tsa.pem",
        )  # fmt: skip

    @property
    def roots(self):
        return self.folder / "ca.pem"

    def reply(self, query):
        (self.folder / "query").write_bytes(query)
        return openssl(
            "ts", "-reply", "-config", self.folder / "config", "-section", "tsa",
            "-queryfile", self.folder / "query",
        )  # fmt: skip

    @contextmanager
    def served(self):
        """Yield the URL of the running authority."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                query = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Type"] != "application/timestamp-query":
                    self.send_error(415)
                    return
                if authority.is_slow.is_set():
                    threading.Event().wait(2)
                answer = authority.reply(query) if authority.answer is None else authority.answer
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsa"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
