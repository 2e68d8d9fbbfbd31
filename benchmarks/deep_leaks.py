"""Leaks that are planted in what modules hold, for `planted.py --kinds deep`.

Each changes something of its own in a module of the copy that stands for the product (`SHOP`), or leaves a file.
"""

from __future__ import annotations

SHOP = "planted_shop"

#: What is there of each, with the number of the leak; what a test writes; the check; what the finding names.
KINDS = (
    ("module attribute", "LIMIT_{n} = 1", "planted_shop.LIMIT_{n} = 7", "PSA110|PSA501", "LIMIT_{n}"),
    ("module attribute removed", "GONE_{n} = 1", "del planted_shop.GONE_{n}", "PSA110|PSA501", "GONE_{n}"),
    (
        "function replaced",
        "def charge_{n}(): pass",
        "planted_shop.charge_{n} = lambda: None",
        "PSA501",
        "charge_{n}",
    ),
    (
        "class attribute",
        "class Cart{n}:\n    kind = 1",
        "planted_shop.Cart{n}.kind = 2",
        "PSA110|PSA501",
        "Cart{n}.kind",
    ),
    (
        "method replaced",
        "class Desk{n}:\n    def sell(self): pass",
        "planted_shop.Desk{n}.sell = lambda self: 1",
        "PSA501",
        "Desk{n}.sell",
    ),
    (
        "list in a class",
        "class Line{n}:\n    items = []",
        "planted_shop.Line{n}.items.append(1)",
        "PSA105",
        "Line{n}.items",
    ),
    (
        "dict in a class, through an instance",
        "class Book{n}:\n    known = {}",
        'planted_shop.Book{n}().known["a"] = 1',
        "PSA105",
        "Book{n}.known['a']",
    ),
    ("dict item", "TABLE_{n} = {'a': 1}", 'planted_shop.TABLE_{n}["b"] = 2', "PSA104", "TABLE_{n}['b']"),
    ("dict item changed", "RATES_{n} = {'a': 1}", 'planted_shop.RATES_{n}["a"] = 2', "PSA104", "RATES_{n}['a']"),
    (
        "dict item of another type",
        "SIZES_{n} = {'a': 4}",
        'planted_shop.SIZES_{n}["a"] = "4"',
        "PSA104",
        "SIZES_{n}['a']",
    ),
    ("list", "LOG_{n} = []", "planted_shop.LOG_{n}.append(1)", "PSA104", "LOG_{n}"),
    ("set", "TAGS_{n} = set()", 'planted_shop.TAGS_{n}.add("x")', "PSA104", "TAGS_{n}"),
    (
        "dict in a dict",
        "DEEP_{n} = {'a': {'b': 1}}",
        'planted_shop.DEEP_{n}["a"]["b"] = 2',
        "PSA104",
        "DEEP_{n}['a']['b']",
    ),
    (
        "attribute of an instance",
        "class Till{n}:\n    def __init__(self): self.open = False\nTILL_{n} = Till{n}()",
        "planted_shop.TILL_{n}.open = True",
        "PSA110|PSA501",
        "TILL_{n}.open",
    ),
    (
        "slot of an instance",
        "class Slim{n}:\n    __slots__ = ('size',)\nSLIM_{n} = Slim{n}()\nSLIM_{n}.size = 1",
        "planted_shop.SLIM_{n}.size = 2",
        "PSA110|PSA501",
        "SLIM_{n}.size",
    ),
    (
        "list of an instance",
        "class Queue{n}:\n    def __init__(self): self.items = []\nQUEUE_{n} = Queue{n}()",
        "planted_shop.QUEUE_{n}.items.append(1)",
        "PSA104",
        "QUEUE_{n}.items",
    ),
    (
        "default of a function",
        "def add_{n}(item, seen=[]): seen.append(item)",
        "planted_shop.add_{n}(1)",
        "PSA104",
        "add_{n}(seen)",
    ),
    (
        "what a thread keeps",
        "import threading\nLOCAL_{n} = threading.local()\nLOCAL_{n}.user = None",
        'planted_shop.LOCAL_{n}.user = "ann"',
        "PSA110|PSA501",
        "LOCAL_{n}.user",
    ),
)

SPOTS = ("test", "helper", "other code", "function fixture", "module fixture", "set-up", "class set-up", "async test")

#: Name, check, spot, lines, subject.
LEAKS = [
    (
        f"{name} ({number})",
        code,
        SPOTS[number % len(SPOTS)],
        f"import {SHOP}\n{change.replace('{n}', str(number))}  #!",
        f"{SHOP}.{subject.replace('{n}', str(number))}",
    )
    for number, (name, _, change, code, subject) in enumerate((*KINDS, *KINDS))
] + [
    (
        "file in the project",
        "PSA605",
        "test",
        'with open("planted_file_1.txt", "w"):  #!\n    pass',
        "planted_file_1.txt",
    ),
    (
        "folder in the project",
        "PSA605",
        "function fixture",
        'import os\nos.mkdir("planted_folder_2")  #!',
        "planted_folder_2",
    ),
    (
        "temporary folder",
        "PSA602",
        "test",
        'import tempfile\ntempfile.mkdtemp(prefix="planted_")  #!',
        "*planted_*",
    ),
    (
        "temporary file",
        "PSA602",
        "helper",
        'import os\nimport tempfile\nos.close(tempfile.mkstemp(prefix="planted_")[0])  #!',
        "*planted_*",
    ),
]


def shop() -> str:
    """The source of the module that stands for the product."""
    made = (text.replace("{n}", str(number)) for number, (_, text, *_) in enumerate((*KINDS, *KINDS)))
    return "\n".join(made) + "\n"
