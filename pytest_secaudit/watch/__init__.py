"""The run-time half: who changed the process, and who left it so. The only code that reads or taps the process.

From the ground up: `real` (our own references to what tests fake), `ledger` (debts and claims), `stack` (which line
wrote), `tapping` (how acts are noticed), `areas` (one file is one part of the process's state), `patches`, `clock`
and `contact` (acts), `record` (what goes home as plain data). Nothing here knows pytest's hooks.
"""
