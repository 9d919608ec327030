"""Writing in batches without losing a verdict."""

from collections.abc import Callable, Sequence

from comity.connect.types import MESSAGE_CHARS_MAX, CallFailed, ErrorClass, Outcome, Verdict, WriteItem

WriteBatch = Callable[[Sequence[WriteItem]], list[Verdict]]

_RETRYABLE = frozenset(
    {
        ErrorClass.AUTH_EXPIRED,
        ErrorClass.LIMIT_SHORT,
        ErrorClass.LIMIT_LONG,
        ErrorClass.LOCK,
        ErrorClass.TRANSIENT,
        ErrorClass.FORBIDDEN,
        ErrorClass.UNKNOWN,
    }
)
_SPLITTABLE = frozenset(
    {
        ErrorClass.VALIDATION,
        ErrorClass.CONFLICT,
        ErrorClass.DUPLICATE,
        ErrorClass.NOT_FOUND,
        ErrorClass.GONE,
        ErrorClass.PRECONDITION,
    }
)


def verdict_of(item: WriteItem, failure: CallFailed) -> Verdict:
    """What a failed call means for one item of it."""
    outcomes = {
        ErrorClass.GONE: Outcome.GONE,
        ErrorClass.NOT_FOUND: Outcome.GONE if item.external_id else Outcome.REJECTED,
        ErrorClass.CONFLICT: Outcome.CONFLICT,
        ErrorClass.DUPLICATE: Outcome.CONFLICT,
        ErrorClass.PRECONDITION: Outcome.CONFLICT,
    }
    outcome = outcomes.get(failure.error_class, Outcome.REJECTED)
    if failure.error_class in _RETRYABLE:
        outcome = Outcome.RETRY
    if failure.is_maybe_applied:
        outcome = Outcome.UNKNOWN
    return Verdict(
        key=item.key,
        outcome=outcome,
        external_id=failure.existing_id if outcome is Outcome.CONFLICT else item.external_id,
        after_seconds=failure.retry_after_seconds,
        reason_code=failure.reason_code or failure.error_class.value,
        message=failure.message[:MESSAGE_CHARS_MAX],
        field=failure.field,
    )


def write_in_batches(
    items: Sequence[WriteItem],
    *,
    batch_max: int,
    write: WriteBatch,
    kind_of: Callable[[WriteItem], str] = lambda _: "",
) -> list[Verdict]:
    """Write in batches of at most `batch_max` items of one kind; answer one verdict per item in the order given.

    Two items for one record go in different batches, in their order. A failure of the first batch is raised, since
    nothing else was tried; a later one becomes the verdict of the items it concerns, so that what arrived stays known.
    """
    verdicts: dict[str, Verdict] = {}
    failed: CallFailed | None = None
    for batch in _batches(items, batch_max, kind_of):
        if failed is not None:
            untried = CallFailed(
                error_class=ErrorClass.TRANSIENT,
                message=f"Not tried, since a batch before it failed: {failed.message}",
                retry_after_seconds=failed.retry_after_seconds,
                reason_code=failed.reason_code,
            )
            verdicts |= {item.key: verdict_of(item, untried) for item in batch}
            continue
        try:
            verdicts |= {verdict.key: verdict for verdict in write(batch)}
        except CallFailed as failure:
            if not verdicts:
                raise
            failed = failure
            verdicts |= {item.key: verdict_of(item, failure) for item in batch}
    return [verdicts.get(item.key) or _no_verdict(item) for item in items]


def write_splitting(batch: Sequence[WriteItem], write: WriteBatch) -> list[Verdict]:
    """Write a batch to a system that refuses all for one: halve it until the refused ones stand alone.

    At most 2n - 1 calls for n items, about 2 log n for one bad item. Failures that concern no single item are raised,
    or told as verdicts once something was written.
    """
    verdicts: list[Verdict] = []
    stack = [list(batch)]
    while stack:
        part = stack.pop()
        try:
            verdicts += write(part)
        except CallFailed as failure:
            if failure.error_class in _SPLITTABLE and len(part) > 1:
                middle = len(part) // 2
                stack += [part[middle:], part[:middle]]
            elif failure.error_class in _SPLITTABLE:
                verdicts.append(verdict_of(part[0], failure))
            elif not verdicts:
                raise
            else:
                verdicts += [verdict_of(item, failure) for item in part]
    return verdicts


def _batches(items: Sequence[WriteItem], batch_max: int, kind_of: Callable[[WriteItem], str]) -> list[list[WriteItem]]:
    batches: list[list[WriteItem]] = []
    open_from: dict[str, int] = {}
    kinds: list[str] = []
    last_batch: dict[tuple[str, str], int] = {}
    for item in items:
        kind = kind_of(item)
        target = ("id", item.external_id) if item.external_id else ("match", item.match_value or item.key)
        at = max(open_from.get(kind, 0), last_batch.get(target, -1) + 1)
        while at < len(batches) and (kinds[at] != kind or len(batches[at]) >= batch_max):
            at += 1
        if at == len(batches):
            batches.append([])
            kinds.append(kind)
        batches[at].append(item)
        last_batch[target] = at
        if len(batches[at]) >= batch_max and at == open_from.get(kind, 0):
            open_from[kind] = at + 1
    return batches


def _no_verdict(item: WriteItem) -> Verdict:
    return Verdict(
        key=item.key,
        outcome=Outcome.UNKNOWN,
        external_id=item.external_id,
        reason_code="no_answer",
        message="The system's answer does not mention this record.",
    )
