"""Simulated vendor systems, served over real HTTP(S), to rehearse on.

Owns: a Salesforce and a HubSpot with documented routes, errors, limits and pathologies, and the `/_sandbox` admin
routes that edit, count and break them. Invariants: state lives in memory and follows from the seed, the people file
and the calls; what a simulator does not implement it refuses with 501; it shares no code with our connectors. Tables:
none. Place in the flow: beside it; the rest of the product reaches it over HTTP only, `interfaces.cli` starts it.
"""
