"""Loyalty programmes: membership, earning rules, returns and corrections, one tier ladder, what members do with points.

Owns: members, their accounts of each kind of points, what each purchase earned them lot by lot, what caps have counted,
adjustments that wait for a second key, who asked for what while two members were one, vouchers, how many pieces of each
reward are out, who is in a pool.
Invariants: one living membership per profile and programme; a purchase earns once per programme, whoever reports it and
however often; points live in the ledger alone; a tier is a pure function of ladder and points earned in the window.
Tables: programme, member, member_account, earning, earned_lot, expiry_warning, counter, adjustment, asked,
reward_stock, voucher, pool, pool_member, pool_share; view v_member.
Place in the flow: after activity and ledger, before segments and outbox, which hear of it by events.
"""
