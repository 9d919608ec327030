"""Paths, versions, paging and budgets."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.connect.budget import Budgets, DailyQuota, TokenBucket
from comity.connect.paging import Keyset, NextLink, NextToken, Offset, PageNumber, first_place, next_place
from comity.connect.paths import MISSING, fill, nest, read_path, text_at
from comity.connect.types import CallFailed, CursorInvalid, ErrorClass, SettingsInvalid
from comity.connect.versions import SEEN_MAX, Seen, decode_cursor, parse_stamp, version_of

NAMES = st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=5).filter(lambda s: not s.isdigit())
LEAVES = st.none() | st.booleans() | st.integers() | st.text()


class TestPaths:
    @given(st.dictionaries(st.tuples(NAMES, NAMES), LEAVES, max_size=6))
    @settings(max_examples=60, deadline=None)
    def test_what_is_nested_is_read_back(self, values):
        fields = {".".join(names): value for names, value in values.items()}
        nested = nest(fields)
        assert {name: read_path(nested, name) for name in fields} == fields

    @pytest.mark.parametrize(
        ("path", "value"),
        [("a.b[1].c", 7), ("a.b[9].c", MISSING), ("a.x", MISSING), ("n", None), ("d.e", "whole"), ("a.b[0]", {"c": 6})],
    )
    def test_reads_by_steps(self, path, value):
        document = {"a": {"b": [{"c": 6}, {"c": 7}]}, "n": None, "d.e": "whole"}
        assert read_path(document, path) == value

    def test_null_and_nothing_differ_but_have_no_text(self):
        assert text_at({"a": None}, "a") is None
        assert text_at({}, "a") is None
        assert text_at({"a": True}, "a") == "true"

    def test_a_place_alone_keeps_its_type(self):
        values = {"id": 7, "fields": {"a": None}}
        assert fill({"x": "{id}", "y": "n{id}", "z": ["{fields}"]}, values) == {"x": 7, "y": "n7", "z": [{"a": None}]}

    def test_an_unknown_place_is_told(self):
        with pytest.raises(SettingsInvalid, match="idd"):
            fill("{idd}", {"id": 1})


class TestVersions:
    def test_content_and_stamp_make_a_version(self):
        assert version_of(b"a", "t") != version_of(b"b", "t")
        assert version_of(b"a", "t") != version_of(b"a", "u")

    @pytest.mark.parametrize(
        "value",
        [
            "2026-11-21T10:00:00.000+0000",
            "2026-11-21T10:00:00Z",
            "2026-11-21T11:00:00+01:00",
            1795255200,
            "1795255200000",
        ],
    )
    def test_vendors_ways_to_write_a_time(self, value):
        assert parse_stamp(value) == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

    @pytest.mark.parametrize("value", [None, "", "soon", True, 10**30, {}, "2026-13-01"])
    def test_what_is_no_time_is_none(self, value):
        assert parse_stamp(value) is None

    @given(st.sets(st.tuples(NAMES, NAMES), max_size=20), st.sets(st.tuples(NAMES, NAMES), max_size=20))
    @settings(max_examples=40, deadline=None)
    def test_seen_remembers_what_it_was_told(self, told, others):
        seen = Seen()
        for external_id, version in told:
            seen.add(external_id, version)
        again = Seen(seen.to_text())
        assert all(again.has(*state) for state in told)
        assert not any(again.has(*state) for state in others - told)

    def test_seen_is_bounded(self):
        seen = Seen()
        for number in range(SEEN_MAX + 10):
            seen.add(str(number), "v")
        assert len(seen.to_text()) <= SEEN_MAX * 8

    def test_a_foreign_cursor_is_refused(self):
        from comity.connectors.salesforce.reading import _Cursor

        with pytest.raises(CursorInvalid):
            decode_cursor('{"offset": 3}', _Cursor)


class TestPaging:
    @pytest.mark.parametrize("paging", [NextLink(path="next"), NextToken(path="next", param="t")])
    def test_refuses_the_same_token_twice(self, paging):
        place = next_place(paging, first_place(paging), {"next": "x"}, records=[1])
        with pytest.raises(CallFailed):
            next_place(paging, place, {"next": "x"}, records=[1])

    @pytest.mark.parametrize(
        ("paging", "expected"),
        [
            (Offset(size=2), ["0", "2", "4", "5"]),
            (PageNumber(size=2), ["1", "2", "3", "4"]),
            (Keyset(size=2, param="after", path="id"), [None, "1", "3", "4"]),
            (Offset(size=100), ["0", "2", "4", "5"]),
            (PageNumber(size=100), ["1", "2", "3", "4"]),
            (Keyset(size=100, param="after", path="id"), [None, "1", "3", "4"]),
        ],
    )
    def test_walks_to_the_end_also_where_pages_are_shorter_than_asked_for(self, paging, expected):
        rows = [{"id": n} for n in range(5)]
        place, asked, at = first_place(paging), [], 0
        while place is not None:
            asked.append(place.params.get(paging.param))
            page = rows[at : at + 2]
            place, at = next_place(paging, place, {}, records=page), at + 2
        assert asked == expected

    @pytest.mark.parametrize("paging", [Offset(), PageNumber(), Keyset(param="after", path="id")])
    def test_a_system_that_always_gives_the_same_page_is_told_of(self, paging):
        page = [{"id": 1}, {"id": 2}]
        place = next_place(paging, first_place(paging), {}, records=page)
        with pytest.raises(CallFailed, match="same page"):
            next_place(paging, place, {}, records=page)

    def test_follows_the_link_header(self):
        link = '</list/1>; rel="prev", </list/3>; rel="next"'
        assert next_place(NextLink(), first_place(NextLink()), [], records=[1], link_header=link).url == "/list/3"
        assert next_place(NextLink(), first_place(NextLink()), [], records=[1], link_header=None) is None


class TestBudget:
    def test_a_bucket_gives_its_burst_and_then_its_rate(self, clock):
        bucket = TokenBucket(clock=clock, rate_per_second=10, burst_count=5, wait_seconds_max=60)
        began = clock.monotonic()
        for _ in range(105):
            bucket.spend()
        assert clock.monotonic() - began == pytest.approx(10, abs=0.2)

    def test_a_bucket_refuses_a_wait_that_is_too_long(self, clock):
        bucket = TokenBucket(clock=clock, rate_per_second=0.1, wait_seconds_max=1)
        bucket.spend()
        with pytest.raises(CallFailed) as caught:
            bucket.spend()
        assert caught.value.error_class is ErrorClass.LIMIT_SHORT
        assert caught.value.retry_after_seconds == pytest.approx(10)

    def test_a_quota_keeps_its_reserve_for_what_is_urgent(self, clock):
        quota = DailyQuota(clock=clock, maximum=10, reserve_count=3)
        budget = Budgets(quota, TokenBucket(clock=clock, rate_per_second=100))
        for _ in range(7):
            budget.spend()
        with pytest.raises(CallFailed) as caught:
            budget.spend()
        assert caught.value.error_class is ErrorClass.LIMIT_LONG
        assert caught.value.retry_after_seconds == pytest.approx(12 * 3600, abs=1)
        quota.urgent().spend(3)
        with pytest.raises(CallFailed):
            quota.urgent().spend()
        clock.advance(seconds=12 * 3600)
        budget.spend()

    def test_a_quota_believes_the_system(self, clock):
        quota = DailyQuota(clock=clock, maximum=100)
        quota.report(used_count=40, maximum=41)
        quota.spend()
        with pytest.raises(CallFailed):
            quota.spend()
