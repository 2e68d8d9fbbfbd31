"""Settings of Sphinx: `python -m sphinx -W --keep-going -b html docs docs/_build/html`. Nothing is fetched."""

from __future__ import annotations

project = "pytest-secaudit"
author = "The pytest-secaudit founders"
copyright = "2026, The pytest-secaudit founders"  # noqa: A001  (Sphinx wants this name)

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = "pytest-secaudit"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
