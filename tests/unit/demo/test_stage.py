import socket

import pytest

from comity.interfaces.cli.demo import stage
from comity.interfaces.cli.demo.datasets import DatasetMissing, find_dataset


class TestMakeFresh:
    def test_makes_an_empty_folder(self, tmp_path):
        folder = stage.make_fresh(tmp_path / "a" / "b")
        assert [path.name for path in folder.iterdir()] == [stage.MARK]

    def test_takes_an_earlier_demo_away(self, tmp_path):
        folder = stage.make_fresh(tmp_path / "demo")
        (folder / "logs").mkdir()
        assert [path.name for path in stage.make_fresh(folder).iterdir()] == [stage.MARK]

    def test_never_removes_what_is_not_its_own(self, tmp_path):
        (tmp_path / "letters.txt").write_text("dear")
        with pytest.raises(stage.FolderTaken):
            stage.make_fresh(tmp_path)
        assert (tmp_path / "letters.txt").exists()


def test_a_taken_port_is_left_alone(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(stage, "PORT_WISHED", taken.getsockname()[1])
        assert stage.choose_port(None) not in {0, taken.getsockname()[1]}
    assert stage.choose_port(1234) == 1234


def test_a_data_set_that_is_not_installed_says_how_to_get_it():
    with pytest.raises(DatasetMissing) as caught:
        find_dataset(("no_such_package", "x.csv"))
    assert "pip install --no-deps no_such_package" in caught.value.details["remedy"]
