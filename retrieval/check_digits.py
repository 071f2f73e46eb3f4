"""Check digits of Russian numbers and of bank cards. Pure; every argument is a text of digits alone."""

from __future__ import annotations

# Order of the Federal Tax Service on ИНН: weights of the digits, the control number is the sum mod 11 mod 10.
_COMPANY = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_PERSON_FIRST = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_PERSON_SECOND = (3, *_PERSON_FIRST)
_SNILS_UNCHECKED = "001001998"  # numbers up to this one were given without a control number
_NOTHING = "000000000"


def is_company_inn(digits: str) -> bool:
    """Whether these are the ten digits of an organisation's ИНН."""
    return len(digits) == 10 and not digits.startswith("00") and _control(digits, _COMPANY) == int(digits[9])


def is_person_inn(digits: str) -> bool:
    """Whether these are the twelve digits of a person's ИНН."""
    if len(digits) != 12 or digits.startswith("00"):
        return False
    return (_control(digits, _PERSON_FIRST), _control(digits, _PERSON_SECOND)) == (int(digits[10]), int(digits[11]))


def is_snils(digits: str) -> bool:
    """Whether these are the eleven digits of a СНИЛС: the sum by falling weights mod 101, 100 counting as 0."""
    number, control = digits[:9], digits[9:]
    if len(digits) != 11 or number == _NOTHING:
        return False
    if number <= _SNILS_UNCHECKED:
        return True
    total = sum(int(digit) * weight for digit, weight in zip(number, range(9, 0, -1), strict=True))
    return total % 101 % 100 == int(control)


def is_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit by ISO/IEC 7812-1."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def is_card(digits: str) -> bool:
    """Whether a number has the length, the beginning and the check digit of Мир, Visa, Mastercard, UnionPay, …"""
    return _is_issued(digits) and len(set(digits)) > 1 and is_luhn(digits)


def _is_issued(digits: str) -> bool:
    first, length = int(digits[:4]), len(digits)
    if 2200 <= first <= 2204 or 6200 <= first <= 6299:  # Мир, UnionPay
        return 16 <= length <= 19
    if digits[0] == "4":  # Visa
        return length in (16, 19)
    if digits[:2] in ("34", "37"):  # American Express
        return length == 15
    if 5000 <= first <= 6999:  # Mastercard's and Maestro's
        return 16 <= length <= 19 if not 5100 <= first <= 5599 else length == 16
    return (2221 <= first <= 2720 or 3528 <= first <= 3589) and length == 16  # Mastercard, JCB


def _control(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % 11 % 10
