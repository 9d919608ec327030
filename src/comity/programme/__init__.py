"""Loyalty programmes: membership, the base earning rate, one tier ladder, redemption.

Owns: members and what each purchase earned them.
Invariants: one living membership per profile and programme; a purchase earns once per programme, whoever reports it and
however often; points live in the ledger alone; a tier is a pure function of ladder and points earned in the window.
Tables: programme.programme, programme.member, programme.earning; view v_member.
Place in the flow: after activity and ledger, before segments and outbox, which hear of it by events.
"""
