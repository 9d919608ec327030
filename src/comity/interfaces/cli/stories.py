"""The story of a transfer, for people to read."""

from comity.interfaces.cli.output import print_table, say
from comity.ledger.api import Trace


def show_story(story: Trace) -> None:
    """Print a transfer and every line of its lots."""
    it = story.transfer
    say(f"[bold]Transfer {it.transfer_id}[/]: {it.kind} of {it.amount} {it.unit}, {it.effective_on}")
    say(f"from account {it.debit_account_id} ({it.debit_kind}) to {it.credit_account_id} ({it.credit_kind})")
    say(f"caused by {it.system}/{it.external_id}; block {it.block_number or 'not sealed yet'}", style="dim")
    if it.reference:
        say(f"in your accounts: {it.reference}")
    print_table(
        "",
        ("lot", "transfer", "day", "what", "account", "source", "reason", "reference", "points"),
        [
            (
                line.lot_id,
                line.transfer_id,
                line.effective_on.isoformat(),
                line.kind,
                f"{line.account_id} {line.account_kind}",
                f"{line.system}/{line.external_id}",
                line.reason,
                line.reference or "",
                line.amount,
            )
            for line in story.lines
        ],
        numbers=(0, 1, 8),
    )
