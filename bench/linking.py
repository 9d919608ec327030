"""The same records linked by splink, and how good a partition is against the truth."""

import logging
import time
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

Labels = NDArray[np.int64]

KEYS = (
    "l.email = r.email and substr(l.given_name, 1, 2) = substr(r.given_name, 1, 2)",
    "l.phone = r.phone and substr(l.given_name, 1, 2) = substr(r.given_name, 1, 2)",
    (
        "l.birth_date = r.birth_date and l.family_name = r.family_name and l.postcode = r.postcode "
        "and substr(l.given_name, 1, 3) = substr(r.given_name, 1, 3)"
    ),
)
"""The rules of project/match-keys.yaml in splink's words."""


class Linked(msgspec.Struct, frozen=True):
    """What splink made of it: how long that took, and the label of each record's cluster, by record."""

    seconds: float
    labels: Labels


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Of pairs of records: the share of those found that are right, and of those right that were found."""

    clusters: int
    precision: float
    recall: float


def run_splink(folded: pl.DataFrame) -> Linked:
    """Link and cluster by the keys. The columns are folded already; `unique_id` numbers the records from 0.

    The time is that of linking and clustering alone: the records lie in DuckDB before it starts.
    """
    from splink import DuckDBAPI, Linker, SettingsCreator

    logging.getLogger("splink").setLevel(logging.ERROR)
    backend: Any = DuckDBAPI()
    table = backend.register(folded.to_arrow())
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[{"blocking_rule": rule, "sql_dialect": "duckdb"} for rule in KEYS],
        comparisons=[],
    )
    linker: Any = Linker(table, settings)
    started = time.perf_counter()
    links = linker.inference.deterministic_link()
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(links)
    seconds = time.perf_counter() - started
    rows = clusters.as_duckdbpyrelation().select("unique_id, cluster_id").fetchnumpy()
    labels = np.empty(folded.height, dtype=np.int64)
    labels[rows["unique_id"]] = rows["cluster_id"]
    return Linked(seconds, labels)


def judge(labels: Labels, truth: Labels) -> Quality:
    """Hold a partition against the truth."""
    right = _pairs(pl.DataFrame({"label": labels, "person": truth}), "label", "person")
    found, wanted = (_pairs(pl.DataFrame({"label": each}), "label") for each in (labels, truth))
    return Quality(clusters=int(np.unique(labels).size), precision=right / max(1, found), recall=right / max(1, wanted))


def are_equal(labels_a: Labels, labels_b: Labels) -> bool:
    """True when two partitions are the same, whatever their labels."""
    both = pl.DataFrame({"a": labels_a, "b": labels_b}).unique()
    return both.height == both["a"].n_unique() == both["b"].n_unique()


def _pairs(frame: pl.DataFrame, *by: str) -> int:
    sizes = frame.group_by(by).len()["len"].cast(pl.Int64)
    return int((sizes * (sizes - 1) // 2).sum())
