"""Checkpoints that a time stamp authority has stamped: a real one, which OpenSSL makes."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import ValidationError

from gateway.audit.keys import SigningKeys
from gateway.audit.notary import Notary
from gateway.audit.open import anchor
from gateway.audit.timestamps import TimestampLedger
from gateway.audit.verify import Fault, verify
from gateway.errors import AuditSinkError, SettingsInvalidError
from gateway.settings import AuditSettings, Settings

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="OpenSSL's command is not installed")

CONFIGURATION = """
[ tsa ]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """An authority that answers at `url`; `answer`, where there is one, in place of what it should."""

    url: str
    root: x509.Certificate
    answer: bytes | None = None


def certificate(
    name: str, key: rsa.RSAPrivateKey, issuer: x509.Certificate | None, issuer_key: rsa.RSAPrivateKey
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if issuer is not None:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def make_authority(folder: Path) -> x509.Certificate:
    """The root's certificate, once the authority's files are there."""
    root_key, key = (rsa.generate_private_key(65_537, 2_048) for _ in range(2))
    root = certificate("Root", root_key, None, root_key)
    signer = certificate("Time stamps", key, root, root_key)
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "tsa.pem").write_bytes(signer.public_bytes(Encoding.PEM))
    (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "serial").write_text("01")
    (folder / "tsa.cnf").write_text(f"[ default ]\ndefault_tsa = tsa\n{CONFIGURATION.format(folder=folder)}")
    return root


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    folder = tmp_path / "authority"
    folder.mkdir()
    made = Authority("", make_authority(folder))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            command = ["openssl", "ts", "-reply", "-config", folder / "tsa.cnf", "-queryfile", folder / "query"]
            answer = made.answer or subprocess.run(command, check=True, capture_output=True).stdout
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/tsr"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


Certify = Callable[[], Any]


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    return tmp_path / "timestamps"


@pytest.fixture
def books(installation, authority, stamps) -> Any:
    ledger = TimestampLedger(authority.url, stamps, [authority.root])
    return replace(installation.books(), anchors={"authority": ledger})


async def certify(installation: Any, books: Any) -> None:
    await Notary("test", SigningKeys(installation.key, installation.keys), books).certify()


async def test_each_checkpoint_is_stamped_and_the_stamps_are_verified_with_the_log(installation, books) -> None:
    for n in range(3):
        await installation.write(n)
        await certify(installation, books)
    report = await verify("test", books, installation.keys)
    assert (report.findings, report.anchored) == ((), {"authority": 3})


async def test_a_changed_stamp_one_for_another_checkpoint_and_one_of_another_authority_are_found(
    installation, books, authority, stamps, tmp_path: Path
) -> None:
    for n in range(2):
        await installation.write(n)
        await certify(installation, books)
    one, two = (line.split(b" ") for line in stamps.read_bytes().splitlines())
    for bad in (
        b" ".join([one[0], two[1]]),
        b" ".join([one[0], one[1][:-40] + b"A" * 40]),
        one[0],
        one[0] + b" nonsense",
    ):
        stamps.write_bytes(bad + b"\n")
        report = await verify("test", books, installation.keys)
        assert [finding.fault for finding in report.findings] == [Fault.ANCHOR_UNREADABLE]
    stamps.write_bytes(b" ".join(one) + b"\n")
    assert (await verify("test", books, installation.keys)).findings == ()
    (tmp_path / "other").mkdir()
    other = TimestampLedger(authority.url, stamps, [make_authority(tmp_path / "other")])
    with pytest.raises(AuditSinkError, match="checkpoint 1"):
        await other.all()


async def test_an_answer_that_is_no_stamp_or_for_something_else_is_not_kept_and_is_asked_for_again(
    installation, books, authority, stamps
) -> None:
    ledger = books.anchors["authority"]
    await ledger.append(1, "x")
    old = b64decode(stamps.read_bytes().split()[1])
    stamps.unlink()
    for answer, text in ((b"nonsense", "x"), (old, "y"), (old, "x")):
        authority.answer = answer
        with pytest.raises(AuditSinkError):
            await ledger.append(1, text)
    await installation.write(1)
    await certify(installation, books)
    assert not stamps.exists()
    authority.answer = None
    await certify(installation, books)
    assert len(await ledger.all()) == 1


async def test_an_authority_that_cannot_be_reached_is_an_anchor_that_fails(stamps, authority) -> None:
    ledger = TimestampLedger("http://127.0.0.1:9/tsr", stamps, [authority.root])
    with pytest.raises(AuditSinkError, match="gave no answer"):
        await ledger.append(1, "x")


@pytest.mark.usefixtures("authority")
def test_an_authority_needs_certificates_by_which_it_is_known(tmp_path: Path) -> None:
    key = {"signing_key": tmp_path / "k", "keys": tmp_path / "ks"}
    with pytest.raises(ValidationError, match="timestamp_roots"):
        AuditSettings(anchors=("https://tsa.example",), **key)
    roots = tmp_path / "authority" / "root.pem"
    for path, good in ((roots, True), (tmp_path / "none", False), (tmp_path / "authority" / "serial", False)):
        settings = Settings(audit=AuditSettings(timestamp_roots=path, **key), audit_file=tmp_path / "audit.jsonl")
        if good:
            assert isinstance(anchor("https://tsa.example/tsr", settings), TimestampLedger)
        else:
            with pytest.raises(SettingsInvalidError, match="TIMESTAMP_ROOTS"):
                anchor("https://tsa.example/tsr", settings)
