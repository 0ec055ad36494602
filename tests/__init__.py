"""Tests, and the tools that measure."""
