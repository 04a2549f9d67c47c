"""Runs sessions: players, renders, devices, takes and replays, each with its way to the ledger."""
