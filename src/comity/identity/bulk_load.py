"""Taking a whole population in at once: what `resolve_bulk` decides, stored by COPY.

The tables are filled as the incremental path would leave them, so that later changes go on from there. Record ids are
given out cluster by cluster: the records of a person lie together.
"""

import hashlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from comity.identity import bulk_store, store
from comity.identity.bulk import KEY_COLUMNS, BulkResolution, resolve_bulk
from comity.identity.bulk_text import folded_column
from comity.identity.match import KEY_CHARS_MAX, LOOKUP_MARK, CompiledMatch
from comity.identity.resolve import FOUNDED
from comity.identity.types import ABSENT_MARK, PROFILE_CREATED, BulkLoad, KeyInvalid, RecordsKnown
from comity.kernel.columns import wire_time
from comity.kernel.database import Tx
from comity.kernel.events import publish_column
from comity.kernel.ids import Ids

PLAIN_JSON = r"^[^\x00-\x1f\x22\x5c\x7f]*$"
"""Text that JSON writes as it is."""
IDENTIFIER_SCHEMA = pl.Schema({"key_hash": pl.Int64, "record_id": pl.Int64, "rule_tag": pl.Int32})
UUID_PARTS = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))


@contextmanager
def load(tx: Tx, *, frame: pl.DataFrame, match: CompiledMatch, now: datetime, ids: Ids) -> Generator[BulkLoad]:
    """Resolve and store all records of a frame; see the door."""
    store.take_turn(tx)
    if store.has_records(tx):
        raise RecordsKnown
    if _has_bad_keys(frame):
        raise KeyInvalid
    resolution = resolve_bulk(frame, match=match)
    clusters = resolution.clusters.to_numpy().astype(np.int64)
    record_ids = _number(clusters, first=bulk_store.draw_record_id_range(tx, count=frame.height))
    is_founder = clusters == np.arange(len(clusters))
    founders = np.flatnonzero(is_founder)
    profiles = pl.Series("profile_id", ids.uuid7_bytes(now, len(founders)), dtype=pl.Binary)
    profile_ids = profiles.gather((np.cumsum(is_founder) - 1)[clusters])
    bulk_store.lock_tables(tx)
    with ThreadPoolExecutor(max_workers=1) as thread:
        records = thread.submit(_records, frame, resolution, record_ids, profile_ids, match=match, now=now)
        _store_profiles(tx, profiles, record_ids[founders], now)
    bulk_store.copy_records(tx, records=records.result())
    made: list[pl.DataFrame] = []

    def make_ready() -> None:
        made.append(_identifiers(frame, resolution, record_ids, match))

    yield BulkLoad(
        record_ids=record_ids,
        profile_ids=profile_ids,
        profiles_count=len(profiles),
        make_ready=make_ready,
    )
    if not made:
        make_ready()
    bulk_store.copy_edges(tx, edges=_edges(resolution, record_ids, match=match, now=now))
    bulk_store.copy_identifiers(tx, identifiers=made.pop())
    if resolution.reviews.height:
        bulk_store.copy_reviews(tx, reviews=_reviews(resolution, record_ids, match=match, now=now))
    bulk_store.analyze(tx)


def _has_bad_keys(frame: pl.DataFrame) -> bool:
    part = pl.col(KEY_COLUMNS)
    is_bad = frame.select(part.str.contains_any([store.SEPARATOR, "\x00"]) | (part == ""))
    return bool(is_bad.select(pl.any_horizontal(pl.all()).any()).item())


def _number(clusters: NDArray[np.int64], *, first: int) -> NDArray[np.int64]:
    """Give record ids in the order of the clusters; in a cluster in the order of the rows."""
    record_ids = np.empty(len(clusters), dtype=np.int64)
    record_ids[np.argsort(clusters, kind="stable")] = np.arange(first, first + len(clusters))
    return record_ids


def _records(
    frame: pl.DataFrame,
    resolution: BulkResolution,
    record_ids: NDArray[np.int64],
    profile_ids: pl.Series,
    *,
    match: CompiledMatch,
    now: datetime,
) -> pl.DataFrame:
    rows = frame.select(*KEY_COLUMNS, write_features(frame, match).alias("features")).with_columns(
        pl.Series("record_id", record_ids),
        profile_ids.alias("profile_id"),
        _brought_by(resolution.edges, frame.height).alias("rule"),
        pl.lit(match.match_hash).alias("match_hash"),
        wire_time(now).alias("linked_at"),
    )
    columns = ("record_id", *KEY_COLUMNS, "profile_id", "features", "rule", "match_hash", "linked_at")
    return rows.sort("record_id").select(columns)


def write_features(frame: pl.DataFrame, match: CompiledMatch) -> pl.Expr:
    """Write the features of each record as JSON, without those it said nothing of."""
    members: list[pl.Expr] = []
    for name in match.attributes:
        if name not in frame.columns:
            continue
        said = pl.lit(f'"{name}":') + _written(frame[name])
        is_absent = pl.col(name + ABSENT_MARK) if name + ABSENT_MARK in frame.columns else pl.lit(value=False)
        members.append(pl.when(~is_absent).then(said))
    listed = pl.concat_str(members, separator=",", ignore_nulls=True) if members else pl.lit("")
    return pl.concat_str(pl.lit("{"), listed, pl.lit("}"))


def _written(values: pl.Series) -> pl.Expr:
    """Write a column of texts as JSON; empty is null."""
    value = pl.col(values.name).cast(pl.String).replace("", None)
    if values.cast(pl.String).str.contains(PLAIN_JSON).all():
        return pl.concat_str(pl.lit('"'), value, pl.lit('"')).fill_null("null")
    member = pl.struct(value.alias("")).struct.json_encode()
    return member.str.slice(4, member.str.len_chars() - 5)


def _brought_by(edges: pl.DataFrame, height: int) -> pl.Series:
    """Say for each record which rule linked it first."""
    ends = [edges.select(pl.col(end).alias("record"), "rule").with_row_index("at") for end in ("record_a", "record_b")]
    first = pl.concat(ends).sort("at", maintain_order=True).unique("record", keep="first", maintain_order=True)
    rules = np.full(height, FOUNDED, dtype=object)
    rules[first["record"].to_numpy()] = first["rule"].to_numpy()
    return pl.Series(rules, dtype=pl.String)


def _identifiers(
    frame: pl.DataFrame, resolution: BulkResolution, record_ids: NDArray[np.int64], match: CompiledMatch
) -> pl.DataFrame:
    keys = {str(rule): each for (rule,), each in resolution.keys.partition_by("rule", as_dict=True).items()}
    records = pl.arange(0, frame.height, dtype=pl.UInt32, eager=True)
    for name in match.lookups:
        if name in frame.columns:
            looked_up = pl.DataFrame({"value": folded_column(frame[name]), "record": records})
            keys[LOOKUP_MARK + name] = looked_up.filter(pl.col("value").str.len_chars() <= KEY_CHARS_MAX)
    identifiers = [
        pl.DataFrame(
            {
                "key_hash": _hashed(each["value"], match.salt_of(rule)),
                "record_id": record_ids[each["record"].to_numpy()],
                "rule_tag": pl.Series([match.tag_of(rule)], dtype=pl.Int32).new_from_index(0, each.height),
            }
        )
        for rule, each in keys.items()
    ]
    return pl.concat([IDENTIFIER_SCHEMA.to_frame(), *identifiers]).sort("key_hash", "record_id")


def _hashed(values: pl.Series, salt: bytes) -> NDArray[np.int64]:
    """Digest key values as `hash_key` does, without a number object for each."""
    texts = values.cast(pl.Binary).to_list()
    return np.frombuffer(b"".join(hashlib.blake2b(salt + text, digest_size=8).digest() for text in texts), dtype="<i8")


def _edges(
    resolution: BulkResolution, record_ids: NDArray[np.int64], *, match: CompiledMatch, now: datetime
) -> pl.DataFrame:
    edges = _with_record_ids(resolution.edges, record_ids).select(
        *("record_a", "record_b", "rule", "value"),
        pl.lit(match.match_hash).alias("match_hash"),
        wire_time(now).alias("linked_at"),
    )
    return edges.sort("record_a", "record_b")


def _reviews(
    resolution: BulkResolution, record_ids: NDArray[np.int64], *, match: CompiledMatch, now: datetime
) -> pl.DataFrame:
    limits = {rule.name: rule.records_max + 1 for rule in match.rules}
    sizes = resolution.keys.group_by("rule", "value").len("shared_by")
    return (
        _with_record_ids(resolution.reviews, record_ids)
        .join(sizes, on=("rule", "value"), how="left", maintain_order="left")
        .with_columns(
            pl.min_horizontal(
                pl.col("shared_by").fill_null(1),
                pl.col("rule").replace_strict(limits, default=1, return_dtype=pl.Int64),
            )
        )
        .select(
            *("kind", "rule", "value", "record_a", "record_b"),
            pl.concat_str(pl.lit('{"shared_by":'), "shared_by", pl.lit("}")).alias("detail"),
            wire_time(now).alias("opened_at"),
        )
    )


def _with_record_ids(links: pl.DataFrame, record_ids: NDArray[np.int64]) -> pl.DataFrame:
    """Put record ids, in order, in the place of rows; a pair without records stays 0 and 0."""
    rows_a, rows_b = links["record_a"].to_numpy(), links["record_b"].to_numpy()
    is_pair = rows_a != rows_b
    a = np.where(is_pair, record_ids[rows_a], 0)
    b = np.where(is_pair, record_ids[rows_b], 0)
    return links.with_columns(pl.Series("record_a", np.minimum(a, b)), pl.Series("record_b", np.maximum(a, b)))


def _store_profiles(tx: Tx, profiles: pl.Series, founders: NDArray[np.int64], now: datetime) -> None:
    rows = profiles.to_frame().with_columns(
        pl.Series("founder_record_id", founders), wire_time(now).alias("created_at")
    )
    bulk_store.copy_profiles(tx, profiles=rows)
    text = profiles.bin.encode("hex")
    parts = [text.str.slice(start, length) for start, length in UUID_PARTS]
    named = pl.select(pl.lit('{"profile_id": "') + pl.concat_str(parts, separator="-") + '"}').to_series()
    publish_column(tx, kind=PROFILE_CREATED, payloads=named, now=now)
