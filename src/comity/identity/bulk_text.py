"""Folding and key transforms over whole columns, with the same results as one by one.

Values in plain ASCII take the vectorised way; every other value, once per distinct value, takes the way of single
records, so that the two ways cannot disagree about a strange letter.
"""

from collections.abc import Callable, Sequence
from typing import Final

import polars as pl

from comity.definitions.types import KeyPart, PrefixTransform, Transform
from comity.identity.match import KEY_CHARS_MAX, KEY_SEPARATOR, fold, transformer

_PLAIN: Final = r"^[\x21-\x7e]+( [\x21-\x7e]+)*$"
_ASCII: Final = r"^[\x00-\x7f]*$"


def folded_column(values: pl.Series) -> pl.Series:
    """Fold a column of features; empty becomes null."""
    text = values.cast(pl.String)
    return _blended(text, _PLAIN, text.str.to_lowercase(), fold)


def key_column(folded: pl.DataFrame, parts: Sequence[KeyPart]) -> pl.Series:
    """Make the keys of a rule; null where a part is missing."""
    columns = [_transformed(folded[part.attribute], part.transform) for part in parts]
    named = pl.DataFrame([column.alias(f"part{at}") for at, column in enumerate(columns)])
    joined = named.select(pl.concat_str(pl.all(), separator=KEY_SEPARATOR).alias("value"))["value"]
    if (joined.str.len_bytes().max() or 0) > KEY_CHARS_MAX:  # pyright: ignore[reportOperatorIssue] - a number or None.
        joined = joined.set(joined.str.len_chars() > KEY_CHARS_MAX, None)
    return joined


def _transformed(text: pl.Series, transform: Transform | PrefixTransform) -> pl.Series:
    single = transformer(transform)
    if isinstance(transform, PrefixTransform):
        return _emptied(text.str.slice(0, transform.prefix))
    if transform is Transform.LOWER:
        return text
    if transform is Transform.DIGITS:
        return _emptied(text.str.replace_all("[^0-9]", ""))
    if transform is Transform.ALNUM:
        return _blended(text, _ASCII, text.str.replace_all("[^a-z0-9]", ""), single)
    if transform is Transform.YEAR:
        year = text.str.slice(0, 4)
        return _blended(text, _ASCII, year.set(~year.str.contains("^[0-9]+$"), None), single)
    return _by_distinct(text, single)


def _emptied(text: pl.Series) -> pl.Series:
    return text.set(text == "", None)


def _blended(text: pl.Series, plain: str, native: pl.Series, single: Callable[[str], str]) -> pl.Series:
    """Take the vectorised result where the value is plain, the single way elsewhere."""
    is_plain = text.str.contains(plain)
    if is_plain.all():
        return _emptied(native)
    strange = _by_distinct(text.set(is_plain, None), single)
    return _emptied(native.zip_with(is_plain.fill_null(value=True), strange))


def _by_distinct(text: pl.Series, single: Callable[[str], str]) -> pl.Series:
    """Apply a function to each distinct value once."""
    distinct = text.drop_nulls().unique()
    results = pl.Series([single(value) or None for value in distinct.to_list()], dtype=pl.String)
    table = pl.DataFrame({"value": distinct, "result": results})
    return pl.DataFrame({"value": text}).join(table, on="value", how="left", maintain_order="left")["result"]
