"""A simulated Salesforce organisation behind its REST API.

Implemented, with the section of the vendor's documentation:

- REST API Developer Guide: *Versions*, *Resources by Version*, *Limits* (DailyApiRequests), *Describe Global*, *sObject
  Basic Information*, *sObject Describe*, *sObject Rows* (create, read with `fields`, If-Modified-Since, update,
  delete), *sObject Rows by External ID* (201/200/300, `updateOnly`, the field not allowed in the body), *sObject Get
  Updated*, *sObject Get Deleted* (15 days of recycle bin, 600,000 ids), *Query*, *QueryAll* (pages of 200 to 2000,
  locators that expire), *sObject Collections* (200 rows, results in input order, `allOrNone`; retrieve 2000),
  *Composite* (25 calls, 5 of them queries or collections, `@{ref.field}`, `allOrNone`), *Status Codes and Error
  Responses*, *Headers* (Sforce-Limit-Info, Sforce-Query-Options; other Sforce headers are accepted without effect).
- Salesforce Help, *OAuth 2.0 Client Credentials Flow* and *Refresh Token Flow* at `/services/oauth2/token`; the token
  printed at the start works too and does not expire.
- SOQL and SOSL Reference: field list, COUNT(), FIELDS(), one FROM object, WHERE with = != < <= > >= LIKE IN NOT IN,
  AND OR NOT (mixed only with parentheses), null, date literals TODAY YESTERDAY TOMORROW LAST_N_DAYS NEXT_N_DAYS, ORDER
  BY with NULLS, LIMIT, OFFSET. Text compares without case unless the field tells case apart.
- Tooling API: *CustomField* (create). The new field can be used at once; field-level security is not simulated.
- Object Reference: Contact, Account, Lead, Task, User with the fields customers' data needs, and a custom object
  Loyalty_Account__c. Field checks: required, length, e-mail form (stored in lower case), numbers, dates, restricted
  pick lists, references, unique external ids.
- Data types: 15 and 18 character ids with checksum; SystemModstamp in whole seconds; numbers answer as decimals
  (`120.0`); blank text is null; deletes are soft.
- App Limits Cheat Sheet: rolling daily calls, 403 REQUEST_LIMIT_EXCEEDED; URI length 16,384 bytes, 414.

An update that changes nothing stamps the record all the same, as the vendor does. Undelete and merge, which the vendor
offers in SOAP and in the browser only, are admin routes. Everything else answers 501: Bulk API, SOAP, Pub/Sub, platform
events, flows, composite graph and tree, SOQL functions, relationships and aggregates.
"""
