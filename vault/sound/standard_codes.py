"""The standard identifiers of recordings, works and people, with their check digits.

Each function gives the form that is kept, and raises BadDeclaration for a text that is not such a number.
"""

from __future__ import annotations

import re

from ..errors import BadDeclaration

_SEPARATORS = re.compile(r"[ .\-]")
_IPI_NAME = re.compile(r"[0-9]{9,11}")
_IPI_BASE = re.compile(r"I([0-9]{9})([0-9])")
_ISWC = re.compile(r"T([0-9]{9})([0-9])")


def isrc(text: str) -> str:
    """`GBA1B2400001`: the code of a recording (ISO 3901:2019), which has no check digit."""
    from stdnum import isrc as standard

    return _standard(standard.validate, text, "an ISRC", "GB-A1B-24-00001")


def isni(text: str) -> str:
    """`0000000121032683`: the name of a person or a band (ISO 27729), checked by ISO 7064 MOD 11-2."""
    from stdnum import isni as standard

    return _standard(standard.validate, text, "an ISNI", "0000 0001 2103 2683")


def iswc(text: str) -> str:
    """`T0345246801`: the code of a musical work (ISO 15707): the nine digits by their places, and 1."""
    found = _ISWC.fullmatch(_plain(text, "ISWC"))
    if found is None:
        raise _none(text, "an ISWC", "T-034.524.680-1")
    _check(text, "an ISWC", found[2], str(-(1 + _by_place(found[1])) % 10))
    return found[0]


def ipi(text: str) -> str:
    """`00052210040`, a name number, or `I0010681306`, a base number of the CISAC IPI system.

    A name number ends with two digits: 101 less the first nine weighted by 10 down to 2, modulo 101; leading
    zeros may be left out. A base number is checked as an ISWC is, with 2 in the place of 1.
    """
    plain = _plain(text, "IPI")
    if found := _IPI_BASE.fullmatch(plain):
        _check(text, "an IPI base number", found[2], str(-(2 + _by_place(found[1])) % 10))
        return plain
    if not _IPI_NAME.fullmatch(plain):
        raise _none(text, "an IPI number", "00052210040 or I-001068130-6")
    plain = plain.zfill(11)
    weighted = sum(int(digit) * weight for digit, weight in zip(plain[:9], range(10, 1, -1), strict=True))
    _check(text, "an IPI name number", plain[9:], f"{-weighted % 101:02d}")
    return plain


def _standard(validate, text: str, what: str, such_as: str) -> str:  # type: ignore[no-untyped-def]
    from stdnum.exceptions import InvalidChecksum, ValidationError

    if not text.isascii():
        raise _none(text, what, such_as)
    try:
        return str(validate(_plain(text, what.partition(" ")[2])))
    except InvalidChecksum as error:
        raise BadDeclaration(
            f"{text!r} is not {what}: its last digit does not fit; is one mistyped?"
        ) from error
    except ValidationError as error:
        raise _none(text, what, such_as) from error


def _plain(text: str, name: str) -> str:
    """The text without separators between its digits and without its own name in front."""
    if not text.isascii():
        return text
    plain = _SEPARATORS.sub("", text.strip().upper())
    return plain.removeprefix(f"{name}:").removeprefix(name)


def _by_place(digits: str) -> int:
    return sum(place * int(digit) for place, digit in enumerate(digits, 1))


def _check(text: str, what: str, has: str, needs: str) -> None:
    if has != needs:
        raise BadDeclaration(f"{text!r} is not {what}: it ends in {has}, and its digits give {needs}")


def _none(text: str, what: str, such_as: str) -> BadDeclaration:
    return BadDeclaration(f"{text!r} is not {what}; it looks like {such_as}")
