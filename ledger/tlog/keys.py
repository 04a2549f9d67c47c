"""Ed25519 keys (RFC 8032): made, kept in a file that their owner alone can read, used to sign and verify.

A key file is unencrypted PKCS #8 PEM, which other tools read.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ..errors import BadKey
from .disk import Disk, RealDisk


class PrivateKey:
    """A private key in memory. Its `repr` shows nothing of it."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new key from the system's source of randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> PrivateKey:
        """The key of a 32-byte seed."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: Path, disk: Disk | None = None) -> PrivateKey:
        """The key in the file `path`. Raises BadKey, OSError."""
        try:
            key = load_pem_private_key((disk or RealDisk()).read(path), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BadKey(f"{path} is not a private key; put it back from a backup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadKey(f"{path} holds a key of another kind than Ed25519")
        return cls(key)

    def save(self, path: Path, disk: Disk | None = None) -> None:
        """Keep the key in a new file, 0600, in a folder made 0700; durable when it returns.

        Raises FileExistsError rather than touch another key. After a crash the file is whole or not there.
        """
        disk = disk or RealDisk()
        if not disk.exists(path.parent):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            disk.sync(path.parent.parent)
        text = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        new = path.with_name(f".{path.name}.{disk.fresh_name()}")
        try:
            owned = disk.create_owned(new)
            try:
                owned.append(text)
                owned.sync()
            finally:
                owned.close()
            disk.link(new, path)
        finally:
            disk.remove(new)
        disk.sync(path.parent)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`, 64 bytes."""
        return self._key.sign(message)


def public_of_pem(path: Path) -> bytes:
    """The public key, 32 bytes, in a PEM file of it. Raises BadKey, OSError."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(f"{path} is not a public key, in base64 or in a PEM file") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{path} holds a key of another kind than Ed25519")
    return key.public_bytes_raw()


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` was made with the private key of `public`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
