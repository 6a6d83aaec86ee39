"""Benches: real processes, a minimal loop of the same work in the same run, goals as its multiples."""
