"""What can go wrong with money.

    LedgerError
      BadAmount          2  an amount that is not a positive decimal with at most six places, or too large
      UnknownCurrency    2  not a currency of ISO 4217
      BadPeriod          2  a period that cannot be read, or has not begun
      NotOver            2  a period that has begun and is not over, settled without meaning it
      BadTerms           2  terms that cannot be meant, or that reach back behind a settlement
      AlreadySettled     1  the period, or a part of it, was settled before
      NotSettled         1  the period was never settled
      NothingToSettle    1  there is no income for the period, or it does not fit the period
      NothingHeard       1  money for a period in which nothing was heard, settled without meaning it
      SeveralCurrencies  2  the period has income or settlements in several currencies and none was named
      NotAHolder         4  the ledger has no such holder, or several

A ledger that does not verify is refused with `ledger.errors.VerificationFailed`, exit code 5.
"""

from __future__ import annotations

from ..errors import LedgerError


class BadAmount(LedgerError):
    """An amount of money that cannot be meant."""

    exit_code = 2


class UnknownCurrency(LedgerError):
    """Not a currency that income comes in."""

    exit_code = 2


class BadPeriod(LedgerError):
    """A period that cannot be read, or that has not begun."""

    exit_code = 2


class NotOver(BadPeriod):
    """A period that is not over: what is heard in the rest of it counts in the next settlement."""


class BadTerms(LedgerError):
    """Terms that cannot be meant, or that reach back behind a settlement."""

    exit_code = 2


class AlreadySettled(LedgerError):
    """The period, or a part of it, was settled before in that currency."""


class NotSettled(LedgerError):
    """The period was never settled in that currency."""


class NothingToSettle(LedgerError):
    """No income for the period, or income whose own period reaches beyond it."""


class NothingHeard(LedgerError):
    """There is money for the period and nothing was heard in it: all of it would be nobody's."""


class SeveralCurrencies(LedgerError):
    """The period has several currencies, and none was named."""

    exit_code = 2


class NotAHolder(LedgerError):
    """No holder in the ledger has that id."""

    exit_code = 4


class NotPayable(LedgerError):
    """More than a balance, less than the terms' threshold, or nothing at all."""


class NotAsStated(LedgerError):
    """A statement says something else than the ledger gives."""

    exit_code = 5


class BadRule(LedgerError):
    """No rule of division has that name."""

    exit_code = 2
