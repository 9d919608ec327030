"""What transfers are in the accounts outside: the number of a document or a journal there."""

from collections.abc import Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.ledger import store
from comity.ledger.rows import Reference
from comity.ledger.types import Posting, PostingStatus, PostingVerdict

_sql = SqlFolder(__package__)


def post_referring(tx: Tx, *, postings: Sequence[Posting], now: datetime) -> list[PostingVerdict]:
    """Post a batch, and note the references of what was posted now; nothing more is done where none has one."""
    verdicts = store.post(tx, postings=postings, now=now)
    references = [
        Reference(transfer_id=verdict.transfer_id or 0, reference=posting.reference)
        for posting, verdict in zip(postings, verdicts, strict=True)
        if posting.reference and verdict.status is PostingStatus.POSTED
    ]
    if references:
        _sql.insert_references.execute(tx, references=Jsonb(references), noted_at=now)
    return verdicts
