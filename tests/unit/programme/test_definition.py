"""Definitions of programmes: what is contradictory is refused, at its place and with a remedy."""

import msgspec
import pytest

from comity.definitions import api as definitions
from comity.definitions.rules import plain
from comity.definitions.types import ProgrammeSpec

HEAD = """\
kind: programme
name: club
spec:
  title: Club
  currency: EUR
  timezone: Europe/Berlin
"""
WHOLE = (
    HEAD
    + """\
  brands: [hotel, spa]
  points:
    - name: coins
      pending: {days: 14}
      expiry: {kind: rolling, after: {months: 24}, end_of: month}
      warn_days: [60, 7]
      worth: {points: 100, minor: 50}
      caps: [{points: 5000, per: day}]
      qualifying: false
    - {name: status, spendable: false, expiry: {kind: never}}
  groups: [{name: summer, stacking: best_of}]
  earning_rules:
    - {name: base, rate: {points: 1, per_minor: 100}, rounding: half_up}
    - {name: nights, points: status, per_item: 10, categories: [room]}
    - {name: gold, multiplier_percent: 150, tiers: [Gold], of: [base]}
    - name: web
      multiplier_percent: 200
      group: summer
      budget: summer
      when: "purchase.channel = 'web' and line.category <> 'room' and country = 'DE'"
      first_day: 2026-06-01
      last_day: 2026-08-31
      caps: [{points: 500, per: purchase}, {times: 3, per: month}]
    - {name: welcome, fixed: 500, first_purchase: true, pending: {until: stay_completed, days: 2}}
  exclusions: [{name: gifts, categories: [gift_card]}]
  budgets: [{name: summer, points: 100000, money_minor: 5000000, per: year}]
  ladders:
    - name: status
      points: status
      window: {kind: calendar}
      downgrade: one_level
      valid: {next_years: 1}
      grace_days: 60
      levels: [{name: Blue, from: 0}, {name: Silver, from: 100}, {name: Gold, from: 300, keep_from: 250}]
  rewards:
    - {name: coffee, title: A coffee, price: 150, stock: 1000, caps: [{times: 1, per: day}], tiers: [Gold],
       when: "loyalty.points > 200 and country = 'DE'"}
    - {name: voucher, title: 10 euros, price: 2000, voucher: {minor: 1000, valid: {months: 6}}}
  returns: {policy: allow_negative, window_days: 30}
  corrections: freeze_closed_period
  referral: {advocate_points: 500, friend_points: 250, matures_days: 35, caps: [{times: 10, per: year}]}
  transfers: {points_min: 100, points_max: 5000, caps: [{points: 10000, per: year}]}
  pools: {members_max: 6}
  adjustments: {checker_above: 1000, points_max: 100000}
"""
)
ATTRIBUTE = "kind: attribute\nname: country\nspec: {type: text}\n---\n"
SHORT = HEAD + "  earning: {points_per_unit: 1, unit_minor: 100}\n"
RULES = HEAD + "  earning_rules:\n    - {name: base, rate: {points: 1, per_minor: 100}}\n"


def problems(text):
    loaded = definitions.load_text(ATTRIBUTE + text, file="a.yaml")
    return definitions.validate(loaded)


def only(text):
    found = problems(text)
    assert len(found) == 1, [str(each) for each in found]
    assert found[0].remedy and found[0].line > 1
    return found[0]


def spec_of(text):
    [document] = definitions.load_text(text, file="a.yaml").documents
    return document.spec


class TestWhole:
    def test_has_no_problems(self):
        assert not [str(each) for each in problems(WHOLE)]

    def test_can_be_written_and_read_again(self):
        spec = spec_of(WHOLE)
        assert msgspec.convert(plain(spec), ProgrammeSpec) == spec

    def test_what_was_valid_stays_the_same(self):
        """The hash of a spec in the short form is that of before, so that nothing changes at the next apply."""
        short = SHORT + "  tiers: {levels: [{name: Blue, from: 0}, {name: Gold, from: 500}]}\n"
        assert not problems(short)
        assert sorted(plain(spec_of(short))) == ["currency", "earning", "tiers", "timezone", "title"]

    def test_the_short_form_is_a_ladder(self):
        [ladder] = spec_of(SHORT + "  tiers: {levels: [{name: Blue, from: 0}], window_days: 30}\n").ladder_specs
        assert ladder.name == "tiers"
        assert ladder.window.length.days == 30


class TestRefuses:
    @pytest.mark.parametrize(
        ("more", "field", "said"),
        [
            ("    - {name: b}", "earning_rules[1]", "not what it gives"),
            ("    - {name: b, fixed: 1, per_item: 2}", "earning_rules[1]", "per_item and fixed"),
            ("    - {name: base, fixed: 1}", "earning_rules[1].name", "same days"),
            ("    - {name: b, fixed: 1, first_day: 2026-02-02, last_day: 2026-02-01}", "earning_rules[1].last_day", ""),
            ("    - {name: b, fixed: 1, first_day: 2026-02-30}", "earning_rules[1].first_day", "not a date"),
            ("    - {name: b, fixed: 1, points: coin}", "earning_rules[1].points", "no points 'coin'"),
            ("    - {name: b, fixed: 1, group: g}", "earning_rules[1].group", "no group"),
            ("    - {name: b, fixed: 1, budget: g}", "earning_rules[1].budget", "no budget"),
            ("    - {name: b, fixed: 1, tiers: [Gold]}", "earning_rules[1].tiers[0]", "no level"),
            ("    - {name: b, fixed: 1, of: [base]}", "earning_rules[1].of", "Only a multiplier"),
            ("    - {name: b, multiplier_percent: 200, of: [bas]}", "earning_rules[1].of[0]", "no award"),
            ("    - {name: b, multiplier_percent: 100}", "earning_rules[1].multiplier_percent", "out of range"),
            ("    - {name: b, multiplier_percent: 200, rounding: floor}", "earning_rules[1].rounding", "takes its"),
            ("    - {name: b, fixed: 9, caps: [{points: 8, per: day}]}", "earning_rules[1].caps[0]", "less than the 9"),
            ("    - {name: b, fixed: 9, caps: [{per: day}]}", "earning_rules[1].caps[0]", "either"),
            ("    - {name: b, fixed: 9, caps: [{times: 1, per: purchase}]}", "earning_rules[1].caps[0]", "once"),
            (
                "    - {name: b, fixed: 9, caps: [{times: 5, per: day}, {times: 2, per: month}]}",
                "earning_rules[1].caps[1]",
                "can never be reached",
            ),
            (
                "    - {name: b, fixed: 9, caps: [{times: 5, per: day}, {times: 5, per: day}]}",
                "earning_rules[1].caps[1]",
                "two caps",
            ),
            ("    - {name: b, fixed: 1, when: \"purchase.chanel = 'web'\"}", "earning_rules[1].when", "no attribute"),
            ("    - {name: b, fixed: 1, when: loyalty.points > 5}", "earning_rules[1].when", "no attribute"),
            ("  points: [{name: p, qualifying: false, spendable: false}]", "points[0]", "neither"),
            ("  points: [{name: p, warn_days: [3]}]", "points[0].warn_days", "never expire"),
            ("  points: [{name: p, expiry: {kind: rolling, after: {}}}]", "points[0].expiry.after", "at once"),
            (
                "  points: [{name: p, pending: {days: 40}, expiry: {kind: rolling, after: {months: 1}}}]",
                "points[0].pending",
                "before they are available",
            ),
            (
                "  points: [{name: p, warn_days: [40], expiry: {kind: rolling, after: {months: 1}}}]",
                "points[0].warn_days[0]",
                "before the points are earned",
            ),
            (
                "  points: [{name: p, expiry: {kind: sliding, after: {years: 2}, at_most: {years: 1}}}]",
                "points[0].expiry.at_most",
                "grow as old",
            ),
            (
                "  points: [{name: p, expiry: {kind: calendar, year_starts: 02-29}}]",
                "points[0].expiry.year_starts",
                "No programme year",
            ),
            ("  points: [{name: p, expiry: {kind: wrong}}]", "points[0].expiry.kind", "not one of"),
            ("  budgets: [{name: b}]", "budgets[0]", "no limit"),
            ("  budgets: [{name: b, points: 1, per: purchase}]", "budgets[0].per", "many purchases"),
            ("  exclusions: [{name: b}]", "exclusions[0]", "everything"),
            ("  ladders: [{name: l, levels: [{name: A, from: 1}]}]", "ladders[0].levels[0].from", "start at 0"),
            (
                "  ladders: [{name: l, levels: [{name: A, from: 0}, {name: B, from: 5, keep_from: 6}]}]",
                "ladders[0].levels[1].keep_from",
                "harder to keep",
            ),
            (
                "  ladders: [{name: l, levels: [{name: A, from: 0}], valid: {next_years: 1}}]",
                "ladders[0].valid",
                "lost at once",
            ),
            (
                "  ladders: [{name: l, levels: [{name: A, from: 0}], window: {kind: lifetime}, downgrade: one_level}]",
                "ladders[0].downgrade",
                "for ever",
            ),
            (
                "  ladders: [{name: l, levels: [{name: A, from: 0}], downgrade: one_level, valid: {next_years: 1}}]",
                "ladders[0].valid.next_years",
                "calendar window",
            ),
            (
                "  ladders: [{name: l, levels: [{name: A, from: 0}], downgrade: one_level, valid: {}}]",
                "ladders[0].valid",
                "either",
            ),
            ("  rewards: [{name: r, title: R, price: 1, tiers: [Gold]}]", "rewards[0].tiers[0]", "no level"),
            ("  rewards: [{name: r, title: R, price: 0}]", "rewards[0].price", "out of range"),
            ("  referral: {advocate_points: 0}", "referral", "Nobody"),
            ("  referral: {advocate_points: 5, matures_days: 29}", "referral.matures_days", "still be returned"),
            ("  transfers: {points_min: 5, points_max: 4}", "transfers.points_max", "No transfer"),
            ("  adjustments: {checker_above: 5, points_max: 4}", "adjustments.checker_above", "second person"),
            ("  earning: {points_per_unit: 1, unit_minor: 1}", "earning_rules[0].name", "stands in `earning`"),
        ],
    )
    def test_what_contradicts_itself(self, more, field, said):
        found = only(RULES + more + "\n")
        assert found.field == f"spec.{field}"
        assert said in found.message

    def test_a_programme_that_earns_nothing(self):
        assert "Nothing earns" in only(HEAD).message

    def test_points_that_do_not_qualify_on_a_ladder(self):
        text = RULES + "  points: [{name: p, qualifying: false}]\n  tiers: {levels: [{name: A, from: 0}]}\n"
        assert "do not qualify" in only(text).message

    def test_the_same_level_on_two_ladders_where_one_is_meant(self):
        levels = "levels: [{name: A, from: 0}]"
        text = RULES + "    - {name: b, fixed: 1, tiers: [A]}\n"
        text += f"  ladders: [{{name: l, {levels}}}, {{name: m, {levels}}}]\n"
        assert "Several ladders" in only(text).message

    def test_a_money_budget_of_points_of_unknown_worth(self):
        text = RULES + "    - {name: b, fixed: 1, budget: s}\n  budgets: [{name: s, money_minor: 5}]\n"
        assert "worth" in only(text).message

    def test_a_rule_for_what_is_excluded(self):
        text = RULES + "    - {name: b, fixed: 1, categories: [x]}\n  exclusions: [{name: e, categories: [x, y]}]\n"
        assert "are excluded" in only(text).message

    def test_rules_may_follow_each_other_under_one_name(self):
        text = HEAD + "  earning_rules:\n"
        text += "    - {name: base, rate: {points: 1, per_minor: 100}, last_day: 2026-06-30}\n"
        text += "    - {name: base, rate: {points: 2, per_minor: 100}, first_day: 2026-07-01}\n"
        assert not problems(text)
