"""Settings of Sphinx: `sphinx-build -W docs build/docs`."""

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
