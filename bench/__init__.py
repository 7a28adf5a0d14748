"""Measurements that a reader can run again: see docs/explanation/performance.md."""
