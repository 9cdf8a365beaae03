"""The exact answer cache: a question that was answered lately is answered at once, and a question
that is being answered right now is asked once."""
