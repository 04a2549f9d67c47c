"""What can go wrong with money.

    LedgerError
      BadAmount          2  an amount that is not a positive decimal with at most six places, or too large
      UnknownCurrency    2  not a currency of ISO 4217
      BadPeriod          2  a period that cannot be read, or has not begun
      NotOver            2  a period that has begun and is not over, settled without --early
      BadTerms           2  invalid terms, or terms that reach back behind a settlement
      AlreadySettled     1  the period, or a part of it, was settled before
      NotSettled         1  the period was never settled
      NothingToSettle    1  there is no income for the period, or it does not fit the period
      NothingHeard       1  nothing was heard in the period, settled without --unallocated
      SeveralCurrencies  2  the period has income or settlements in several currencies and none was named
      NotAHolder         4  the ledger has no such holder, or several
      NotPayable         1  more than a balance, less than the terms' threshold, or nothing at all
      NotAsStated        5  a statement differs from what the ledger gives
      BadRule            2  no rule of division has that name

A ledger that does not verify is refused with `ledger.errors.VerificationFailed`, exit code 5.
"""

from __future__ import annotations

from ..errors import LedgerError


class BadAmount(LedgerError):
    """An invalid amount of money."""

    exit_code = 2


class UnknownCurrency(LedgerError):
    """Not a currency that income comes in."""

    exit_code = 2


class BadPeriod(LedgerError):
    """A period that cannot be read, or that has not begun."""

    exit_code = 2


class NotOver(BadPeriod):
    """A period that is not over: placements in the rest of it count in the next settlement."""


class BadTerms(LedgerError):
    """Invalid terms, or terms that reach back behind a settlement."""

    exit_code = 2


class AlreadySettled(LedgerError):
    """The period, or a part of it, was settled before in that currency."""


class NotSettled(LedgerError):
    """The period was never settled in that currency."""


class NothingToSettle(LedgerError):
    """No income for the period, or income whose own period reaches beyond it."""


class NothingHeard(LedgerError):
    """There is money for the period and nothing was heard in it: all of it would stay unallocated."""


class SeveralCurrencies(LedgerError):
    """The period has several currencies, and none was named."""

    exit_code = 2


class NotAHolder(LedgerError):
    """No holder in the ledger has that id."""

    exit_code = 4


class NotPayable(LedgerError):
    """A payout of more than a balance, of less than the terms' threshold, or of nothing at all."""


class NotAsStated(LedgerError):
    """A statement differs from what the ledger gives."""

    exit_code = 5


class BadRule(LedgerError):
    """No rule of division has that name."""

    exit_code = 2
