"""The standard objects and fields of a fresh organisation, and our own fields when they are provisioned."""

import msgspec

from comity.sandbox.salesforce.fields import Field, FieldType


class ObjectType(msgspec.Struct, kw_only=True):
    """One object: key prefix, labels, fields by lower-case name."""

    name: str
    label: str
    prefix: str
    is_custom: bool = False
    fields: dict[str, Field] = msgspec.field(default_factory=dict[str, Field])

    def add(self, *fields: Field) -> None:
        """Add fields."""
        for field in fields:
            self.fields[field.name.lower()] = field

    def find(self, name: str) -> Field | None:
        """Return a field by name, whatever its case, or None."""
        return self.fields.get(name.lower())


def text(name: str, label: str, length: int, kind: FieldType = "string") -> Field:
    """Build a text field."""
    return Field(name=name, label=label, type=kind, length=length)


def reference(name: str, label: str, *objects: str) -> Field:
    """Build a lookup."""
    return Field(name=name, label=label, type="reference", length=18, reference_to=objects)


def _flag(name: str, label: str) -> Field:
    return Field(name=name, label=label, type="boolean", nillable=False, defaulted=True)


def _system_fields(*, has_owner: bool) -> list[Field]:
    def stamp(name: str, label: str) -> Field:
        return Field(
            name=name, label=label, type="datetime", nillable=False, createable=False, updateable=False, defaulted=True
        )

    def user(name: str, label: str) -> Field:
        return Field(
            name=name, label=label, type="reference", length=18, nillable=False, createable=False, updateable=False,
            defaulted=True, reference_to=("User",),
        )  # fmt: skip

    fields = [
        Field(
            name="Id", label="Record ID", type="id", length=18, nillable=False, createable=False, updateable=False,
            defaulted=True, case_sensitive=True,
        ),
        Field(
            name="IsDeleted", label="Deleted", type="boolean", nillable=False, createable=False, updateable=False,
            defaulted=True,
        ),
        stamp("CreatedDate", "Created Date"),
        user("CreatedById", "Created By ID"),
        stamp("LastModifiedDate", "Last Modified Date"),
        user("LastModifiedById", "Last Modified By ID"),
        stamp("SystemModstamp", "System Modstamp"),
    ]  # fmt: skip
    if has_owner:
        owner = reference("OwnerId", "Owner ID", "User")
        fields.append(msgspec.structs.replace(owner, nillable=False, defaulted=True))
    return fields


def _address(prefix: str, label: str) -> list[Field]:
    return [
        text(f"{prefix}Street", f"{label} Street", 255, "textarea"),
        text(f"{prefix}City", f"{label} City", 40),
        text(f"{prefix}State", f"{label} State/Province", 80),
        text(f"{prefix}PostalCode", f"{label} Zip/Postal Code", 20),
        text(f"{prefix}Country", f"{label} Country", 80),
        Field(name=f"{prefix}Address", label=f"{label} Address", type="address", createable=False, updateable=False),
    ]


def _person_name() -> list[Field]:
    return [
        Field(name="LastName", label="Last Name", type="string", length=80, nillable=False),
        text("FirstName", "First Name", 40),
        text("Salutation", "Salutation", 40, "picklist"),
        Field(name="Name", label="Full Name", type="string", length=121, createable=False, updateable=False),
    ]


def _email(*, is_lookup: bool = True) -> Field:
    return Field(name="Email", label="Email", type="email", length=80, id_lookup=is_lookup)


def _master() -> Field:
    return Field(
        name="MasterRecordId", label="Master Record ID", type="reference", length=18, createable=False,
        updateable=False, reference_to=("Contact", "Account", "Lead"),
    )  # fmt: skip


def _contact() -> ObjectType:
    contact = ObjectType(name="Contact", label="Contact", prefix="003")
    contact.add(
        *_system_fields(has_owner=True),
        _master(),
        reference("AccountId", "Account ID", "Account"),
        *_person_name(),
        *_address("Mailing", "Mailing"),
        *_address("Other", "Other"),
        text("Phone", "Business Phone", 40, "phone"),
        text("MobilePhone", "Mobile Phone", 40, "phone"),
        text("HomePhone", "Home Phone", 40, "phone"),
        text("OtherPhone", "Other Phone", 40, "phone"),
        text("Fax", "Business Fax", 40, "phone"),
        _email(),
        text("Title", "Title", 128),
        text("Department", "Department", 80),
        text("LeadSource", "Lead Source", 255, "picklist"),
        Field(name="Birthdate", label="Birthdate", type="date"),
        text("Description", "Contact Description", 32000, "textarea"),
        _flag("HasOptedOutOfEmail", "Email Opt Out"),
        _flag("HasOptedOutOfFax", "Fax Opt Out"),
        _flag("DoNotCall", "Do Not Call"),
        reference("ReportsToId", "Reports To ID", "Contact"),
    )
    return contact


def _lead() -> ObjectType:
    lead = ObjectType(name="Lead", label="Lead", prefix="00Q")
    lead.add(
        *_system_fields(has_owner=True),
        _master(),
        *_person_name(),
        Field(name="Company", label="Company", type="string", length=255, nillable=False),
        *_address("", "Mailing"),
        text("Phone", "Phone", 40, "phone"),
        text("MobilePhone", "Mobile Phone", 40, "phone"),
        _email(),
        text("LeadSource", "Lead Source", 255, "picklist"),
        Field(name="Status", label="Status", type="picklist", length=255, nillable=False, defaulted=True),
        text("Description", "Description", 32000, "textarea"),
        _flag("HasOptedOutOfEmail", "Email Opt Out"),
        _flag("DoNotCall", "Do Not Call"),
    )
    return lead


def _account() -> ObjectType:
    account = ObjectType(name="Account", label="Account", prefix="001")
    account.add(
        *_system_fields(has_owner=True),
        _master(),
        Field(name="Name", label="Account Name", type="string", length=255, nillable=False),
        *_address("Billing", "Billing"),
        text("Phone", "Account Phone", 40, "phone"),
        text("Website", "Website", 255, "url"),
        text("Industry", "Industry", 255, "picklist"),
        text("Type", "Account Type", 255, "picklist"),
        text("AccountNumber", "Account Number", 40),
        text("Description", "Account Description", 32000, "textarea"),
    )
    return account


def _task() -> ObjectType:
    task = ObjectType(name="Task", label="Task", prefix="00T")
    task.add(
        *_system_fields(has_owner=True),
        reference("WhoId", "Name ID", "Contact", "Lead"),
        reference("WhatId", "Related To ID", "Account", "Loyalty_Account__c"),
        text("Subject", "Subject", 255),
        Field(name="ActivityDate", label="Due Date Only", type="date"),
        Field(
            name="Status", label="Status", type="picklist", length=255, nillable=False, defaulted=True,
            values=("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred"),
        ),
        Field(
            name="Priority", label="Priority", type="picklist", length=255, nillable=False, defaulted=True,
            values=("High", "Normal", "Low"),
        ),
        text("Description", "Description", 32000, "textarea"),
        Field(
            name="IsClosed", label="Closed", type="boolean", nillable=False, createable=False, updateable=False,
            defaulted=True,
        ),
    )  # fmt: skip
    return task


def _user() -> ObjectType:
    user = ObjectType(name="User", label="User", prefix="005")
    user.add(
        *[field for field in _system_fields(has_owner=False) if field.name != "IsDeleted"],
        *_person_name(),
        Field(name="Username", label="Username", type="string", length=80, nillable=False, id_lookup=True),
        Field(name="Email", label="Email", type="email", length=128, nillable=False),
        _flag("IsActive", "Active"),
    )
    return user


def custom_text(name: str, label: str, length: int, *, is_key: bool = False) -> Field:
    """Build a custom text field; a key is an external id and unique, and tells no case apart."""
    return Field(
        name=name, label=label, type="string", length=length, custom=True, external_id=is_key, unique=is_key,
        id_lookup=is_key,
    )  # fmt: skip


def custom_number(name: str, label: str, precision: int, scale: int) -> Field:
    """Build a custom number field."""
    return Field(name=name, label=label, type="double", precision=precision, scale=scale, custom=True)


def _loyalty_account() -> ObjectType:
    account = ObjectType(name="Loyalty_Account__c", label="Loyalty Account", prefix="a00", is_custom=True)
    account.add(
        *_system_fields(has_owner=True),
        Field(name="Name", label="Loyalty Account Name", type="string", length=80, defaulted=True),
        custom_text("Loyalty_Id__c", "Loyalty ID", 64, is_key=True),
        Field(name="Contact__c", label="Contact", type="reference", length=18, custom=True, reference_to=("Contact",)),
        custom_text("Tier__c", "Tier", 40),
        custom_number("Points_Balance__c", "Points Balance", 18, 0),
        Field(name="Last_Redemption__c", label="Last Redemption", type="datetime", custom=True),
    )
    return account


def build_catalogue(*, has_loyalty_fields: bool) -> dict[str, ObjectType]:
    """Return the objects of a fresh organisation by lower-case name."""
    contact = _contact()
    objects = [_account(), contact, _lead(), _task(), _user()]
    if has_loyalty_fields:
        contact.add(
            custom_text("Global_Id__c", "Global ID", 64, is_key=True),
            custom_text("Loyalty_Id__c", "Loyalty ID", 64, is_key=True),
            custom_text("Loyalty_Tier__c", "Loyalty Tier", 40),
            custom_number("Points_Balance__c", "Points Balance", 18, 0),
        )
        objects.append(_loyalty_account())
    return {kind.name.lower(): kind for kind in objects}
