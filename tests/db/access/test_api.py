"""API keys: shown once, hashed, scoped, with an end."""

from datetime import timedelta

import pytest

from comity.access import api as access
from comity.access.types import KeyExpired, KeyRevoked, KeyUnknown, ScopeMissing, ScopeUnknown
from tests.conftest import NOW


@pytest.fixture
def token(tx, ids):
    return access.create_api_key(
        tx, name="shop", scopes=["intake"], expires_at=NOW + timedelta(days=1), now=NOW, ids=ids
    )


class TestAuthenticate:
    def test_knows_its_key(self, tx, token):
        caller = access.authenticate(tx, token=token, now=NOW)
        assert caller.name == "shop"
        access.require_scope(caller, "intake")
        with pytest.raises(ScopeMissing):
            access.require_scope(caller, "configure")

    @pytest.mark.usefixtures("token")
    @pytest.mark.parametrize("wrong", ["", "x", "cmty_a_b", "Bearer", "cmty__"])
    def test_refuses_what_is_no_key(self, tx, wrong):
        with pytest.raises(KeyUnknown):
            access.authenticate(tx, token=wrong, now=NOW)

    def test_refuses_a_wrong_secret_for_a_known_prefix(self, tx, token):
        with pytest.raises(KeyUnknown):
            access.authenticate(tx, token=token[:-1] + ("A" if token[-1] != "A" else "B"), now=NOW)

    def test_refuses_after_the_end(self, tx, token):
        with pytest.raises(KeyExpired):
            access.authenticate(tx, token=token, now=NOW + timedelta(days=1))

    def test_refuses_once_revoked(self, tx, token):
        access.revoke_api_key(tx, prefix=token.split("_")[1], now=NOW)
        with pytest.raises(KeyRevoked):
            access.authenticate(tx, token=token, now=NOW)

    def test_stores_no_secret(self, tx, token):
        secret = token.split("_", 2)[2]
        stored = "".join(str(row) for row in tx.execute("select k::text from access.api_key k"))
        assert secret not in stored


def test_unknown_scope_is_refused(tx, ids):
    with pytest.raises(ScopeUnknown):
        access.create_api_key(tx, name="x", scopes=["everything"], expires_at=NOW, now=NOW, ids=ids)
