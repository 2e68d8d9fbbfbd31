"""What only mocks ever stand for: which functions tests replace, and which of the project's functions ever ran."""
