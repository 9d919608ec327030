"""What an error becomes for a caller."""

import pytest

from comity.access.types import KeyExpired, ScopeMissing
from comity.connect.types import SignatureInvalid
from comity.interfaces.shared.problems import (
    TREATMENTS,
    BodyTooLarge,
    retry_after_seconds,
    to_exit_code,
    to_framework_problem,
    to_problem,
)
from comity.kernel.errors import (
    Broken,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
)
from comity.programme.types import InsufficientPoints, KeyReused, UnknownMember


@pytest.mark.parametrize(
    ("error", "status", "exit_code"),
    [
        (NotFound(), 404, 3),
        (Invalid(), 422, 2),
        (BodyTooLarge(), 413, 2),
        (Conflict(), 409, 4),
        (Refused(), 409, 6),
        (Forbidden(), 403, 5),
        (KeyExpired(), 401, 5),
        (ScopeMissing(), 403, 5),
        (SignatureInvalid(), 401, 5),
        (RateLimited(), 429, 7),
        (Unavailable(), 503, 7),
        (Broken(), 500, 70),
        (RuntimeError("inside"), 500, 70),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_kind_has_its_status_its_exit_code_and_a_remedy(error, status, exit_code):
    problem = to_problem(error)
    assert (problem.status, to_exit_code(error)) == (status, exit_code)
    assert problem.code and problem.title and problem.details["remedy"]


def test_what_nobody_foresaw_tells_nothing_of_the_inside():
    problem = to_problem(RuntimeError("password=geheim"))
    assert "geheim" not in str(problem)
    assert problem.code == "broken"


def test_the_remedy_of_the_error_itself_comes_first():
    assert to_problem(Invalid(details={"remedy": "Do that."})).details == {"remedy": "Do that."}


def test_the_details_of_the_error_stay_as_they_are():
    error = Invalid(details={"field": "$.id"})
    to_problem(error)
    assert error.details == {"field": "$.id"}


def test_people_are_named_as_callers_name_them():
    error = UnknownMember(details={"profile_id": "x", "programme": "points"})
    problem = to_problem(error)
    assert (problem.details["global_id"], "profile_id" in problem.details) == ("x", False)
    assert "GET /v1/profiles" in problem.details["remedy"]


@pytest.mark.parametrize(("error", "remedy"), [(KeyReused(), "new key"), (InsufficientPoints(), "`balance`")])
def test_a_refused_wish_says_what_to_do_whatever_the_verb(error, remedy):
    assert remedy in to_problem(error).details["remedy"]


def test_first_treatment_that_fits_is_the_most_special():
    kinds = [kind for kind, _ in TREATMENTS]
    assert all(not issubclass(later, earlier) for at, earlier in enumerate(kinds) for later in kinds[at + 1 :])


def test_waiting_makes_sense_for_two_kinds_only():
    assert retry_after_seconds(RateLimited(retry_after_seconds=2.6)) == 3
    assert retry_after_seconds(RateLimited(retry_after_seconds=0.1)) == 1
    assert retry_after_seconds(Unavailable()) == 1
    assert retry_after_seconds(Invalid()) is None


def test_what_the_framework_refuses_is_a_problem_too():
    problem = to_framework_problem(status=405, title="No.", found=None)
    assert (problem.code, problem.details["remedy"] != "") == ("method_not_allowed", True)
    assert to_framework_problem(status=418, title="Tea.", found=[{"key": "x"}]).details["problems"]
