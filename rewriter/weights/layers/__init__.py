"""A model's layers, however exporters write them, and their parameters and settings."""
