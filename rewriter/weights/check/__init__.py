"""Each layer of an export, made in the target's framework from the file's arrays and record alone, and run."""
