"""The rule that divides a period's income: pure functions from entries and times to amounts."""
