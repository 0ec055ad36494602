"""What is told of an export: tensors, layers and notes, as JSON and as text."""
