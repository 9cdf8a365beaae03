"""How well the semantic cache tells the same questions from similar ones."""
