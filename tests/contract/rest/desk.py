"""A hub's web process on a database of its own, with people, points and systems that only push."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from comity.access import api as access
from comity.kernel.database import Database
from tests.scenario.project import SHOP, starter
from tests.scenario.rehearsal import Rehearsal, eventually

CRM = """
kind: system
name: crm
spec:
  connector: rest
  title: In-house CRM
  settings: {base_url: "http://127.0.0.1:9", streams: {customer: {}}}
  streams: {customer: {}}
---
kind: mapping
name: crm-customer
spec:
  system: crm
  stream: customer
  kind: person
  external_id: id
  changed_at: changed_at
  fields:
    - {attribute: given_name, field: first, lens: text}
    - {attribute: family_name, field: last, lens: text}
    - {attribute: email, field: email, lens: email}
    - {attribute: phone, field: phone, lens: phone}
    - {attribute: birth_date, field: born, lens: date}
    - {attribute: city, field: city, lens: text}
"""

PORTAL = """
kind: system
name: portal
spec:
  connector: hubspot
  settings: {base_url: "http://127.0.0.1:9"}
  secrets: {token: {file: portal.secret}, client_secret: {file: portal.secret}}
  streams: {contacts: {webhook: true}}
---
kind: mapping
name: portal-contact
spec:
  system: portal
  stream: contacts
  kind: person
  external_id: id
  fields:
    - {attribute: given_name, field: firstname, lens: text}
"""
SECRET = "a shared secret"
LIMITS = """
  transfers: {points_min: 10, points_max: 100, caps: [{per: day, times: 2}]}
  rewards:
    - {name: mug, title: A mug, price: 5, stock: 10}
    - {name: voucher, title: 5 euros, price: 30, voucher: {minor: 500}, caps: [{per: month, times: 2}]}
    - {name: lounge, title: The lounge, price: 10, tiers: [Gold]}
    - {name: berlin, title: For Berlin, price: 1, when: "city = 'Berlin' and today > '2026-01-01'"}
  pools: {members_max: 2, contribution_percent: 1}
  redemptions: {large_above: 400}
  adjustments: {checker_above: 100, points_max: 5000, maker_max: 10000}
  earning_rules:
    - {name: cards, fixed: 5, channels: [cards], budget: spring}
    - {name: spa, multiplier_percent: 300, categories: [spa], stores: [Ulm]}
  budgets: [{name: spring, points: 1000, per: year}]
  referral: {advocate_points: 500, friend_points: 250, purchase_min_minor: 2000, matures_days: 35}
"""


class Desk:
    """What tests do at the counter of a hub."""

    def __init__(self, hub: Rehearsal) -> None:
        self.hub = hub
        self.http = hub.http
        self.bare = httpx2.Client(base_url=hub.url, trust_env=False, timeout=30)

    def make_key(self, *scopes: str, days: float = 1) -> str:
        """Make a key; a negative number of days makes one that has expired."""
        return self.make_named_key(f"test {' '.join(scopes)}", *scopes, days=days)

    def make_named_key(self, name: str, *scopes: str, days: float = 1) -> str:
        now = self.hub.hub.clock.now()
        with self.hub.database.transaction() as tx:
            return access.create_api_key(
                tx,
                name=name,
                scopes=scopes,
                expires_at=now + timedelta(days=days),
                now=now,
                ids=self.hub.hub.ids,
            )

    def revoke(self, key: str) -> None:
        with self.hub.database.transaction() as tx:
            access.revoke_api_key(tx, prefix=key.split("_")[1], now=self.hub.hub.clock.now())

    def call(self, method: str, path: str, *, key: str | None = None, **more: Any) -> httpx2.Response:
        """Call with another key, or with none."""
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        return self.bare.request(method, path, headers=headers, **more)

    def send(self, event: dict[str, Any], **headers: str) -> httpx2.Response:
        return self.http.post("/v1/events", json=event, headers=headers)

    def count_changes(self, external_id: str) -> int:
        with self.hub.database.transaction() as tx:
            found = tx.execute("select count(*) from inbox.change where external_id = %s", (external_id,)).fetchone()
        return found[0]

    def join(self, *, points: int = 0, **fields: str) -> str:
        """Have somebody join, who has bought for so many points; return the Global ID."""
        email = f"{uuid4().hex[:12]}@people.example"
        number = self.join_as("Ada", email=email, **fields)
        if points:
            sold_at = self.hub.hub.clock.now().isoformat()
            sale = {"number": f"S{number}", "sold_at": sold_at, "total": f"{points}.00", "currency": "EUR"}
            answer = self.send(
                {"system": "shop", "stream": "order", "id": f"S{number}", "data": sale | {"customer": number}}
            )
            assert answer.is_success, answer.text
        view = eventually(lambda: self._find(email, points), what=f"{email} is known and has points")
        return view["global_id"]

    def join_as(self, first: str, **fields: str) -> str:
        """Send somebody's record and return its id; do not wait."""
        number = uuid4().hex[:12]
        data = {"id": number, "first": first, "last": number, "changed_at": "2026-01-05T10:00:00Z"} | fields
        assert self.send({"system": "crm", "stream": "customer", "id": number, "data": data}).is_success
        return number

    def _find(self, email: str, points: int) -> dict[str, Any] | None:
        answer = self.http.get("/v1/profiles", params={"key": email})
        if not answer.is_success:
            return None
        view = answer.json()
        return view if view["memberships"] and view["memberships"][0]["points"] == points else None


def open_desk(database: Database, folder: Path) -> Desk:
    """Start a hub; the caller stops it."""
    hub = Rehearsal(database=database, folder=folder)
    (folder / "portal.secret").write_text(SECRET)
    files = starter()
    rules = files.pop("rules").replace("salesforce-emea", "crm").replace("hubspot-us", "portal")
    files["programme"] = f"{files['programme'].rstrip()}{LIMITS}"
    hub.write(**files, rules=rules, crm=CRM, portal=PORTAL)
    hub.write(shop=SHOP.format(name="shop", person_system="crm", person_stream="customer"))
    hub.apply()
    return Desk(hub)
