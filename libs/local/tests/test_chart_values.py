"""The table of the Helm chart's values."""

from __future__ import annotations

from tracemypods.local.chart_values import Value, table, values

TEXT = """\
# Says something about the file.

# -- Where it runs: `a`
# or `b`.
mode: a
group:
  # -- How many.
  count: 2
  # Only for readers.
  other: {}
  deep:
    # -- Who may.
    peers:
      - first:
          second: 1
    # -- After a list.
    last: [1, 2]
end: ""
"""


def test_entries_are_found_with_what_is_said_of_them() -> None:
    assert list(values(TEXT)) == [
        Value("mode", "a", "Where it runs: `a` or `b`."),
        Value("group", None, ""),
        Value("group.count", "2", "How many."),
        Value("group.other", "{}", ""),
        Value("group.deep", None, ""),
        Value("group.deep.peers", None, "Who may."),
        Value("group.deep.last", "[1, 2]", "After a list."),
        Value("end", '""', ""),
    ]


def test_the_table_has_those_that_say_something() -> None:
    assert table(TEXT).splitlines()[2:] == [
        "| `mode` | `a` | Where it runs: `a` or `b`. |",
        "| `group.count` | `2` | How many. |",
        "| `group.deep.peers` | see `values.yaml` | Who may. |",
        "| `group.deep.last` | `[1, 2]` | After a list. |",
    ]
