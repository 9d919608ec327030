"""Sound codes of names: Soundex and Metaphone, for keys that forgive spelling."""

import re
from typing import Final

_SOUNDEX: Final = {
    **dict.fromkeys("bfpv", "1"),
    **dict.fromkeys("cgjkqsxz", "2"),
    **dict.fromkeys("dt", "3"),
    "l": "4",
    **dict.fromkeys("mn", "5"),
    "r": "6",
}
_SOUNDEX_LENGTH: Final = 4
_VOWELS: Final = frozenset("aeiou")
_FRONT: Final = frozenset("eiy")
_SILENT_STARTS: Final = ("ae", "gn", "kn", "pn", "wr")
_SAME: Final = {"f": "f", "j": "j", "l": "l", "m": "m", "n": "n", "r": "r", "b": "b", "q": "k", "v": "f", "z": "s"}


def soundex(text: str) -> str:
    """Code a folded name: its first letter and three digits; empty when it has no letter.

    >>> soundex("robert"), soundex("rupert"), soundex("ashcraft")
    ('r163', 'r163', 'a261')
    """
    letters = _letters(text)
    if not letters:
        return ""
    code = letters[0]
    last = _SOUNDEX.get(letters[0], "")
    for letter in letters[1:]:
        digit = _SOUNDEX.get(letter, "")
        if digit and digit != last:
            code += digit
            if len(code) == _SOUNDEX_LENGTH:
                return code
        if letter not in "hw":
            last = digit
    return code.ljust(_SOUNDEX_LENGTH, "0")


def metaphone(text: str) -> str:
    """Code a folded name by its English sound (Philips 1990); empty when it has no letter.

    >>> metaphone("katherine"), metaphone("knight"), metaphone("schmidt")
    ('k0rn', 'nt', 'skmtt')
    """
    word = _letters(text)
    if word.startswith(_SILENT_STARTS):
        word = word[1:]
    elif word.startswith("x"):
        word = "s" + word[1:]
    elif word.startswith("wh"):
        word = "w" + word[2:]
    code: list[str] = []
    at = 0
    while at < len(word):
        if word[at] == word[at - 1 : at] and word[at] != "c":
            at += 1
            continue
        sound, width = _sound(word, at)
        code.append(sound)
        at += width
    return "".join(code)


def _letters(text: str) -> str:
    return re.sub("[^a-z]", "", text)


def _sound(word: str, at: int) -> tuple[str, int]:
    letter = word[at]
    if letter in _VOWELS:
        return (letter if at == 0 else "", 1)
    same = _SAME.get(letter)
    if letter == "b":
        return ("" if word.endswith("mb") and at == len(word) - 1 else "b", 1)
    if same is not None:
        return (same, 1)
    return _HARD[letter](word, at)


def _c(word: str, at: int) -> tuple[str, int]:
    after = word[at + 1 : at + 3]
    if after == "ia":
        return ("x", 1)
    if after[:1] == "h":
        return ("k" if word[at - 1 : at] == "s" else "x", 2)
    if after[:1] in _FRONT:
        return ("" if word[at - 1 : at] == "s" else "s", 1)
    return ("k", 2 if after[:1] == "k" else 1)


def _d(word: str, at: int) -> tuple[str, int]:
    if word[at + 1 : at + 2] == "g" and word[at + 2 : at + 3] in _FRONT:
        return ("j", 2)
    return ("t", 1)


def _g(word: str, at: int) -> tuple[str, int]:
    after = word[at + 1 : at + 2]
    if after == "h":
        beyond = word[at + 2 : at + 3]
        return ("", 2) if at > 0 and beyond not in _VOWELS else ("k", 2)
    if after == "n" and at > 0 and len(word) - at <= 4:
        return ("", 1)
    return ("j" if after in _FRONT else "k", 1)


def _h(word: str, at: int) -> tuple[str, int]:
    is_heard = word[at + 1 : at + 2] in _VOWELS and word[at - 1 : at] not in frozenset("cgpst")
    return ("h" if is_heard else "", 1)


def _k(word: str, at: int) -> tuple[str, int]:
    return ("" if word[at - 1 : at] == "c" else "k", 1)


def _p(word: str, at: int) -> tuple[str, int]:
    return ("f", 2) if word[at + 1 : at + 2] == "h" else ("p", 1)


def _s(word: str, at: int) -> tuple[str, int]:
    if word[at + 1 : at + 2] == "h":
        return ("x", 2)
    return ("x" if word[at + 1 : at + 3] in {"ia", "io"} else "s", 1)


def _t(word: str, at: int) -> tuple[str, int]:
    after = word[at + 1 : at + 3]
    if after in {"ia", "io"}:
        return ("x", 1)
    if after == "ch":
        return ("", 1)
    if after[:1] == "h":
        return ("t" if after == "hm" or word[at : at + 4] == "thom" else "0", 2)
    return ("t", 1)


def _w(word: str, at: int) -> tuple[str, int]:
    return (word[at] if word[at + 1 : at + 2] in _VOWELS else "", 1)


def _x(word: str, at: int) -> tuple[str, int]:  # noqa: ARG001 - one shape for all letters.
    return ("ks", 1)


_HARD: Final = {"c": _c, "d": _d, "g": _g, "h": _h, "k": _k, "p": _p, "s": _s, "t": _t, "w": _w, "x": _x, "y": _w}
