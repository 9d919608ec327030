import csv
from collections import Counter

from comity.interfaces.cli.demo import datasets
from comity.interfaces.cli.demo.cast import CRMS, HUBSPOT, NORTH
from comity.interfaces.cli.demo.people import NO_NAME, read_people, spread, write_people

HEADER = (
    "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, "
    "soc_sec_id\n"
)


def read(tmp_path, *, originals="", duplicates=""):
    (tmp_path / "a.csv").write_text(HEADER + originals)
    (tmp_path / "b.csv").write_text(HEADER + duplicates)
    return read_people(originals=tmp_path / "a.csv", duplicates=tmp_path / "b.csv")


class TestReadPeople:
    def test_puts_number_and_street_together(self, tmp_path):
        line = "rec-7-org, ann, lee, 8, stanley street, miami, dapto, 4566, nsw, 19151111, 5304218\n"
        (person,) = read(tmp_path, originals=line)
        assert (person.number, person.street, person.locality) == (7, "8 stanley street", "miami")
        assert person.birth_date == "1915-11-11"

    def test_leaves_an_impossible_day_empty(self, tmp_path):
        (person,) = read(tmp_path, duplicates="rec-7-dup-0, ann, lee, , , , , 4566, , 19151341, 1\n")
        assert person.birth_date == ""
        assert not person.is_original

    def test_reads_the_whole_data_set(self):
        people = read_people(
            originals=datasets.find_dataset(datasets.FEBRL_ORIGINALS),
            duplicates=datasets.find_dataset(datasets.FEBRL_DUPLICATES),
        )
        assert Counter(person.is_original for person in people) == {True: 5000, False: 5000}
        assert len({person.number for person in people}) == 5000


class TestSpread:
    def test_the_records_of_a_person_lie_in_different_crms(self):
        records = spread(_all_people())
        systems = {}
        for record in records:
            systems.setdefault(record.number, set()).add(record.crm.system)
        assert all(len(each) == 2 for each in systems.values())

    def test_every_crm_holds_a_third_of_originals_and_of_copies(self):
        counts = Counter((record.crm.system, record.is_original) for record in spread(_all_people()))
        assert all(counts[crm.system, is_original] > 1500 for crm in CRMS for is_original in (True, False))

    def test_the_same_data_lie_in_the_same_places(self):
        assert spread(_all_people()) == spread(reversed(_all_people()))

    def test_nothing_that_tells_the_truth_is_given_away(self):
        secrets = _read_secrets()
        for record in spread(_all_people()):
            assert not secrets[record.number] & set(record.fields.values())
            assert not any("rec-" in value for value in record.fields.values())

    def test_ids_are_unique_and_look_like_the_vendors(self):
        records = spread(_all_people())
        assert len({(record.crm.system, record.external_id) for record in records}) == len(records)
        for record in records:
            assert len(record.external_id) == 18 if record.crm.kind == "salesforce" else record.external_id.isdigit()

    def test_a_missing_last_name_is_what_people_type_in_salesforce(self, tmp_path):
        lines = [f"rec-{n}-org, ann, , 8, x street, miami, dapto, 4566, nsw, 19151111, 1\n" for n in range(40)]
        by_kind = {r.crm.kind: r.fields for r in spread(read(tmp_path, originals="".join(lines)))}
        assert by_kind["salesforce"]["LastName"] == NO_NAME
        assert by_kind["salesforce"]["MailingStreet"] == "8 x street\nmiami"
        assert by_kind["hubspot"]["lastname"] == ""
        assert by_kind["hubspot"]["address"] == "8 x street, miami"


def test_a_file_of_people_reads_back(tmp_path):
    records = spread(_all_people())
    for crm in (NORTH, HUBSPOT):
        mine = [record for record in records if record.crm is crm]
        write_people(tmp_path / "people.csv", mine)
        with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as stream:
            assert list(csv.DictReader(stream)) == [record.fields for record in mine]


def _all_people():
    return read_people(
        originals=datasets.find_dataset(datasets.FEBRL_ORIGINALS),
        duplicates=datasets.find_dataset(datasets.FEBRL_DUPLICATES),
    )


def _read_secrets():
    secrets = {}
    for dataset in (datasets.FEBRL_ORIGINALS, datasets.FEBRL_DUPLICATES):
        with datasets.find_dataset(dataset).open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, skipinitialspace=True):
                number = int(row["rec_id"].split("-")[1])
                secrets.setdefault(number, set()).add(row["soc_sec_id"].strip())
    return secrets
