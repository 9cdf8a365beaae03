"""Finds questions whose answer is another one tomorrow, or is another one for everybody who asks.

Rather too much is found than too little: what is found is only not looked up by its meaning.
"""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"""\b(?:
      today|tonight|tomorrow|yesterday|now|nowadays|currently|current|presently|recent(?:ly)?
    | latest|newest|upcoming|lately|soon|breaking|trending|just\s+(?:released|announced)
    | (?:this|next|last|past|coming|previous)\s+(?:minute|hour|morning|afternoon|evening|night
        |day|week|weekend|month|quarter|year|season|summer|winter|spring|autumn|decade
        |monday|tuesday|wednesday|thursday|friday|saturday|sunday|election)
    | at\s+(?:the|this)\s+moment|so\s+far|as\s+of|up\s+to\s+date|these\s+days|right\s+away
    | (?:\d+|a|an|two|three|few)\s+(?:second|minute|hour|day|week|month|year)s?\s+(?:ago|from)
    | still|yet|anymore|any\s+more|since\s+when|how\s+long\s+(?:until|till|ago)
    | what(?:'s|\s+is)\s+(?:the\s+)?(?:time|date|day)\b(?!\s+(?:complexity|zone|of|in\s+the))
    | what\s+(?:time|day|date|month|year)\s+is\s+it|how\s+old\s+am\s+i
    | weather|forecast|temperature\s+(?:outside|in\s+[a-z]+\s*\??$)|news|headlines|score|scores
    | stock|stocks|shares?\s+price|share\s+price|exchange\s+rate|interest\s+rate|bitcoin|ethereum
    | price\s+of|prices\s+of|traffic\s+(?:in|on|near|to)|schedule|standings|status\s+of
    | is\s+\S+\s+(?:down|up|online|offline|working)
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
# The state of what somebody has is another one for everybody, and another one each day.
_MINE = re.compile(
    r"""\b(?:
      (?:where|what)(?!\s+(?:can|do|could|must|should)\s+i\b)|when|why|which|how\s+much|show
    | is(?!\s+it\s+possible\b)|(?:has|have)(?!\s+to\b)|was|were|did|will
    )\b[^.?!\n]{0,40}?\bmy\b[^.?!\n]{0,30}?\b(?:
      orders?|parcels?|packages?|deliver(?:y|ies)|refunds?|payments?|invoices?|bills?|balance
    | accounts?|subscription|tickets?|cards?|bookings?|name|age
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_NUMBERED = re.compile(
    r"\b(?:order|payment|invoice|ticket|booking|parcel|shipment|transaction|case)\s+"
    r"(?:number\s+|no\.?\s+|id\s+)?[#\w-]*\d",
    re.IGNORECASE,
)
# Who holds an office now.
_OFFICE = re.compile(
    r"\bwho(?:'s|\s+is|\s+are)\s+(?:the\s+)?[\w\s]{0,30}\b(?:president|prime\s+minister|chancellor"
    r"|king|queen|pope|ceo|cto|cfo|chair(?:man|woman)?|mayor|governor|champion|leader|head|owner"
    r"|director|manager|secretary|minister|captain|coach|richest|tallest|oldest)\b",
    re.IGNORECASE,
)


def is_timebound(question: str) -> bool:
    """Whether a question asks for something that changes with the time, or with who asks."""
    return any(pattern.search(question) for pattern in (_WORDS, _OFFICE, _NUMBERED, _MINE))
