"""Whom the HTTP client trusts, and where it refuses to go."""

import pytest

from comity.kernel.egress import Egress, EgressFailed, RequestUnusable
from comity.kernel.egress_network import is_public


class TestTrust:
    @pytest.fixture
    def ca_file(self, authority, tmp_path):
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(path)
        return str(path)

    def test_trusts_the_file_it_is_given_whatever_the_environment_says(self, secure_peer, ca_file, monkeypatch):
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, "/nowhere.pem")
        with Egress(ca_file=ca_file) as client:
            assert client.request("GET", secure_peer.url).status == 200

    def test_trusts_nobody_the_environment_names(self, secure_peer, ca_file, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
        with Egress() as client, pytest.raises(EgressFailed, match="certificate") as raised:
            client.request("POST", secure_peer.url)
        assert (raised.value.kind, raised.value.is_maybe_applied) == ("tls", False)

    def test_refuses_a_certificate_for_another_name(self, secure_peer, ca_file):
        with Egress(ca_file=ca_file) as client, pytest.raises(EgressFailed) as raised:
            client.request("GET", secure_peer.url.replace("localhost", "127.0.0.1"))
        assert raised.value.kind == "tls"

    def test_names_a_ca_file_that_is_not_there(self):
        with pytest.raises(RequestUnusable, match=r"/nowhere\.pem"):
            Egress(ca_file="/nowhere.pem")

    def test_names_a_proxy_that_is_none(self):
        with pytest.raises(RequestUnusable, match="proxy"):
            Egress(proxy="localhost:3128")


class TestPrivateTargets:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "[::]"])
    def test_refuses_the_hubs_own_network_for_addresses_that_users_typed(self, peer, host):
        port = peer.server_address[1]
        with Egress(allow_private=False) as client, pytest.raises(EgressFailed) as raised:
            client.request("POST", f"http://{host}:{port}/hook", json={})
        assert raised.value.kind in {"target", "connect"}
        assert not raised.value.is_maybe_applied
        assert not peer.seen

    def test_refuses_them_behind_a_proxy_too(self, peer):
        with Egress(allow_private=False, proxy=peer.url) as client, pytest.raises(EgressFailed, match="not allowed"):
            client.request("POST", "http://127.0.0.1:9/hook", json={})
        assert not peer.seen

    @pytest.mark.parametrize(
        "address",
        [
            *("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1"),
            *("::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"),
            "2001:db8::1",
        ],
    )
    def test_knows_addresses_that_are_not_of_the_open_internet(self, address):
        assert not is_public(address)

    @pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
    def test_knows_public_ones(self, address):
        assert is_public(address)
