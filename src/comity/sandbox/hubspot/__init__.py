"""A simulated HubSpot account behind its CRM API.

Implemented, in the numbered (`/crm/v3/...`) and the dated (`/crm/objects/2026-03/...`) form of the paths, with the
section of the vendor's documentation:

- *Objects* (contacts, companies, deals, tasks): create 201, read with `properties` and `idProperty`, list with
  `after` and `archived`, update (never creates), archive, merge (two records become a third; both old ids answer with
  it; 250 merges), gdpr-delete; batch create, read, update, upsert, archive with 100 inputs, 200/201/204 and 207 with
  `errors`, per-record errors only with `objectWriteTraceId`; associations on create and `associations` on read.
- *CRM search*: operators, 5 groups of 6 filters and 18 in all, one sort, free text, pages of 200, nothing past 10,000
  results, archived records never, an index that may lag; no rate limit headers on its answers, 5 calls a second under
  the documented limits.
- *Properties*: list, read, create, batch create, `hasUniqueValue` (ten of them). Values: e-mail in lower case, blanks
  at the ends cut off, everything a string, types and options checked, read-only and unknown ones refused, 409 with
  `Existing ID` for a taken e-mail address.
- *Webhooks*: settings and subscriptions (v3), batches of up to 100 events, attempts up to ten retries (sooner than the
  vendor's day), answers within 5 s, *Validating requests* v3 signature.
- *Usage guidelines*: bearer token, ten-second window and daily limit with their headers, 429 with policyName.

A write of the values that are there already changes nothing: no stamp, no event. Everything else answers 501: OAuth
token routes, journal, associations v4, lists, owners, custom objects, consent, events, workflows, property history.
"""
