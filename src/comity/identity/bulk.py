"""Resolving a whole population at once, by the same rules, in columns.

Made for first loads and rebuilds: keys, guards and components are computed over all records in a few vectorised
steps; only components that a cardinality limit cuts are walked link by link. A property test holds the result to the
incremental path's.
"""

from typing import Any, Final, cast

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csgraph

from comity.identity.bulk_guards import guard
from comity.identity.bulk_text import folded_column, key_column
from comity.identity.match import CompiledMatch, CompiledRule
from comity.identity.rules import Edge, Partition, Place, partition
from comity.mapping.types import RecordKey

KEY_COLUMNS: Final = ("system", "stream", "external_id")

_EDGE_SCHEMA: Final = pl.Schema({"record_a": pl.UInt32, "record_b": pl.UInt32, "rule": pl.String, "value": pl.String})
_REVIEW_SCHEMA: Final = pl.Schema({"kind": pl.String, **_EDGE_SCHEMA})
_KEY_SCHEMA: Final = pl.Schema({"rule": pl.String, "value": pl.String, "record": pl.UInt32})


class BulkResolution(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a population; records are numbered by their row in the frame.

    `clusters` gives each row the least row of its cluster. `edges` are the links that join them (record_a < record_b,
    rule, value), `reviews` those not made (kind besides; record_a and record_b are 0 for a shared value). `keys` are
    the keys of all records by rule.
    """

    clusters: pl.Series
    edges: pl.DataFrame
    reviews: pl.DataFrame
    keys: pl.DataFrame


def resolve_bulk(frame: pl.DataFrame, *, match: CompiledMatch) -> BulkResolution:
    """Resolve all records of a frame: columns system, stream, external_id (unique together) and features as text.

    Features the frame does not have count as empty.
    """
    folded = pl.DataFrame({name: folded_column(frame[name]) for name in match.attributes if name in frame.columns})
    edges: list[pl.DataFrame] = [_EDGE_SCHEMA.to_frame()]
    reviews: list[pl.DataFrame] = [_REVIEW_SCHEMA.to_frame()]
    keys: list[pl.DataFrame] = [_KEY_SCHEMA.to_frame()]
    for rule in match.rules:
        keyed = _keyed(folded, rule, frame.height)
        if keyed is None:
            continue
        keys.append(keyed.select(pl.lit(rule.name).alias("rule"), "value", "record"))
        found, doubtful = _link(keyed, folded, rule)
        edges.append(found)
        reviews.append(doubtful)
    links = pl.concat(edges)
    clusters, kept, refused = _cluster(frame, links, match)
    reviews.append(refused.select(pl.lit("cardinality").alias("kind"), pl.all()))
    return BulkResolution(
        clusters=clusters, edges=kept, reviews=_standing(pl.concat(reviews), clusters), keys=pl.concat(keys)
    )


def _keyed(folded: pl.DataFrame, rule: CompiledRule, height: int) -> pl.DataFrame | None:
    """Give the records that have a key of the rule, with the key; None when the frame lacks an attribute of it."""
    if any(part.attribute not in folded.columns for part in rule.parts):
        return None
    value = key_column(folded, rule.parts)
    return pl.DataFrame({"record": pl.arange(0, height, dtype=pl.UInt32, eager=True), "value": value}).drop_nulls()


def _link(keyed: pl.DataFrame, folded: pl.DataFrame, rule: CompiledRule) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the links of one rule and list what speaks against others."""
    shared = keyed.filter(pl.col("value").is_duplicated())
    sized = shared.with_columns(pl.len().over("value").alias("size"))
    crowded = sized.filter(pl.col("size") > rule.records_max).select("value").unique(maintain_order=True)
    usable = sized.filter(pl.col("size") <= rule.records_max).select("record", "value")
    pairs = (
        usable.join(usable, on="value", suffix="_b")
        .filter(pl.col("record") < pl.col("record_b"))
        .select(pl.col("record").alias("record_a"), "record_b", "value")
    )
    verdict = guard(pairs, folded, rule)
    named = pairs.select("record_a", "record_b", pl.lit(rule.name).alias("rule"), "value")
    found = named.filter(verdict == "accept")
    conflicts = named.filter(verdict == "conflict").select(pl.lit("conflict").alias("kind"), pl.all())
    zero = pl.lit(0, dtype=pl.UInt32)
    too_shared = crowded.select(
        pl.lit("shared_value").alias("kind"),
        zero.alias("record_a"),
        zero.alias("record_b"),
        pl.lit(rule.name).alias("rule"),
        "value",
    )
    return found, pl.concat([too_shared, conflicts])


def _ranked(frame: pl.DataFrame, links: pl.DataFrame, match: CompiledMatch) -> pl.DataFrame:
    """Put links in the order they are tried in, strongest rule first, then by record keys; one link a pair.

    The links come strongest rule first already.
    """
    place = _places(frame)
    a, b = place[links["record_a"].to_numpy()], place[links["record_b"].to_numpy()]
    first, second = np.minimum(a, b), np.maximum(a, b)
    _, found = np.unique(first * frame.height + second, return_index=True)
    kept = np.sort(found)
    strongest = links[kept]
    priorities = {rule.name: rule.priority for rule in match.rules}
    priority = strongest["rule"].replace_strict(priorities, return_dtype=pl.Int64).to_numpy()
    return strongest[np.lexsort((second[kept], first[kept], priority))]


def _places(frame: pl.DataFrame) -> NDArray[np.int64]:
    """Number the records in the order of their keys."""
    by_id = frame["external_id"].arg_sort().to_numpy()
    place = np.empty(frame.height, dtype=np.int64)
    place[by_id] = np.arange(frame.height)
    for column in ("stream", "system"):
        names = {name: at for at, name in enumerate(frame[column].unique().sort().to_list())}
        codes = frame[column].replace_strict(names, return_dtype=pl.Int64).to_numpy()
        order = np.lexsort((place, codes))
        place = np.empty(frame.height, dtype=np.int64)
        place[order] = np.arange(frame.height)
    return place


def _cluster(
    frame: pl.DataFrame, links: pl.DataFrame, match: CompiledMatch
) -> tuple[pl.Series, pl.DataFrame, pl.DataFrame]:
    """Find the components and the links that join them; cut those that hold too many records of one system."""
    ranked = _ranked(frame, links, match) if links.height else links
    labels, tree = _components(ranked, frame.height)
    cut = None if match.per_system_max is None else _crowded_components(frame, labels, match.per_system_max)
    if cut is None or not len(cut):
        return _least_of_label(labels), ranked[tree], links.clear()
    is_cut = np.zeros(int(labels.max()) + 1, dtype=bool)
    is_cut[cut] = True
    in_cut = is_cut[labels[ranked["record_a"].to_numpy()]]
    result = _walk(frame, ranked.filter(pl.Series(in_cut)), np.flatnonzero(is_cut[labels]), match)
    fresh = int(labels.max()) + 1
    for number, cluster in enumerate(result.clusters):
        labels[cluster] = fresh + number
    joining = pl.concat([ranked[tree[~in_cut[tree]]], _edge_frame(result.joining)])
    return _least_of_label(labels), joining, _edge_frame(result.refused)


def _components(ranked: pl.DataFrame, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Label the components, and name the links (by position) that join them when tried in order."""
    a, b = ranked["record_a"].to_numpy(), ranked["record_b"].to_numpy()
    rank = np.arange(1, ranked.height + 1, dtype=np.float64)
    scipy_graph = cast("Any", csgraph)
    # The spanning tree of least ranks is what trying the links in order would keep.
    tree = scipy_graph.minimum_spanning_tree(coo_matrix((rank, (a, b)), shape=(height, height)))
    _, labels = scipy_graph.connected_components(tree, directed=False)
    return labels.astype(np.int64), np.sort(tree.data.astype(np.int64)) - 1


def _least_of_label(labels: NDArray[np.int64]) -> pl.Series:
    """Name each cluster by its least row."""
    if not len(labels):
        return pl.Series("cluster", [], dtype=pl.UInt32)
    first = np.full(int(labels.max()) + 1, len(labels), dtype=np.int64)
    np.minimum.at(first, labels, np.arange(len(labels)))
    return pl.Series("cluster", first[labels], dtype=pl.UInt32)


def _crowded_components(frame: pl.DataFrame, labels: NDArray[np.int64], per_system_max: int) -> NDArray[np.int64]:
    counts = (
        pl.DataFrame({"label": labels, "system": frame["system"]})
        .group_by("label", "system")
        .len()
        .filter(pl.col("len") > per_system_max)
    )
    return counts["label"].unique().to_numpy()


def _walk(frame: pl.DataFrame, links: pl.DataFrame, records: NDArray[np.int64], match: CompiledMatch) -> Partition:
    """Decide link by link, as the incremental path does."""
    rows = frame.select(KEY_COLUMNS)[records].rows()
    places = {
        int(record): Place(RecordKey(system, stream, external_id))
        for record, (system, stream, external_id) in zip(records.tolist(), rows, strict=True)
    }
    edges = [Edge(a, b, rule, value, match.match_hash) for a, b, rule, value in links.iter_rows()]
    return partition(places, edges=edges, decisions=(), match=match)


def _edge_frame(edges: list[Edge]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "record_a": [edge.record_a for edge in edges],
            "record_b": [edge.record_b for edge in edges],
            "rule": [edge.rule for edge in edges],
            "value": [edge.value for edge in edges],
        },
        schema=_EDGE_SCHEMA,
    )


def _standing(reviews: pl.DataFrame, clusters: pl.Series) -> pl.DataFrame:
    """Drop the doubts about records that other evidence joined."""
    is_apart = clusters.gather(reviews["record_a"]) != clusters.gather(reviews["record_b"])
    return reviews.filter(is_apart | (reviews["kind"] == "shared_value")).unique(maintain_order=True)
