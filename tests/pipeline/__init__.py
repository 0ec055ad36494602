"""Whole models, from file to file, and the command line."""
