"""The gate's verdicts, case by case: what differs, and what is the same."""

from __future__ import annotations

import pytest

from tracemypods.ask.semantic.gate import Gate, InOrder, Verdict

DIFFERENT = [
    ("numbers", "What is 12 * 8?", "What is 12 * 9?"),
    ("numbers", "What is 5 + 3?", "What is 5 - 3?"),
    ("numbers", "Name two rivers", "Name three rivers"),
    ("numbers", "Who was the 2nd king?", "Who was the 3rd king?"),
    ("numbers", "How do I install Python 3.1?", "How do I install Python 3.10?"),
    ("numbers", "What is -5 + 3?", "What is 5 + 3?"),
    ("numbers", "What is 1,000 times 3?", "What is 100 times 3?"),
    ("dates", "What happened on 3 May 1999?", "What happened on 3 May 1998?"),
    ("dates", "Do you open on Monday?", "Do you open on Friday?"),
    ("dates", "Call me at 3 pm", "Call me at 3 am"),
    ("dates", "What did they wear in the 1920s?", "What did they wear in the 1930s?"),
    ("units", "How much is 5 kg of gold?", "How much is 5 g of gold?"),
    ("units", "How long is 10 MB in bits?", "How long is 10 Mb in bits?"),
    ("units", "What does it cost in dollars?", "What does it cost in euros?"),
    ("names", "How do I give it 500m of CPU?", "How do I give it 500M of CPU?"),
    ("code", "What does `ls -a` do?", "What does `ls -A` do?"),
    ("code", "What does kubectl get po -w show?", "What does kubectl get po -o show?"),
    ("code", "How do I read a.txt?", "How do I read b.txt?"),
    ("code", "What is C++?", "What is C#?"),
    ("code", "What does `SELECT * FROM user` do?", "What does `SELECT * FROM users` do?"),
    ("code", "Fix ```if a:\n  b\nc```", "Fix ```if a:\n  b\n  c```"),
    ("code", "What is (2 + 3) * 4?", "What is 2 + 3 * 4?"),
    ("direction", "What is (2 + 3) * 4?", "What is 2 + (3 * 4)?"),
    ("code", "What is 5!?", "What is 5?"),
    ("code", "Was macht `ls -A`?", "Was macht `ls -a`?"),
    ("quotes", 'What is "a  b"?', 'What is "a b"?'),
    ("unjudged", "Fix if a:\n  b\nc", "Fix if a:\n  b\nc"),
    ("quotes", 'Spell "affect"', 'Spell "effect"'),
    ("quotes", "What does 'foo' mean?", "What does 'Foo' mean?"),
    ("names", "Who is Ada Lovelace?", "Who is Alan Turing?"),
    ("names", "How do I install Windows?", "How do I install windows?"),
    ("names", "What does US mean?", "What does us mean?"),
    ("names", "How do I restart web-7f9c?", "How do I restart web-7f9d?"),
    ("names", "Is v1.29.1 out?", "Is v1.30.1 out?"),
    ("names", "What is vitamin A?", "What is a vitamin?"),
    ("words", "Is the order shipping?", "Is the order shipped?"),
    ("direction", "Why is Bob not ill when Ben is ill?", "Why is Bob ill when Ben is not ill?"),
    ("negation", "Why does it start?", "Why doesn't it start?"),
    ("negation", "Which birds can fly?", "Which birds cannot fly?"),
    ("negation", "How do I run it with root?", "How do I run it without root?"),
    ("negation", "Files that aren't old are kept", "Files that are old are kept"),
    ("opposites", "How do I enable it?", "How do I disable it?"),
    ("opposites", "Is it safe?", "Is it unsafe?"),
    ("opposites", "What is the largest city?", "What is the smallest city?"),
    ("opposites", "What is a stateful app?", "What is a stateless app?"),
    ("direction", "Is A bigger than B?", "Is B bigger than A?"),
    ("direction", "How do I convert JSON to YAML?", "How do I convert YAML to JSON?"),
    ("direction", "Do dogs chase cats?", "Do cats chase dogs?"),
    ("direction", "What contains a pod?", "What does a pod contain?"),
    ("direction", "How many pods has a node?", "How many nodes has a pod?"),
    ("negation", "Files that don't move but change", "Files that move but don't change"),
    ("units", "How many miles are in 5 km?", "How many km are in 5 miles?"),
    ("language", "What is a pod?", "Was ist ein Pod?"),
    ("language", "What is Python?", "Что такое Python?"),
    ("words", "Was ist ein Knoten?", "Was ist kein Knoten?"),
    ("words", "How do I list pods?", "How do I describe pods?"),
    ("words", "What is a pod for?", "What is a pod?"),
    ("words", "What is the matrix?", "What is a matrix?"),
    ("words", "What is a build?", "What is a building?"),
    ("words", "What is a list?", "What is a view?"),
    ("words", "Can I do that?", "Should I do that?"),
    ("words", "Who owns it?", "Who owned it?"),
    ("words", "Show my order", "Show my orders"),
    ("words", "Where is my dog?", "Where is your dog?"),
    ("words", "Write a poem", "How do I write a poem?"),
    ("words", "How do you feel?", "How do I feel?"),
    ("words", "What is the meaning of life?", "What is life?"),
    ("unjudged", "", "What is a pod?"),
    ("unjudged", "???", "???"),
    ("unjudged", "What is the?", "What is the?"),
    ("code", "What is ::?", "What is :=?"),
    ("unjudged", "word " * 400, "word " * 400),
]

SAME = [
    ("How do I list pods?", "how can I list pods"),
    ("How do I list pods in a namespace?", "What's the command to show the pods of a namespace?"),
    ("How do I delete a pod?", "How can pods be removed?"),
    ("How do I turn off dark mode?", "How can I disable dark mode?"),
    ("Please tell me what a pod is", "What is a pod?"),
    ("What does recursion mean?", "Define recursion"),
    ("What are pods?", "Explain pods to me, please"),
    ("pod", "What is a pod?"),
    ("What is the difference between A and B?", "How does B differ from A?"),
    ("Redis vs Valkey", "Compare Valkey and Redis"),
    ("Which is faster, Go or Rust?", "What is faster, Rust or Go?"),
    ("Convert 5 miles to km", "How many kilometres are in 5 miles?"),
    ("How many seconds are in a day?", "How many seconds does one day have?"),
    ("What is 12 times 8?", "12 * 8 = ?"),
    ("What is 3 plus 4?", "What is the sum of three and four?"),
    ("What is 20% of 50?", "How much is 20 percent of 50?"),
    ("What is two hundred and five?", "What is 200 and 5?"),
    ("What happened on 4 July 1776?", "What happened on July 4th, 1776?"),
    ("What is 2020-01-01 in Unix time?", "What is January 1, 2020 in Unix time?"),
    ("Is it open at 6 am?", "Is it open at 6:00 a.m.?"),
    ("Why isn't it there?", "Why is it not there?"),
    ("Why can't I log in?", "Why am I not able to sign in?"),
    ("What causes rain?", "What is the cause of rain?"),
    ("What is the capital of Peru?", "Peru's capital?"),
    ("How tall is it?", "What is the height of it?"),
    ("Who wrote Dune?", "Who is the author of Dune?"),
    ("What colour is it?", "What color is it?"),
    ('What does "foo" mean?', "What is the meaning of “foo”?"),
    ("What does `git stash` do?", "What is `git stash`?"),
    ("How do I say yes in Dutch?", "Translate yes into Dutch"),
    ("How do I upgrade to Kubernetes v1.30?", "How can I upgrade to Kubernetes 1.30?"),
    ("Was ist ein Pod?", "was ist ein Pod"),
    ("什么是 容器!", "什么是 容器"),
]


@pytest.mark.parametrize(("reason", "one", "other"), DIFFERENT)
def test_what_differs(reason: str, one: str, other: str) -> None:
    assert Gate().judge(one, other) == Verdict(False, reason)
    assert Gate().judge(other, one) == Verdict(False, reason)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_is_the_same(one: str, other: str) -> None:
    assert Gate().judge(one, other) == Verdict(True)
    assert Gate().judge(other, one) == Verdict(True)


class Fixed:
    """A judge that says the same to everything, and counts how often it was asked."""

    def __init__(self, same: bool) -> None:
        self.verdict = Verdict(same, "" if same else "fixed")
        self.asked = 0

    def judge(self, asked: str, stored: str) -> Verdict:  # noqa: ARG002
        self.asked += 1
        return self.verdict


def test_judges_in_order_must_all_agree() -> None:
    yes, no = Fixed(True), Fixed(False)
    assert InOrder([yes, Gate()]).judge("What is a pod?", "What are pods?").same
    assert InOrder([yes, no]).judge("a", "b") == no.verdict
    assert InOrder([]).judge("a", "a") == Verdict(False)


def test_an_expensive_judge_is_not_asked_in_vain() -> None:
    expensive = Fixed(True)
    assert not InOrder([Gate(), expensive]).judge("enable it", "disable it").same
    assert expensive.asked == 0
