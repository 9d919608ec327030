"""Record ids: 15 characters that tell case apart, and the 18-character form with its checksum."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

ID_LENGTH_SHORT, ID_LENGTH_LONG = 15, 18


def checksum(short_id: str) -> str:
    """Return the three characters that tell which of the fifteen are capitals (five to a character)."""
    return "".join(
        _CHECK[sum(1 << place for place in range(5) if "A" <= short_id[start + place] <= "Z")] for start in (0, 5, 10)
    )


def build_id(prefix: str, pod: str, number: int) -> str:
    """Build the 18-character id of the record with this running number."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    short_id = f"{prefix}{pod}{digits:0>10}"
    return short_id + checksum(short_id)


def normalise_id(value: str) -> str | None:
    """Return the 18-character form, or None when the value is no id."""
    if len(value) == ID_LENGTH_SHORT and value.isascii() and value.isalnum():
        return value + checksum(value)
    if len(value) == ID_LENGTH_LONG and value.isascii() and value.isalnum():
        return value[:ID_LENGTH_SHORT] + value[ID_LENGTH_SHORT:].upper()
    return None
