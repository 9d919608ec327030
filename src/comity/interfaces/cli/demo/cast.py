"""Who takes part: three CRMs, a shop and an ERP."""

from collections.abc import Mapping
from typing import Literal

import msgspec

SHOP = "shop"
ERP = "erp"
INVOICES = "invoices"
WRITTEN_ONLY = frozenset({"global_id", "tier", "points"})
"""What only the hub writes into the CRMs."""


class Crm(msgspec.Struct, frozen=True, kw_only=True):
    """One CRM: its name in the project, the kind of simulator, and what it calls its fields."""

    system: str
    title: str
    kind: Literal["salesforce", "hubspot"]
    stream: str
    seed: int
    orders: str
    """The shop's stream of orders whose customers are records of this CRM."""
    fields: Mapping[str, str]
    """Attribute -> field."""
    line_break: str
    """What stands between street and locality in the one field for both."""

    @property
    def id_field(self) -> str:
        """The field that holds a record's id."""
        return "Id" if self.kind == "salesforce" else "hs_object_id"


_SALESFORCE_FIELDS = {
    "given_name": "FirstName",
    "family_name": "LastName",
    "address": "MailingStreet",
    "city": "MailingCity",
    "postcode": "MailingPostalCode",
    "state": "MailingState",
    "birth_date": "Birthdate",
    "global_id": "Global_Id__c",
    "tier": "Loyalty_Tier__c",
    "points": "Points_Balance__c",
}
_HUBSPOT_FIELDS = {
    "given_name": "firstname",
    "family_name": "lastname",
    "address": "address",
    "city": "city",
    "postcode": "zip",
    "state": "state",
    "birth_date": "date_of_birth",
    "global_id": "global_id",
    "tier": "loyalty_tier",
    "points": "points_balance",
}

NORTH = Crm(
    system="salesforce-north",
    title="Salesforce North",
    kind="salesforce",
    stream="Contact",
    seed=1,
    orders="orders_north",
    fields=_SALESFORCE_FIELDS,
    line_break="\n",
)
SOUTH = Crm(
    system="salesforce-south",
    title="Salesforce South",
    kind="salesforce",
    stream="Contact",
    seed=2,
    orders="orders_south",
    fields=_SALESFORCE_FIELDS,
    line_break="\n",
)
HUBSPOT = Crm(
    system="hubspot",
    title="HubSpot",
    kind="hubspot",
    stream="contacts",
    seed=3,
    orders="orders_online",
    fields=_HUBSPOT_FIELDS,
    line_break=", ",
)
CRMS = (NORTH, SOUTH, HUBSPOT)
