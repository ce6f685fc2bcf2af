"""An authority of a test's own, and a certificate for this machine's addresses that it has signed."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Certificates:
    authority: Path
    certificate: Path
    key: Path


def certificates(folder: Path) -> Certificates:
    folder.mkdir(parents=True, exist_ok=True)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _named("authority", "authority", authority_key.public_key())
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    own = _named("node", "authority", key.public_key())
    own = own.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *_addresses()]), critical=False)
    found = Certificates(folder / "authority.pem", folder / "node.pem", folder / "node.key")
    pem = serialization.Encoding.PEM
    found.authority.write_bytes(authority.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    found.certificate.write_bytes(own.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    plain = serialization.NoEncryption()
    found.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return found


def _addresses() -> list[x509.IPAddress]:
    found = [one for each in psutil.net_if_addrs().values() for one in each if one.family is socket.AF_INET]
    return [x509.IPAddress(ip_address(one.address)) for one in found]


def _named(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    made = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
