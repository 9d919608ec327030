"""Authorised calls: one login for many threads, one more try after a refused login, errors by class."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from comity.connect.auth import OAuth, api_key_query, basic, bearer
from comity.connect.http import Caller, failure_by_status, retry_after
from comity.connect.types import CallFailed, ErrorClass
from comity.kernel.egress import Egress, EgressFailed


def oauth(egress, clock, **more):
    return OAuth(egress=egress, clock=clock, token_url="https://x/token", client_id="c", client_secret="s", **more)


def caller(context, egress, auth, clock):
    return Caller(
        context(egress),
        base_url="https://x/api",
        auth=auth,
        classify=lambda response: failure_by_status(response, clock.now()),
        timeout_seconds=5,
    )


class TestOAuth:
    def test_many_threads_make_one_login(self, scripted, answer, clock, context):
        """Ten threads meet an expired token at once: one of them renews it."""
        tokens = iter(["t1", "t2", "t3"])
        good = {"t1"}

        def script(_method, url, options):
            if url.endswith("/token"):
                token = next(tokens)
                good.add(token)
                return answer({"access_token": token})
            return answer({}, 200 if options["headers"]["Authorization"].split(" ")[1] in good else 401)

        egress = scripted(script)
        client = caller(context, egress, oauth(egress, clock), clock)
        client.call("GET", "/a")
        good.clear()
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda _: client.call("GET", "/a"), range(10)))
        assert sum(url.endswith("/token") for _, url, _ in egress.calls) == 2

    def test_a_token_is_exchanged_before_it_expires(self, scripted, answer, clock):
        egress = scripted([answer({"access_token": f"t{n}", "expires_in": 3600}) for n in range(2)])
        auth = oauth(egress, clock)
        assert auth.credentials().token == "t0"
        clock.advance(seconds=3500)
        assert auth.credentials().token == "t0"
        clock.advance(seconds=50)
        assert auth.credentials().token == "t1"

    def test_a_rotated_refresh_token_is_kept(self, scripted, answer, clock):
        kept = []
        egress = scripted(
            [
                answer({"access_token": "a", "refresh_token": "r2", "expires_in": 10}),
                answer({"access_token": "b", "refresh_token": "r2", "expires_in": 10}),
            ]
        )
        auth = oauth(egress, clock, refresh_token="r1", save_refresh_token=kept.append)
        auth.credentials()
        clock.advance(seconds=10)
        auth.credentials()
        assert kept == ["r2"]
        assert [options["form"]["refresh_token"] for _, _, options in egress.calls] == ["r1", "r2"]

    @pytest.mark.parametrize(
        ("status", "expected"),
        [(400, ErrorClass.AUTH_EXPIRED), (429, ErrorClass.LIMIT_SHORT), (503, ErrorClass.TRANSIENT)],
    )
    def test_a_refused_login_says_why(self, scripted, answer, clock, status, expected):
        auth = oauth(scripted([answer({"error": "invalid_grant", "error_description": "gone"}, status)]), clock)
        with pytest.raises(CallFailed, match="invalid_grant") as caught:
            auth.credentials()
        assert caught.value.error_class is expected


class TestCaller:
    def test_a_refused_fixed_token_is_not_tried_again(self, scripted, answer, clock, context):
        egress = scripted([answer({}, 401)])
        with pytest.raises(CallFailed) as caught:
            caller(context, egress, bearer("t"), clock).call("GET", "/a")
        assert caught.value.error_class is ErrorClass.AUTH_EXPIRED

    def test_credentials_stay_at_their_host(self, scripted, clock, context):
        client = caller(context, scripted([]), bearer("t"), clock)
        for path in ("https://evil.example/next", "https://x.evil.example/", "http://x/a", "https://x:444/"):
            with pytest.raises(CallFailed):
                client.call("GET", path)

    def test_keys_and_passwords_go_where_they_belong(self, scripted, answer, clock, context):
        egress = scripted([answer({}), answer({})])
        caller(context, egress, api_key_query("key", "k"), clock).call("GET", "/a", params={"p": "1"})
        caller(context, egress, basic("u", "p"), clock).call("GET", "a")
        assert egress.calls[0][2]["params"] == {"p": "1", "key": "k"}
        assert egress.calls[1][2]["headers"]["Authorization"] == "Basic dTpw"
        assert egress.calls[1][1] == "https://x/api/a"

    def test_a_request_that_cannot_be_sent_is_told(self, clock, context):
        with Egress() as egress, pytest.raises(CallFailed) as caught:
            caller(context, egress, bearer("line\nbreak \u20ac"), clock).call("GET", "/a")
        assert caught.value.error_class is ErrorClass.UNSUPPORTED

    def test_a_lost_answer_is_maybe_applied_for_writes_only(self, scripted, answer, clock, context):
        lost = EgressFailed("reset", kind="reset", is_maybe_applied=True)
        egress = scripted([lost, lost, answer({})])
        client = caller(context, egress, bearer("t"), clock)
        with pytest.raises(CallFailed) as caught:
            client.call("POST", "/a", json={})
        assert caught.value.is_maybe_applied
        client.call("POST", "/search", json={}, is_write=False)
        assert len(egress.calls) == 3

    def test_a_server_error_on_a_write_is_maybe_applied(self, scripted, answer, clock, context):
        for method, expected in (("PATCH", True), ("GET", False)):
            egress = scripted([answer(b"<html>", 502)])
            with pytest.raises(CallFailed) as caught:
                caller(context, egress, bearer("t"), clock).call(method, "/a")
            assert caught.value.is_maybe_applied is expected

    def test_long_waits_are_limits_of_another_kind(self, answer, clock):
        short = failure_by_status(answer({}, 429, retry_after="7"), clock.now())
        long = failure_by_status(answer({}, 429, retry_after="Sun, 22 Nov 2026 12:00:00 GMT"), clock.now())
        assert (short.error_class, short.retry_after_seconds) == (ErrorClass.LIMIT_SHORT, 7)
        assert long.error_class is ErrorClass.LIMIT_LONG
        assert retry_after(answer({}, retry_after="soon"), clock.now()) is None
