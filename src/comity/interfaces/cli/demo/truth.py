"""How good the links are: precision and recall over all pairs of records."""

from collections import Counter
from collections.abc import Hashable, Mapping

import msgspec


class LinkQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of records that are one person in truth, in the hub, and in both."""

    true_count: int
    found_count: int
    right_count: int

    @property
    def precision(self) -> float:
        """Share of the pairs found that are right; 1 when none was found."""
        return self.right_count / self.found_count if self.found_count else 1.0

    @property
    def recall(self) -> float:
        """Share of the true pairs that were found; 1 when there is none."""
        return self.right_count / self.true_count if self.true_count else 1.0


def measure_links(*, truth: Mapping[str, Hashable], found: Mapping[str, Hashable]) -> LinkQuality:
    """Hold the hub's grouping of records against the truth; both say for each record which group it is in.

    A record the hub does not know is a group of its own. Counting groups counts every pair without forming any.
    """
    groups = {record: found.get(record, ("alone", record)) for record in truth}
    return LinkQuality(
        true_count=_count_pairs(Counter(truth.values())),
        found_count=_count_pairs(Counter(groups.values())),
        right_count=_count_pairs(Counter((truth[record], group) for record, group in groups.items())),
    )


def _count_pairs(sizes: Counter[Hashable]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())
