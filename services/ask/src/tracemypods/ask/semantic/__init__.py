"""The judgement of the semantic cache: whether two questions ask the same, and which questions and
answers it has no business with."""
