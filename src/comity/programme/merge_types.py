"""Members that become one, or two again: what is told of it, and who is concerned."""

from uuid import UUID

import msgspec


class MembersMerged(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.members_merged`; `profile_id` is the survivor's."""

    profile_id: UUID
    programme: str
    loser_profile_id: UUID
    points: int
    further_points: dict[str, int] | None = None


class PointsParted(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.points_parted`: what became of points that two had shared; one event for each of them.

    `points` went to `profile_id` (below zero: from it), `given_back` is what the other had spent of theirs, `paid` what
    they were charged for the other's by `rule`; of that `shortfall` could not be paid. By `policy` it is owed, or let
    go: then the programme bears `let_go` of it, and owed is only what was owed before.
    """

    profile_id: UUID
    programme: str
    other_profile_id: UUID
    points: int
    given_back: int
    paid: int
    shortfall: int
    let_go: int
    policy: str
    rule: str = "who_spent_pays"
    kind: str


class Risen(msgspec.Struct, frozen=True, kw_only=True):
    """An alias that is to be a member of its own, and who stands for it."""

    member_id: int
    profile_id: UUID
    account_id: int | None
    merged_since: int | None
    merged_via: tuple[int, ...]
    holder_member_id: int
    holder_profile_id: UUID
    holder_account_id: int


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody another member stands for; `master_profile_id` is the profile they were merged into, as of now."""

    member_id: int
    profile_id: UUID
    account_id: int | None
    merged_since: int | None
    merged_via: tuple[int, ...]
    master_profile_id: UUID | None


class MergePair(msgspec.Struct, frozen=True, kw_only=True):
    """Two profiles that became one, with their memberships in one programme as far as there are any."""

    loser_profile_id: UUID
    survivor_profile_id: UUID
    loser_member_id: int | None
    loser_account_id: int | None
    survivor_member_id: int | None
    survivor_account_id: int | None
