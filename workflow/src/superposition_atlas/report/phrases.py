"""Numbers as words: every figure of speech that the report uses more than once. None depends on a table."""

from collections.abc import Sequence

THIN = "\u202f"
FIXED_SPACE = "\u00a0"
_SPELLED = [
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
ARROW = f"{FIXED_SPACE}→{FIXED_SPACE}"


def fixed(value: float | None, digits: int) -> str:
    """A number with a fixed count of decimals; a dash where it is undefined."""
    if value is None or value != value:
        return "–"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def percent(share: float | None, digits: int = 0) -> str:
    """A share as a percentage; "below 1 %" where rounding would leave nothing of it, likewise near all."""
    if share is None or share != share:
        return "–"
    least = 10.0**-digits
    if 0 < 100 * share < least / 2:
        return f"below {fixed(least, digits)}{THIN}%"
    if 100 - least / 2 < 100 * share < 100:
        return f"above {fixed(100 - least, digits)}{THIN}%"
    return f"{fixed(100 * share, digits)}{THIN}%"


def grouped(number: int) -> str:
    """A whole number, with thin spaces between thousands from five digits on."""
    return f"{number:,}".replace(",", THIN) if abs(number) >= 10_000 else str(number)


def short(value: float) -> str:
    """A number to three significant digits without trailing zeros."""
    return f"{value:.3g}".replace("-", "−")


def between(low: float, high: float, digits: int) -> str:
    """`0.10–0.24`, or one number where both are written alike."""
    first, last = fixed(low, digits), fixed(high, digits)
    return first if first == last else f"{first}–{last}"


def spelled(number: int) -> str:
    """A number up to twelve as a word."""
    return _SPELLED[number] if 0 <= number < len(_SPELLED) else grouped(number)


def count(number: int, one: str, many: str) -> str:
    """`1 schedule`, `24 schedules`."""
    return f"{grouped(number)}{FIXED_SPACE}{one if number == 1 else many}"


def of(number: int, total: int) -> str:
    """`3 of 8`, `none of 8`, `all 8`; `the only one` and `not the only one` of one."""
    if total == 1:
        return "the only one" if number else "not the only one"
    if number == 0:
        return f"none of {grouped(total)}"
    return f"all {grouped(total)}" if number == total else f"{grouped(number)} of {grouped(total)}"


def enumerated(items: Sequence[str], last: str = " and ") -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + last + items[-1] if items else ""


def sentence(text: str) -> str:
    """A capital first."""
    return text[:1].upper() + text[1:]
