"""Weights, run by the frameworks they are for (``make interop``)."""
