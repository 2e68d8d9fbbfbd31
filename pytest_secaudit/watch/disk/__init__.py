"""What tests leave on the disk: `temporary` hears of what `tempfile` makes, `listing` and `files` see to the project."""
