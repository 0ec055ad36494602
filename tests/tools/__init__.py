"""One command each, called by the Makefile; and their own tests."""
