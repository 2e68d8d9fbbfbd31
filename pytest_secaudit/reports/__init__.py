"""The reports: one pure function of an `Audit` each."""
