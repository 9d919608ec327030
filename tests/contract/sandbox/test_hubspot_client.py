"""hubspot-api-client, the vendor's own client, judges the simulated HubSpot."""

import json

import pytest
from hubspot import HubSpot
from hubspot.crm.contacts import (
    ApiException,
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputForCreate,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchInputSimplePublicObjectId,
    BatchReadInputSimplePublicObjectId,
    Filter,
    FilterGroup,
    PublicGdprDeleteInput,
    PublicMergeInput,
    PublicObjectSearchRequest,
    SimplePublicObjectBatchInput,
    SimplePublicObjectBatchInputForCreate,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectId,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.objects.tasks import SimplePublicObjectInputForCreate as TaskInput
from hubspot.crm.properties import PropertyCreate


@pytest.fixture(scope="module")
def client(hubspot):
    return HubSpot(access_token=hubspot.token, host=hubspot.url)


@pytest.fixture(scope="module")
def contacts(client):
    return client.crm.contacts


def create(contacts, **properties):
    return contacts.basic_api.create(SimplePublicObjectInputForCreate(properties=properties))


def refusal(caught):
    return caught.value.status, json.loads(caught.value.body)


class TestRecords:
    def test_creates_reads_updates_and_archives(self, contacts):
        created = create(contacts, email="ida@example.com", firstname="Ida")
        assert created.properties["email"] == "ida@example.com"
        updated = contacts.basic_api.update(created.id, SimplePublicObjectInput(properties={"lastname": "Berg"}))
        assert updated.updated_at >= created.updated_at
        read = contacts.basic_api.get_by_id(created.id, properties=["lastname", "city", "nothing_like_it"])
        assert (read.properties["lastname"], read.properties["city"]) == ("Berg", None)
        assert "nothing_like_it" not in read.properties
        contacts.basic_api.archive(created.id)
        with pytest.raises(ApiException) as caught:
            contacts.basic_api.get_by_id(created.id)
        assert refusal(caught)[0] == 404
        assert contacts.basic_api.get_by_id(created.id, archived=True).archived_at

    def test_lowers_and_trims_mail_and_cuts_blanks(self, contacts):
        created = create(contacts, email="  Mixed.Case@Example.COM ", firstname=" Blank ")
        read = contacts.basic_api.get_by_id("mixed.case@example.com", id_property="email")
        assert (read.id, read.properties["email"], read.properties["firstname"]) == (
            created.id,
            "mixed.case@example.com",
            "Blank",
        )

    def test_names_the_record_that_holds_an_address(self, contacts):
        holder = create(contacts, email="taken@example.com")
        with pytest.raises(ApiException) as caught:
            create(contacts, email="TAKEN@example.com")
        status, body = refusal(caught)
        assert (status, body["category"]) == (409, "CONFLICT")
        assert body["message"] == f"Contact already exists. Existing ID: {holder.id}"

    def test_changes_nothing_when_nothing_differs(self, contacts):
        created = create(contacts, email="same@example.com", city="Lund")
        again = contacts.basic_api.update(created.id, SimplePublicObjectInput(properties={"city": "Lund"}))
        assert again.updated_at == created.updated_at

    @pytest.mark.parametrize(
        ("properties", "code"),
        [
            ({"no_such_property": "x"}, "PROPERTY_DOESNT_EXIST"),
            ({"email": "no address"}, "INVALID_EMAIL"),
            ({"points_balance": "many"}, "INVALID_NUMBER"),
            ({"points_balance": " 7"}, "INVALID_NUMBER"),
            ({"birth_date": "31.12.1980"}, "INVALID_DATE"),
            ({"birth_date": "347155199000"}, "INVALID_DATE"),
            ({"lifecyclestage": "unheard_of"}, "INVALID_OPTION"),
            ({"createdate": "2026-01-01T00:00:00Z"}, "READ_ONLY_VALUE"),
        ],
    )
    def test_refuses_bad_values(self, contacts, properties, code):
        with pytest.raises(ApiException) as caught:
            create(contacts, **properties)
        status, body = refusal(caught)
        assert (status, body["category"], body["errors"][0]["code"]) == (400, "VALIDATION_ERROR", code)

    def test_reads_a_date_in_both_forms(self, contacts):
        created = create(contacts, birth_date="347155200000")
        assert (
            contacts.basic_api.get_by_id(created.id, properties=["birth_date"]).properties["birth_date"] == "1981-01-01"
        )

    def test_refuses_a_second_holder_of_a_unique_value(self, contacts):
        create(contacts, loyalty_id="U-1")
        with pytest.raises(ApiException) as caught:
            create(contacts, loyalty_id="u-1")
        status, body = refusal(caught)
        assert (status, body["errors"][0]["code"]) == (400, "CONFLICTING_UNIQUE_VALUE")

    def test_lists_all_pages_in_the_order_of_ids(self, contacts):
        for number in range(12):
            create(contacts, email=f"page{number}@example.com")
        listed, after = [], None
        while True:
            page = contacts.basic_api.get_page(limit=5, after=after)
            listed += [int(item.id) for item in page.results]
            if not page.paging:
                break
            after = page.paging.next.after
        assert listed == sorted(set(listed))
        assert len(contacts.get_all()) == len(listed)

    def test_merges_two_records_into_a_third(self, contacts):
        first = create(contacts, email="first@example.com", firstname="F")
        second = create(contacts, email="second@example.com", lastname="S")
        body = PublicMergeInput(primary_object_id=first.id, object_id_to_merge=second.id)
        merged = contacts.basic_api.merge(body)
        assert merged.id not in {first.id, second.id}
        for old_id in (first.id, second.id):
            assert contacts.basic_api.get_by_id(old_id).id == merged.id
        read = contacts.basic_api.get_by_id(merged.id, properties=["hs_merged_object_ids", "lastname", "email"])
        assert set(read.properties["hs_merged_object_ids"].split(";")) == {first.id, second.id}
        assert (read.properties["email"], read.properties["lastname"]) == ("first@example.com", "S")
        with pytest.raises(ApiException) as caught:
            create(contacts, email="second@example.com")
        assert merged.id in refusal(caught)[1]["message"]

    def test_erases_for_good(self, contacts):
        created = create(contacts, email="erase@example.com")
        contacts.basic_api.purge(PublicGdprDeleteInput(object_id="erase@example.com", id_property="email"))
        with pytest.raises(ApiException) as caught:
            contacts.basic_api.get_by_id(created.id, archived=True)
        assert refusal(caught)[0] == 404

    def test_writes_a_task_for_a_contact(self, client, contacts):
        who = create(contacts, email="task@example.com")
        link = {"to": {"id": who.id}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}]}
        properties = {"hs_timestamp": "1764547200000", "hs_task_subject": "Call", "hs_task_status": "NOT_STARTED"}
        tasks = client.crm.objects.tasks.basic_api
        created = tasks.create(TaskInput(properties=properties, associations=[link]))
        read = tasks.get_by_id(created.id, associations=["contacts"], properties=["hs_timestamp"])
        assert read.associations["contacts"].results[0].id == who.id
        assert read.properties["hs_timestamp"] == "2025-12-01T00:00:00.000Z"


class TestBatches:
    def test_creates_a_hundred_and_reads_them_back(self, contacts):
        inputs = [
            SimplePublicObjectBatchInputForCreate(properties={"email": f"b{number}@example.com"})
            for number in range(100)
        ]
        created = contacts.batch_api.create(BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs))
        assert (created.status, len(created.results)) == ("COMPLETE", 100)
        wanted = [SimplePublicObjectId(id=f"b{number}@example.com") for number in range(100)]
        read = contacts.batch_api.read(
            BatchReadInputSimplePublicObjectId(
                inputs=wanted, id_property="email", properties=["email"], properties_with_history=[]
            )
        )
        assert {item.id for item in read.results} == {item.id for item in created.results}

    def test_refuses_more_than_a_hundred(self, contacts):
        inputs = [SimplePublicObjectBatchInputForCreate(properties={"city": "x"})] * 101
        with pytest.raises(ApiException) as caught:
            contacts.batch_api.create(BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs))
        assert refusal(caught)[0] == 400

    def test_upserts_and_tells_which_are_new(self, contacts):
        known = create(contacts, loyalty_id="M-1")
        inputs = [
            SimplePublicObjectBatchInputUpsert(id=key, id_property="loyalty_id", properties={"loyalty_tier": "Gold"})
            for key in ("M-1", "M-2")
        ]
        answer = contacts.batch_api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
        results = {item.properties["loyalty_id"]: item for item in answer.results}
        assert (results["M-1"].new, results["M-1"].id, results["M-2"].new) == (False, known.id, True)

    def test_refuses_an_upsert_by_a_property_that_is_not_unique(self, contacts):
        inputs = [SimplePublicObjectBatchInputUpsert(id="x", id_property="city", properties={})]
        with pytest.raises(ApiException) as caught:
            contacts.batch_api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
        assert "non-unique" in refusal(caught)[1]["message"]

    def test_one_bad_row_fails_the_whole_batch(self, contacts):
        inputs = [
            SimplePublicObjectBatchInputForCreate(properties={"email": "innocent@example.com"}),
            SimplePublicObjectBatchInputForCreate(properties={"email": "bad"}),
        ]
        with pytest.raises(ApiException):
            contacts.batch_api.create(BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs))
        with pytest.raises(ApiException) as caught:
            contacts.basic_api.get_by_id("innocent@example.com", id_property="email")
        assert refusal(caught)[0] == 404

    def test_trace_ids_make_the_verdict_per_row(self, contacts):
        create(contacts, email="there@example.com")
        inputs = [
            SimplePublicObjectBatchInputForCreate(properties={"email": email}, object_write_trace_id=trace)
            for email, trace in (("good@example.com", "t1"), ("there@example.com", "t2"))
        ]
        answer = contacts.batch_api.create(BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs))
        assert [item.properties["email"] for item in answer.results] == ["good@example.com"]
        assert (answer.num_errors, answer.errors[0].category) == (1, "CONFLICT")
        assert answer.errors[0].context["objectWriteTraceId"] == ["t2"]

    def test_tells_which_ids_are_not_there(self, contacts):
        known = create(contacts, email="update@example.com")
        inputs = [SimplePublicObjectBatchInput(id=key, properties={"city": "X"}) for key in (known.id, "404404")]
        answer = contacts.batch_api.update(BatchInputSimplePublicObjectBatchInput(inputs=inputs))
        assert [item.id for item in answer.results] == [known.id]
        assert answer.errors[0].context["ids"] == ["404404"]

    def test_archives(self, contacts):
        known = create(contacts, email="archive@example.com")
        inputs = [SimplePublicObjectId(id=key) for key in (known.id, "404404")]
        contacts.batch_api.archive(BatchInputSimplePublicObjectId(inputs=inputs))
        page = contacts.basic_api.get_page(limit=100, archived=True)
        assert known.id in {item.id for item in page.results}


class TestSearch:
    @pytest.mark.parametrize(
        ("filters", "names"),
        [
            ([("email", "EQ", "SEARCH.A@example.com")], ["a"]),
            ([("firstname", "CONTAINS_TOKEN", "sea*"), ("points_balance", "GTE", "10")], ["b", "c"]),
            ([("firstname", "EQ", "Searched"), ("points_balance", "NOT_HAS_PROPERTY", None)], ["a"]),
            ([("firstname", "EQ", "Searched"), ("points_balance", "LT", "100")], ["b"]),
            ([("birth_date", "GT", "1989-12-31")], ["c"]),
            ([("firstname", "EQ", "Searched"), ("city", "NEQ", "lund")], ["c"]),
        ],
    )
    def test_filters(self, contacts, filters, names):
        if self.search(contacts, [("firstname", "EQ", "Searched")]).total == 0:
            create(contacts, email="search.a@example.com", firstname="Searched", lastname="a")
            create(contacts, firstname="Searched", lastname="b", points_balance="10", city="Lund")
            create(
                contacts, firstname="Searched", lastname="c", points_balance="100", city="Kiel", birth_date="1990-01-01"
            )
        found = self.search(contacts, filters)
        assert [item.properties["lastname"] for item in found.results] == names

    def test_pages_in_the_order_asked_for(self, contacts):
        for number in range(5):
            create(contacts, city="Pagetown", lastname=f"p{number}")
        lastnames, after = [], None
        while True:
            page = self.search(contacts, [("city", "EQ", "Pagetown")], limit=2, after=after, sorts=["-lastname"])
            assert page.total == 5
            lastnames += [item.properties["lastname"] for item in page.results]
            if not page.paging:
                break
            after = page.paging.next.after
        assert lastnames == ["p4", "p3", "p2", "p1", "p0"]

    def test_finds_what_changed_since(self, contacts):
        before = create(contacts, city="Since")
        since = int(before.updated_at.timestamp() * 1000) + 1
        changed = create(contacts, city="Since")
        found = self.search(contacts, [("lastmodifieddate", "GTE", str(since)), ("city", "EQ", "Since")])
        assert {item.id for item in found.results} <= {before.id, changed.id}
        assert changed.id in {item.id for item in found.results}

    def test_never_goes_past_ten_thousand_results(self, contacts):
        with pytest.raises(ApiException) as caught:
            self.search(contacts, [("city", "EQ", "Anywhere")], limit=100, after="9950")
        assert refusal(caught)[0] == 400

    @pytest.mark.parametrize(
        "body",
        [
            {"limit": 201},
            {"filter_groups": [FilterGroup(filters=[Filter(property_name="city", operator="HAS_PROPERTY")])] * 6},
            {"filter_groups": [FilterGroup(filters=[Filter(property_name="city", operator="HAS_PROPERTY")] * 7)]},
            {"filter_groups": [FilterGroup(filters=[Filter(property_name="no_such", operator="HAS_PROPERTY")])]},
        ],
    )
    def test_refuses_what_is_beyond_the_limits(self, contacts, body):
        with pytest.raises(ApiException) as caught:
            contacts.search_api.do_search(PublicObjectSearchRequest(**body))
        assert refusal(caught)[0] == 400

    def search(self, contacts, filters, **more):
        group = FilterGroup(
            filters=[Filter(property_name=name, operator=operator, value=value) for name, operator, value in filters]
        )
        names = ["lastname", "city"]
        return contacts.search_api.do_search(PublicObjectSearchRequest(filter_groups=[group], properties=names, **more))


class TestProperties:
    def test_creates_a_unique_property_that_upserts_by_it(self, client, contacts):
        wanted = PropertyCreate(
            name="card_number",
            label="Card",
            type="string",
            field_type="text",
            group_name="contactinformation",
            has_unique_value=True,
        )
        created = client.crm.properties.core_api.create("contacts", wanted)
        assert created.has_unique_value
        assert "card_number" in {item.name for item in client.crm.properties.core_api.get_all("contacts").results}
        inputs = [SimplePublicObjectBatchInputUpsert(id="7", id_property="card_number", properties={"city": "X"})]
        answer = contacts.batch_api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
        assert answer.results[0].new
        with pytest.raises(Exception, match="already exists"):
            client.crm.properties.core_api.create("contacts", wanted)
