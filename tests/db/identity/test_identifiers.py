"""Keys as they are stored: digests, made by the rules in force and by no other."""

from comity.identity import api
from comity.identity.types import RecordKey
from tests.db.identity.test_resolve import RULES, facts, make_match


def read_identifiers(tx):
    rows = tx.execute("select key_hash, system from identity.identifier join identity.record using (record_id)")
    return set(rows.fetchall())


def test_links_nobody_by_a_digest_that_two_values_share(tx, resolve):
    ann, _ = resolve(
        facts("a", "1", email="ann@example.com", given_name="Ann"),
        facts("b", "1", email="bob@example.com", given_name="Bob"),
    ).profile_ids
    tx.execute(
        "insert into identity.identifier select a.key_hash, b.record_id, a.rule_tag from identity.identifier a "
        "cross join identity.record b where b.system = 'b' and a.record_id <> b.record_id"
    )
    other = resolve(facts("c", "1", email="ann@example.com", given_name="Ann"))
    assert other.profile_ids == [ann]
    assert api.find_profiles_by_identifier(tx, attribute="email", value="Ann@example.com ") == [ann]


def test_leaves_only_keys_that_the_rules_in_force_make(tx, resolve, clock, ids):
    resolve(
        facts("a", "1", email="x@example.com", phone="+4930123456", given_name="Ann"),
        facts("b", "1", email="y@example.com", given_name="Ben"),
        facts("c", "1", email="z@example.com", given_name="Zoe"),
    )
    key = RecordKey("c", "contact", "1")
    match = make_match(rules=[RULES["rules"][0], {"name": "phone_and_name", "key": ["phone"], "records_max": 4}])
    api.resolve_stale_records(tx, match=match, now=clock.now(), ids=ids, limit=100)
    api.forget_records(tx, keys=[key], match=match, now=clock.now(), ids=ids)
    resolve(facts("b", "1", phone="+4930123457"), match=match)
    made = {
        (match.hash_of(key), system)
        for system, keys in {
            "a": [
                ("email_and_name", "x@example.com\x1fan"),
                ("phone_and_name", "+4930123456"),
                ("@email", "x@example.com"),
                ("@phone", "+4930123456"),
            ],
            "b": [
                ("email_and_name", "y@example.com\x1fbe"),
                ("phone_and_name", "+4930123457"),
                ("@email", "y@example.com"),
                ("@phone", "+4930123457"),
            ],
        }.items()
        for key in keys
    }
    assert read_identifiers(tx) == made


def test_repairs_keys_of_records_that_were_gone_meanwhile(tx, resolve, clock, ids):
    key = RecordKey("a", "contact", "1")
    ann = facts("a", "1", email="x@example.com", given_name="Ann")
    resolve(ann)
    before = read_identifiers(tx)
    api.forget_records(tx, keys=[key], match=make_match(), now=clock.now(), ids=ids)
    assert read_identifiers(tx) == set()
    resolve(ann)
    assert read_identifiers(tx) == before
