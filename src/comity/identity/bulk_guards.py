"""Guards of pairs over whole columns."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import polars as pl
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cpdist

from comity.definitions.types import Comparison
from comity.identity.match import CompiledRule


def guard(pairs: pl.DataFrame, folded: pl.DataFrame, rule: CompiledRule) -> pl.Series:
    """Say of each pair of rows what the guards of a rule say: accept, conflict or no_agreement."""
    height = pairs.height
    agreed = pl.repeat(value=True, n=height, dtype=pl.Boolean, eager=True)
    conflicting = pl.repeat(value=False, n=height, dtype=pl.Boolean, eager=True)
    if rule.agree is not None:
        agreed = _count(pairs, folded, rule.agree.comparisons, wanted=True) >= rule.agree.at_least
    if rule.conflict is not None:
        conflicting = _count(pairs, folded, rule.conflict.comparisons, wanted=False) > rule.conflict.at_most
    verdicts = pl.select(
        pl.when(~agreed)
        .then(pl.lit("no_agreement"))
        .when(conflicting)
        .then(pl.lit("conflict"))
        .otherwise(pl.lit("accept"))
    )
    return verdicts.to_series()


def _count(pairs: pl.DataFrame, folded: pl.DataFrame, of: Sequence[Comparison], *, wanted: bool) -> pl.Series:
    """Count the attributes present on both sides that agree (or, not wanted, differ)."""
    total = pl.zeros(pairs.height, dtype=pl.UInt32, eager=True)
    for comparison in of:
        if comparison.attribute in folded.columns:
            a = folded[comparison.attribute].gather(pairs["record_a"])
            b = folded[comparison.attribute].gather(pairs["record_b"])
            agreeing = _agree(a, b, comparison.similar_min)
            total += (agreeing if wanted else ~agreeing).fill_null(value=False).cast(pl.UInt32)
    return total


def _agree(a: pl.Series, b: pl.Series, similar_min: float | None) -> pl.Series:
    """Tell for each pair of values whether they agree; null where one is missing."""
    equal = a == b
    if similar_min is None:
        return equal
    unlike = (~equal).fill_null(value=False)
    if not unlike.any():
        return equal
    left, right = a.filter(unlike).to_list(), b.filter(unlike).to_list()
    scores = cast("Any", cpdist(left, right, scorer=JaroWinkler.similarity, dtype=np.float64, workers=-1))
    near = np.zeros(len(a), dtype=bool)
    near[unlike.to_numpy()] = scores >= similar_min
    return equal | (pl.Series(near) & unlike)
