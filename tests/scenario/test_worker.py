"""The worker outlives what it cannot do anything about."""

from tests.scenario.rehearsal import eventually

RULES = "kind: rules\nname: default\nspec: {default: {rule: most_recent}}"
SHOP = """
kind: system
name: shop
spec:
  connector: rest
  settings: {base_url: "http://127.0.0.1:9", streams: {sale: {}}}
  streams: {sale: {}}
"""


def _has_logged(hub, text):
    return text in (hub.folder / "worker.log").read_text()


def _rename(hub, name, to):
    with hub.database.transaction() as tx:
        tx.execute(f"alter table definitions.{name} rename to {to}")


def test_worker_outlives_definitions_that_cannot_be_read(rehearsal):
    rehearsal.write(rules=RULES)
    rehearsal.apply()
    rehearsal.start("worker")
    eventually(lambda: _has_logged(rehearsal, '"worker_started"'), what="the worker runs")
    _rename(rehearsal, "revision", "hidden")
    eventually(lambda: _has_logged(rehearsal, '"worker_waits"'), what="the worker cannot read them")
    _rename(rehearsal, "hidden", "revision")
    rehearsal.write(shop=SHOP)
    rehearsal.apply()
    eventually(lambda: _has_logged(rehearsal, '"system_joined"'), what="the new system joins")
    assert rehearsal.is_running("worker")
