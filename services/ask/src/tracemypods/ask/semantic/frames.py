"""Ways of asking: the same request gets the same form, however politely it is put.

The rules rewrite a question from the top to the bottom of the table. They are plain replacements on
the tokens of a question, joined by blanks.
"""

from __future__ import annotations

import re

from tracemypods.ask.semantic.forms import PARTICIPLES, VERBS
from tracemypods.ask.semantic.tables import words

_UNIT = r"(?:(?:square|cubic|nautical) )?u:\S+"
_AMOUNT = r"(#\S+|a|an|n:one|one)"
_LANGUAGES = (
    "english|german|french|spanish|italian|portuguese|dutch|danish|swedish|norwegian|finnish|polish"
    "|n:Polish|russian|ukrainian|greek|latin|turkish|arabic|hebrew|hindi|bengali|tamil|urdu|chinese"
    "|japanese|korean|vietnamese|thai|czech|hungarian|romanian"
)
_REQUESTS = (
    "tell|explain|show|describe|define|give|write|list|count|name|translate|convert|calculate"
    "|compute|compare|summarize|summarise|rewrite|reverse|find"
)
_SERVED = "(?:download|find|see|view|get|change|update|track|enter|register|apply|report|pay|set)"
# What is asked of the model itself.
_ABOUT_THE_MODEL = "feel|work|sleep|learn|know|live|like|think|understand|help|be"
# The meaning of life is not what life is.
_ABSTRACT = "life|work|love|death|existence|freedom|happiness|christmas|easter"
_WH = "what|why|how|where|when|who|which"

_POLITE = [
    (r"^(?:please|hi|hello|hey|ok|okay|thanks) ", ""),
    (rf"^(?:can|could|would|will) you (?:please )?(?=(?:{_REQUESTS}) )", ""),
    (rf"^do you know (?=(?:{_WH}) )", ""),
    (rf"^i (?:want|would like|need|would love) to know (?=(?:{_WH}) )", ""),
    (rf"^(?:tell|show|teach) me (?=(?:{_WH}) )", ""),
    (r"^(explain|describe)(?: to me)? (.+?) to me$", r"\1 \2"),
    (r" (?:please|thanks|thank you|in simple (?:terms|words)|in plain english)$", ""),
    (r"^(write|give|show) me ", r"\1 "),
]

_RULES = [
    # The question word may come last, or behind a preposition.
    (r"^((?:my|the) .+) why$", r"why \1"),
    (
        r"^(?:i (?:want|need)|i must|must i) (?:to )?(.+) how (?:do|can) i do (?:that|this|it)$",
        r"howto \1",
    ),
    (r"^in (?:which|what) (u:(?:year|month|century|decade)) ", r"what \1 "),
    (r"^(?:in|at) (?:which|what) place ", "where "),
    (r"^for how long ", "how long "),
    (r"^what number of ", "how many "),
    (r"^what is the number of ", "how many "),
    (r"^who (.+) (is|was)$", r"who \2 \1"),
    (r"^why (?:am|is|are) (\S+|my \S+) can not ", r"why can \1 not "),
    # Words for what is done with numbers.
    (r"(?<=\d) (?:times|x) (?=#)", " op:* "),
    (r"(?<=\d) plus (?=#)", " op:+ "),
    (r"(?<=\d) minus (?=#)", " op:- "),
    (r"^what is the sum of (#\S+) and (#\S+)$", r"what is \1 op:+ \2"),
    (r"\b(?:the )?(?:word|term) (?=q:)", ""),
    (r"^count the (letters|words|characters) in ", r"how many \1 are in "),
    (r"^what words? rhymes? with ", "what rhymes with "),
    (r"^where (?:do|does) (.+) come from$", r"what is the origin of \1"),
    (r"\b(function|method|script|program|query) (?:that|which) (?=\w+s )", r"\1 to "),
    # How to do something.
    (r"^how (?:do|can|could|should|would) (?:i|we|one) (?:go about )?", "howto "),
    (
        rf"^how (?:do|can|could|should|would) you (?!(?:{_ABOUT_THE_MODEL})\b)(?:go about )?",
        "howto ",
    ),
    (r"^how to ", "howto "),
    (
        (
            r"^(?:what (?:is|are) )?(?:the |a |an )?(?:best |right |correct |proper )?"
            r"(?:way|ways|command|commands|steps|method|procedure|process) "
            r"(?:to|for) (?!the |an? |my )"
        ),
        "howto ",
    ),
    (r"^what is (?:the |a )?(?:best |right |correct )?way of ", "howto "),
    (r"^(?:what|which) command (?:is used to |(?:can|do|should) i use to |lets me )", "howto "),
    (
        r"^(?:what|which) command (?=(?:shows|lists|deletes|creates|restarts|starts|stops) )",
        "howto ",
    ),
    (r"^what (?:do|must|should|can) i (?:must |have to |need to )?do to ", "howto "),
    (r"^(?:explain|describe|demonstrate|know) how to ", "howto "),
    (
        (
            r"^(?=(?:install|uninstall|set|restart|configure|mount|expose|scale|deploy|reset|enable"
            r"|disable|upgrade) )"
        ),
        "howto ",
    ),
    (r"^how (?:is|are) (.+) (?:spelled|spelt)$", r"howto spell \1"),
    (r"^how (?:is|are) (.+) pronounced$", r"howto pronounce \1"),
    (r"^howto say (.+) in (\S+)$", r"translate \1 to \2"),
    (r"^translate (.+) into (\S+)$", r"translate \1 to \2"),
    # Conversions.
    (
        (
            rf"^(?:convert |change |what is |what are |how much is |how much are )?{_AMOUNT} "
            rf"({_UNIT}) (?:in|into|to) ({_UNIT})$"
        ),
        r"convert \1 \2 \3",
    ),
    (
        (
            rf"^how many ({_UNIT}) (?:is|are|make|makes|equals|equal|are in|are there in|is in|in) "
            rf"(?:there in )?{_AMOUNT} ({_UNIT})$"
        ),
        r"convert \2 \3 \1",
    ),
    (rf"^how many ({_UNIT}) (?:do|does) {_AMOUNT} ({_UNIT}) have$", r"convert \2 \3 \1"),
    (r"^convert (?:a|an|one) u:", "convert #1 u:"),
    # Arithmetic.
    (r"^(?:calculate|compute|evaluate) ", "what is "),
    (
        r"^find the (?=(?:average|median|sum|product|area|square|cube|factorial|derivative) )",
        "what is the ",
    ),
    (r"^how much is (?=#|half |a |c:)", "what is "),
    (r"^(?=#\S+ op:)(.+?)(?: op:=)?(?: c:\?)?$", r"what is \1"),
    (r"^solve the equation ", "solve "),
    # Differences and choices.
    (
        (
            r"^(?:what (?:is|are) |explain )?(?:the )?differences? between "
            r"((?:(?! and ).)+) and ((?:(?! and ).)+?)"
            r"(?: in (\S+))?$"
        ),
        r"difference \1 | \2 | \3",
    ),
    (
        r"^how (?:do|does) ((?:(?! and ).)+) and ((?:(?! and ).)+) differ(?: in (\S+))?$",
        r"difference \1 | \2 | \3",
    ),
    (r"^how (?:do|does) (.+) differ from (.+?)(?: in (\S+))?$", r"difference \1 | \2 | \3"),
    (r"^how (?:is|are) (.+) different from (.+?)(?: in (\S+))?$", r"difference \1 | \2 | \3"),
    (
        r"^how (?:is|are) ((?:(?! and ).)+) and ((?:(?! and ).)+) different(?: in (\S+))?$",
        r"difference \1 | \2 | \3",
    ),
    (r"^compare ((?:(?! and ).)+) (?:and|with|to) ((?:(?! and ).)+)$", r"difference \1 | \2 |"),
    (r"^((?:(?! and ).)+) (?:vs|versus) ((?:(?! and ).)+)$", r"difference \1 | \2 |"),
    (
        r"^(?:what|which|who) is (\S+er|better|worse|more \S+|less \S+) (.+) or (.+)$",
        r"choice \2 | \3 | \1",
    ),
    # Which thing is the most of its kind; the qualities of things.
    (r"^which (?:city|town) is the capital ", "what is the capital "),
    (r"^(?:which|what) person ", "who "),
    (r"^which is ", "what is "),
    (r"^which ", "what "),
    (
        r"^what (\S+) (?:is|are) (?:the )?(\S+est|most \S+|least \S+)((?: in| of| on) .+)?$",
        r"what is the \2 \1\3",
    ),
    (r"^who (?:is|was) the (?:author|writer) of ", "who wrote "),
    (r"^who (?:is|was) the inventor of ", "who invented "),
    (r"^who (?:is|was) the founder of ", "who founded "),
    (r"^who (?:is|was) the painter of ", "who painted "),
    (r"^who (?:is|was) the (?:discoverer) of ", "who discovered "),
    (r"^who was the winner of ", "who won "),
    (r"^who (?:is|was) (.+) written by$", r"who wrote \1"),
    (r"^who (?:is|was) (.+) (invented|founded|painted|discovered) by$", r"who \2 \1"),
    (r"^by whom was (.+) written$", r"who wrote \1"),
    (r"^how (?:tall|high) (?:is|are) ", "what is the height of "),
    (r"^how old (?:is|are) (?!you)", "what is the age of "),
    (r"^how fast (?:is|are) ", "what is the speed of "),
    (r"^how (?:big|large) (?:is|are) ", "what is the size of "),
    (r"^how heavy (?:is|are) ", "what is the weight of "),
    (r"^how much (?:do|does) (.+) weigh( in \S+)?$", r"what is the weight of \1\2"),
    (r"^how deep (?:is|are) ", "what is the depth of "),
    (r"^how wide (?:is|are) ", "what is the width of "),
    (r"^how far (?:is|are) (.+) from (.+?)( in u:\S+)?$", r"distance \1 | \2 | \3"),
    (
        r"^what is the distance (?:of|from|between) (.+) (?:from|to|and) (.+?)( in u:\S+)?$",
        r"distance \1 | \2 | \3",
    ),
    (r"^how far (?:is|are) ", "what is the distance to "),
    (r"^(?:how much|what) (?:do|does) (.+) cost$", r"what is the price of \1"),
    (r"^what is the cost of ", "what is the price of "),
    (r"^how much is (?!#)", "what is the price of "),
    (
        r"^how many people (?:live|are there|are living|are) in (.+)$",
        r"what is the population of \1",
    ),
    (r"^how many (.+?) (?:are|is) (?:there )?(?:in|on) (.+)$", r"how many \1 | \2"),
    (r"^how many (.+?) (?:do|does) (.+) have$", r"how many \1 | \2"),
    (r"^how long (?:do|does|will|would|is) ", "how long "),
    # Causes.
    (r"^what causes (.+?) to ", r"why \1 "),
    (r"^what (?:causes|makes) ", "why "),
    (r"^what (?:is|are) the (?:cause|causes|reason|reasons) (?:of|for|that|why) ", "why "),
    (r"^(?:how come|for what reason|explain why) ", "why "),
    (r"^why (.+) (?:happen|occur|form)$", r"why \1"),
    (r"^why (?:will|would) (.*)\bnot\b", r"why \1not"),
    # Meanings and explanations.
    (r"^(?:explain|describe) what (.+) (?:do|does)$", r"what do \1 do"),
    (r"^what (.+) does$", r"what do \1 do"),
    (r"^what is the effect of (.+)$", r"what do \1 do"),
    (r"^what (?:do|does) (c:\S+) do$", r"what is \1"),
    (r"^(?:explain|describe) how (.+) works?$", r"how \1 work"),
    (r"^how (?:do|does) (.+) work$", r"how \1 work"),
    (r"^how (?:do|does) (.+) work (in|on) (\S+)$", r"how \1 \2 \3 work"),
    (r"^how (.+) works$", r"how \1 work"),
    (r"^(?:explain|describe|define) (?:what|who) (.+) (?:is|are)$", r"what is \1"),
    (r"^what ((?:(?!u:)\S+ )*\S+) (?:is|are)$", r"what is \1"),
    (r"^(?:explain|describe|define) (?=(?:where|when|who|why) )", ""),
    (r"^what (?:do|does) (.+?) mean((?: in .+)?)$", r"what is \1\2"),
    (rf"^what is the (?:meaning|definition) of (?!(?:{_ABSTRACT})$)", "what is "),
    (r"^define (?!an? .* in )", "what is "),
    (rf"^explain (?!.* in (?:{_LANGUAGES})$)(?!.* like )", "what is "),
    (r"^give (?=an? (?:synonym|antonym|example|definition) )", "what is "),
    (r"^(?:give|name|list) (?=#)", "give "),
    (r"^what is your (?=(?:\S+ )?(?:policy|policies|hours|prices|fees|warranty)$)", "what is the "),
    (
        rf"^where (?:can|do|could) i (?={_SERVED} )",
        "where i ",
    ),
    (r"^where (?:is|are) (.+) (?:located|situated)$", r"where is \1"),
    (r"^what is ", "what "),
    (r"^what are ", "what "),
]
_COMPILED_POLITE = [(re.compile(pattern), new) for pattern, new in _POLITE]
_COMPILED = [(re.compile(pattern), new) for pattern, new in _RULES]
_PASSIVE = re.compile(r"^how (?:can|could|should) (.+?) be (\S+)(.*)$")
_BARE = re.compile(r"^(?:the )?\S+(?: \S+){0,5}$")
_SENTENCE = re.compile(
    r"\b(?:is|are|am|was|were|be|do|does|did|can|could|will|would|should|must|may|have|not|i|you|we"
    r"|what|why|how|where|when|who|whom|if|howto|difference|choice|distance|convert|translate)\b"
)

IMPERATIVES = words("""
    write give show translate convert count list name set add find use rewrite reverse summarize
    make create delete remove start stop run answer describe explain solve round draw sort print
    open close turn enable disable build generate help tell compare define calculate fix restart
    install check test change update return parse
    """)


def framed(text: str) -> str:
    """A question in the one form of all that ask the same."""
    for _ in range(3):
        for pattern, new in _COMPILED_POLITE:
            text = pattern.sub(new, text, count=1)
    passive = _PASSIVE.fullmatch(text)
    if passive and (verb := PARTICIPLES.get(passive[2], passive[2])) in VERBS:
        text = f"howto {verb} {passive[1]}{passive[3]}"
    for pattern, new in _COMPILED:
        text = pattern.sub(new, text, count=1)
    # A thing's name alone asks what it is.
    if _BARE.fullmatch(text) and not _SENTENCE.search(text):
        first = text.partition(" ")[0]
        if first not in IMPERATIVES:
            text = "what " + text
    return text
