"""The pure core: records, mapping, plan, outcomes. No I/O, no clock, no framework."""
