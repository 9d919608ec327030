"""Records as the systems send them: a Salesforce contact as its REST API reads it, a HubSpot contact's properties."""

from datetime import datetime

from bench.people import Facts, Record

_EMPTY = "null"


def payload_of(record: Record, changed_at: datetime) -> bytes:
    """Return the whole record as JSON, in the form its connector puts into the inbox."""
    return _hubspot(record, changed_at) if record.system == 2 else _salesforce(record, changed_at)


def _quoted(value: str | None) -> str:
    return _EMPTY if value is None else f'"{value}"'


def _salesforce(record: Record, changed_at: datetime) -> bytes:
    facts: Facts = record.facts
    stamp = changed_at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    name = f"{facts.given_name} {facts.family_name}"
    return (
        f'{{"AccountId":"0015g{record.number:010d}AAA","AssistantName":null,"Birthdate":{_quoted(facts.birth_date)},'
        f'"CreatedDate":"2024-05-04T09:30:00.000+0000","Department":null,"Email":{_quoted(facts.email)},'
        f'"EmailBouncedDate":null,"FirstName":"{facts.given_name}","HasOptedOutOfEmail":false,"HomePhone":null,'
        f'"Id":"{record.external_id}","IsDeleted":false,"LastModifiedById":"0055g00000AbCdEAAV",'
        f'"LastModifiedDate":"{stamp}","LastName":"{facts.family_name}","LeadSource":"Web",'
        f'"MailingCity":"{facts.city}","MailingCountryCode":"{facts.country}","MailingPostalCode":"{facts.postcode}",'
        f'"MailingStateCode":null,"MailingStreet":"{facts.street}","Name":"{name}","OtherPhone":null,'
        f'"OwnerId":"0055g00000AbCdEAAV","Phone":{_quoted(facts.phone)},"PreferredLanguage__c":"{facts.language}",'
        f'"Salutation":null,"SystemModstamp":"{stamp}","Title":null,"attributes":{{"type":"Contact",'
        f'"url":"/services/data/v62.0/sobjects/Contact/{record.external_id}"}}}}'
    ).encode()


def _hubspot(record: Record, changed_at: datetime) -> bytes:
    facts = record.facts
    stamp = changed_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f'{{"address":"{facts.street}","associatedcompanyid":null,"birth_date":{_quoted(facts.birth_date)},'
        f'"city":"{facts.city}","company":null,"createdate":"2024-05-04T09:30:00.000Z",'
        f'"email":{_quoted(facts.email)},"firstname":"{facts.given_name}",'
        f'"hs_analytics_source":"DIRECT_TRAFFIC","hs_country_region_code":"{facts.country}",'
        f'"hs_email_optout":null,"hs_language":"{facts.language}","hs_object_id":"{record.external_id}",'
        f'"hubspot_owner_id":"10412","id":"{record.external_id}","jobtitle":null,'
        f'"lastmodifieddate":"{stamp}","lastname":"{facts.family_name}","lifecyclestage":"customer",'
        f'"mobilephone":null,"notes_last_updated":null,"num_associated_deals":"0","phone":{_quoted(facts.phone)},'
        f'"salutation":null,"state":null,"website":null,"zip":"{facts.postcode}"}}'
    ).encode()
