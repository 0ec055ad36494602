"""Weights in the frameworks' layouts, without the frameworks."""
