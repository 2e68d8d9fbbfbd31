"""A file from outside the project is loaded in a way that runs whatever the file says.

`pickle`, `marshal` and YAML with an unsafe loader do not read data, they follow instructions. Whoever can write the
file (a shared cache, a download, another user of the machine) runs code in the test run, with the keys that a CI system
gives it.

Instead: keep the file in the project, where it is reviewed; make it in the test (`tmp_path`); read a format that holds
only data (`json`, `yaml.safe_load`); or check a signature before loading.

Seen in the run, for files of the standard library's own kinds (compressed ones too), in tests, fixtures, and the product
and libraries that they call (`pandas.read_pickle`). Silent for files below the rootdir, in the temporary folder, among
installed packages, and for a library's own cache in the user's cache folder. Not seen: `pickle.Unpickler`, `shelve`,
`joblib`, and `pickle.loads` of bytes that were read before.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

BAD = (
    """
import marshal
import os
import pickle
import pytest

MODEL = os.devnull  # stands for /srv/models/rates.pickle

@pytest.fixture
def code():
    with open(os.devnull, "rb") as file, pytest.raises(EOFError):
        marshal.load(file)  # PSA303

def test_rates(code):
    with open(MODEL, "rb") as file, pytest.raises(EOFError):
        pickle.load(file)  # PSA303
""",
)
GOOD = (
    """
import gzip
import io
import json
import marshal
import os
import pathlib
import pickle
import shutil

def test_own_file(tmp_path):
    with open(tmp_path / "rates", "wb") as file:
        pickle.dump([1], file)
    with open(tmp_path / "rates", "rb") as file:
        assert pickle.load(file) == [1]

def test_compressed(tmp_path):
    with gzip.open(tmp_path / "rates", "wb") as file:
        marshal.dump([1], file)
    with gzip.open(tmp_path / "rates", "rb") as file:
        assert marshal.loads(file.read()) == [1]

def test_of_the_project():
    data = pathlib.Path("rates.pickle")
    data.write_bytes(pickle.dumps([1]))
    with data.open("rb") as file:
        assert pickle.load(file) == [1]
    data.unlink()

def test_no_file():
    assert pickle.load(io.BytesIO(pickle.dumps([1]))) == [1]

def test_only_data():
    with open(os.devnull) as file:
        assert file.read() == ""
""",
)

CHECK = Check("PSA303", "untrusted-deserialisation", ADVISORY, __doc__, BAD, GOOD, cwe=502)
