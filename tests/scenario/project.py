"""Projects for scenarios: two Salesforce-like systems, one HubSpot-like, a shop that pushes."""

from comity.definitions import api as definitions
from comity.sandbox.api import Sandbox

SALESFORCE = """
kind: system
name: {name}
spec:
  connector: salesforce
  settings: {{instance_url: "{url}", overlap_seconds: 2}}
  secrets: {{token: {{file: {name}.token}}}}
  streams:
    Contact: {{every: {every}}}
  deliver: {{rate_per_second: 500, batch_max: 200, create: {create}}}
"""

HUBSPOT = """
kind: system
name: {name}
spec:
  connector: hubspot
  settings: {{base_url: "{url}", index_lag_seconds: 0, lookback_seconds: 2{settings}}}
  secrets: {{token: {{file: {name}.token}}, client_secret: {{file: {name}.secret}}}}
  streams:
    contacts: {{every: {every}, webhook: true}}
  deliver: {{rate_per_second: 500, batch_max: 100, create: {create}}}
"""

SHOP = """
kind: system
name: {name}
spec:
  connector: rest
  title: Shop
  settings: {{base_url: "http://127.0.0.1:9", streams: {{order: {{}}}}}}
  streams:
    order: {{}}
---
kind: mapping
name: {name}-order
spec:
  system: {name}
  stream: order
  kind: purchase
  external_id: number
  changed_at: sold_at
  fields:
    business_key: number
    occurred_at: sold_at
    amount: {{field: total, lens: {{money: {{currency_field: currency}}}}}}
    currency: currency
    person: customer
    person_system: {person_system}
    person_stream: {person_stream}
"""


def starter() -> dict[str, str]:
    """Return the starter project's files that do not name a system."""
    return {name.removesuffix(".yaml"): text for name, text in definitions.starter_files().items() if "/" not in name}


def mapping_of(kind: str, name: str) -> str:
    """Return the starter's mapping of a kind of system, for a system of this name."""
    original = {"salesforce": "salesforce-emea", "hubspot": "hubspot-us"}[kind]
    text = definitions.starter_files()[f"mappings/{original}.yaml"]
    return text.split("\n---\n")[0].replace(original, name)


def system_files(kind: str, name: str, sandbox: Sandbox, *, create: str = "never", every: str = "1s") -> dict[str, str]:
    """Return the YAML of a simulated system and its mapping; put the secrets beside it with `write_secrets`."""
    template = SALESFORCE if kind == "salesforce" else HUBSPOT
    settings = f", app_id: {sandbox.ready.app_id}" if sandbox.ready.app_id else ""
    return {
        f"system-{name}": template.format(name=name, url=sandbox.url, create=create, every=every, settings=settings),
        f"mapping-{name}": mapping_of(kind, name),
    }
