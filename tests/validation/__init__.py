"""The validator itself."""
