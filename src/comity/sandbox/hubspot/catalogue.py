"""Object types and the properties of a fresh account, and our own properties when they are provisioned."""

import msgspec

from comity.sandbox.hubspot.properties import Property, PropertyType


class ObjectType(msgspec.Struct, frozen=True, kw_only=True):
    """One object type."""

    name: str
    singular: str
    type_id: str
    modified: str
    """The property that holds the time of the last change."""
    shown: tuple[str, ...]
    """What an answer shows when nothing is asked for."""
    searched: tuple[str, ...]
    """What the free text of a search looks into."""
    properties: dict[str, Property]
    required: tuple[str, ...] = ()


_LIFECYCLE = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist",
    "other",
)  # fmt: skip


def _system(group: str, modified: str) -> list[Property]:
    def fixed(name: str, label: str, kind: PropertyType, field_type: str) -> Property:
        return Property(name=name, label=label, type=kind, field_type=field_type, group=group, is_read_only=True)

    return [
        fixed("hs_object_id", "Record ID", "number", "number"),
        fixed("createdate" if modified == "lastmodifieddate" else "hs_createdate", "Create Date", "datetime", "date"),
        fixed(modified, "Last Modified Date", "datetime", "date"),
        fixed("hs_merged_object_ids", "Merged Record IDs", "enumeration", "checkbox"),
    ]


def _texts(group: str, names: dict[str, str]) -> list[Property]:
    return [Property(name=name, label=label, group=group) for name, label in names.items()]


def _by_name(*groups: list[Property]) -> dict[str, Property]:
    return {item.name: item for group in groups for item in group}


def _contacts(*, has_loyalty_fields: bool) -> ObjectType:
    group = "contactinformation"
    own = loyalty_properties(group) if has_loyalty_fields else []
    return ObjectType(
        name="contacts",
        singular="contact",
        type_id="0-1",
        modified="lastmodifieddate",
        shown=("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
        searched=("firstname", "lastname", "email", "phone", "company"),
        properties=_by_name(
            _system(group, "lastmodifieddate"),
            _texts(
                group,
                {
                    "firstname": "First Name", "lastname": "Last Name", "salutation": "Salutation",
                    "phone": "Phone Number", "mobilephone": "Mobile Phone Number", "address": "Street Address",
                    "city": "City", "state": "State/Region", "zip": "Postal Code", "country": "Country/Region",
                    "date_of_birth": "Date of birth", "gender": "Gender", "company": "Company Name",
                    "jobtitle": "Job Title", "website": "Website URL", "hubspot_owner_id": "Contact owner",
                },
            ),
            [
                # Unique by nature, not by definition: `hasUniqueValue` is false in the vendor's answer as well.
                Property(name="email", label="Email", group=group),
                Property(
                    name="hs_additional_emails", label="Additional email addresses", type="enumeration",
                    field_type="checkbox", group=group, is_read_only=True,
                ),
                Property(
                    name="lifecyclestage", label="Lifecycle Stage", type="enumeration", field_type="radio", group=group,
                    options=_LIFECYCLE,
                ),
                Property(
                    name="hs_email_optout", label="Unsubscribed from all email", type="bool",
                    field_type="booleancheckbox", group=group, is_read_only=True,
                ),
            ],
            own,
        ),
    )  # fmt: skip


def loyalty_properties(group: str) -> list[Property]:
    """Return our own properties of a contact."""
    return [
        Property(name="global_id", label="Global ID", group=group, is_unique=True, is_vendor=False),
        Property(name="loyalty_id", label="Loyalty ID", group=group, is_unique=True, is_vendor=False),
        Property(name="loyalty_tier", label="Loyalty tier", group=group, is_vendor=False),
        Property(
            name="points_balance", label="Points balance", type="number", field_type="number", group=group,
            is_vendor=False,
        ),
        Property(
            name="birth_date", label="Birth date", type="date", field_type="date", group=group, is_vendor=False
        ),
        Property(
            name="loyalty_tier_changed_at", label="Loyalty tier changed at", type="datetime", field_type="date",
            group=group, is_vendor=False,
        ),
    ]  # fmt: skip


def _other(
    name: str, singular: str, type_id: str, *, shown: tuple[str, ...], names: dict[str, str], group: str
) -> ObjectType:
    modified = "hs_lastmodifieddate"
    return ObjectType(
        name=name,
        singular=singular,
        type_id=type_id,
        modified=modified,
        shown=("hs_createdate", "hs_object_id", modified, *shown),
        searched=shown,
        properties=_by_name(_system(group, modified), _texts(group, names)),
    )


def _tasks() -> ObjectType:
    kind = _other(
        "tasks", "task", "0-27", shown=("hs_task_subject",), group="task",
        names={"hs_task_subject": "Task Title", "hs_task_body": "Notes", "hubspot_owner_id": "Assigned to"},
    )  # fmt: skip
    choices = {
        "hs_task_status": ("NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"),
        "hs_task_priority": ("NONE", "LOW", "MEDIUM", "HIGH"),
        "hs_task_type": ("TODO", "EMAIL", "CALL"),
    }
    for name, options in choices.items():
        kind.properties[name] = Property(
            name=name, label=name, type="enumeration", field_type="select", group="task", options=options
        )
    kind.properties["hs_timestamp"] = Property(
        name="hs_timestamp", label="Due date", type="datetime", field_type="date", group="task"
    )
    return msgspec.structs.replace(kind, required=("hs_timestamp",))


def build_catalogue(*, has_loyalty_fields: bool) -> dict[str, ObjectType]:
    """Return the object types of a fresh account by plural name."""
    kinds = [
        _contacts(has_loyalty_fields=has_loyalty_fields),
        _other(
            "companies", "company", "0-2", shown=("name", "domain"), group="companyinformation",
            names={
                "name": "Company name", "domain": "Company Domain Name", "phone": "Phone Number", "city": "City",
                "country": "Country/Region", "address": "Street Address", "zip": "Postal Code",
                "industry": "Industry", "hubspot_owner_id": "Company owner",
            },
        ),
        _other(
            "deals", "deal", "0-3", shown=("dealname", "amount", "dealstage"), group="dealinformation",
            names={
                "dealname": "Deal Name", "amount": "Amount", "dealstage": "Deal Stage", "pipeline": "Pipeline",
                "closedate": "Close Date", "hubspot_owner_id": "Deal owner",
            },
        ),
        _tasks(),
    ]  # fmt: skip
    return {kind.name: kind for kind in kinds}
