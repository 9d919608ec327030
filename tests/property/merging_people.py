"""People who turn out to be one another and not, in any order: where state machines of merging and parting begin."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from comity.activity import api as activity
from comity.identity.types import PROFILE_CREATED, PROFILES_MERGED
from comity.kernel.events import Event
from comity.programme import api, readers
from comity.programme import store as programme_store

START = datetime(2026, 3, 3, 12, tzinfo=UTC)
PEOPLE = (1, 2, 3)

people = st.sampled_from(PEOPLE)
some = st.integers(0, 99)


def profile(person):
    return UUID(int=person)


class MergingPeople(RuleBasedStateMachine):
    """Three people with a record each, members of `club`, and who stands for whom."""

    club = None

    def __init__(self, tx):
        super().__init__()
        self.tx = tx
        tx.execute("savepoint machine")
        self.now = START
        self.count = 0
        self.leader = {person: person for person in PEOPLE}
        for person in PEOPLE:
            tx.execute("insert into identity.profile values (%s, %s, null, now())", [profile(person), person])
            tx.execute(
                "insert into identity.record (record_id, system, stream, external_id, profile_id, linked_at, rule, "
                "match_hash, features) overriding system value "
                "values (%s, 'crm', 'Contact', %s, %s, now(), 'founded', 0, '{}')",
                [person, f"c{person}", profile(person)],
            )
        self.tell(*((PROFILE_CREATED, {"profile_id": str(profile(person))}) for person in PEOPLE))
        self.programme = programme_store.find_programme(tx, programme="club").account_id

    def teardown(self):
        self.tx.execute("rollback to savepoint machine")

    def key(self):
        self.count += 1
        return f"k{self.count}"

    def tell(self, *events):
        handed = [
            Event(event_id=place, xid=1, kind=kind, payload=payload, occurred_at=self.now)
            for place, (kind, payload) in enumerate(events, start=1)
        ]
        readers.handle_events(self.tx, events=handed, programmes=[self.club], now=self.now)

    def account(self, person):
        return api.get_member(self.tx, profile_id=profile(person), programme="club").account_id

    @property
    def today(self):
        return self.now.date()

    def leaders(self):
        return sorted(set(self.leader.values()))

    def follow(self, people, leader):
        """Identity says who stands for these now, and purchases follow their records and Global IDs."""
        self.leader |= dict.fromkeys(people, leader)
        for person in people:
            merged_into = None if person == leader else profile(leader)
            self.tx.execute(
                "update identity.profile set merged_into = %s where profile_id = %s", [merged_into, profile(person)]
            )
            self.tx.execute(
                "update identity.record set profile_id = %s where record_id = %s", [profile(leader), person]
            )
        activity.follow_records(self.tx, record_ids=list(people))

    @precondition(lambda self: len(self.leaders()) > 1)
    @rule(which=some, other=st.integers(1, 2))
    def merge(self, which, other):
        leaders = self.leaders()
        loser = leaders[which % len(leaders)]
        survivor = leaders[(which + min(other, len(leaders) - 1)) % len(leaders)]
        self.follow([each for each in PEOPLE if self.leader[each] == loser], survivor)
        self.tell(self.merged(loser, survivor))

    @precondition(lambda self: len(self.leaders()) < len(PEOPLE))
    @rule(which=some, takes_along=st.booleans())
    def part(self, which, takes_along):
        aliases = [each for each in PEOPLE if self.leader[each] != each]
        risen = aliases[which % len(aliases)]
        others = [each for each in aliases if each != risen and self.leader[each] == self.leader[risen]]
        along = others if takes_along else []
        self.follow([risen, *along], risen)
        self.tell((PROFILE_CREATED, {"profile_id": str(profile(risen))}), *(self.merged(each, risen) for each in along))

    @staticmethod
    def merged(loser, survivor):
        return (
            PROFILES_MERGED,
            {"loser_profile_id": str(profile(loser)), "survivor_profile_id": str(profile(survivor))},
        )


def run(machine, tx, **changes):
    """Run a machine on a transaction."""
    fields = {
        "max_examples": 12, "stateful_step_count": 25, "deadline": None, "suppress_health_check": list(HealthCheck),
        "phases": (Phase.explicit, Phase.reuse, Phase.generate),
    } | changes  # fmt: skip
    run_state_machine_as_test(lambda: machine(tx), settings=settings(**fields))
