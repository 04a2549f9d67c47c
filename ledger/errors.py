"""The errors of the ledger, one class for each mistake that a caller can act on.

LedgerError                 exit code 1
+- NoLedger                 exit code 4: there is no ledger at that place
+- NoWitness                exit code 4: there is no witness in that folder
+- LogUnreachable           the server that publishes a log does not answer, or not with its files
+- NoSuchEntry              the log has no entry of that index
+- BadEntry                 an entry, a message or a file is not in its one canonical form
+- BadKey                   a key file that is missing or cannot be read
   +- BadVkey               exit code 2: a verifier key that cannot be read, or that is missing
+- RefusesToSign            signing could make two histories of one log
+- JournalFailed            the disk failed under a journal, which acknowledges nothing more
+- LockHeld                 another process has a lock, and has had it for as long as one waits
+- OtherProcess             a session of the process that this one was forked from
+- VerificationFailed       exit code 5: invalid bytes or signatures, or a broken rule
   +- BadNote               a signed note or checkpoint
   +- BadStatement          a holder's signed statement
   +- BadReceipt            a receipt
"""

from __future__ import annotations


class LedgerError(Exception):
    """A mistake that a caller of the ledger can act on; `str(error)` is a full sentence."""

    exit_code = 1


class NoLedger(LedgerError):
    """There is no ledger at that place."""

    exit_code = 4


class NoWitness(LedgerError):
    """There is no witness in that folder."""

    exit_code = 4


class LogUnreachable(LedgerError):
    """The server that publishes a log does not answer, or not with its files."""


class NoSuchEntry(LedgerError):
    """The log has no entry of that index."""


class BadEntry(LedgerError):
    """An entry that is not in canonical form, or that its record does not allow."""


class BadKey(LedgerError):
    """A key file that is missing or cannot be read."""


class BadVkey(BadKey):
    """A verifier key that cannot be read, or a missing one."""

    exit_code = 2


class RefusesToSign(LedgerError):
    """The log's folder does not extend the last signed checkpoint: signing would fork the log."""


class JournalFailed(LedgerError):
    """The disk failed under a journal, or the journal is closed: it acknowledges nothing more."""


class LockHeld(LedgerError):
    """Another process has a lock, and has had it for as long as one waits for it."""


class OtherProcess(LedgerError):
    """A session belongs to the process that opened it, and this one is a child that was forked from it."""


class VerificationFailed(LedgerError):
    """A ledger has invalid bytes or signatures, or breaks a rule."""

    exit_code = 5


class BadNote(VerificationFailed):
    """A signed note or checkpoint that is malformed, or whose signature is invalid."""


class BadStatement(VerificationFailed):
    """A statement of a holder whose signature or content is invalid."""


class BadReceipt(VerificationFailed):
    """A receipt that proves nothing."""
