"""Words that mean the same in the questions that people ask a chat, and words that mean nothing.

A wrong entry here is a wrong answer there: what means the same only sometimes has no place in it. A
test keeps opposites out.
"""

from __future__ import annotations

import re

from tracemypods.ask.semantic.tables import replacements, words

# What stands first is what the others become. Phrases are replaced before single words.
_PHRASES = """
enable: turn on, switch on
disable: turn off, switch off
remove: get rid of, got rid of
login: log in, sign in, log on, log into, sign into
logout: log out, sign out, log off, sign off
register: sign up
shutdown: shut down
setup: set up
happen: take place, takes place, come about
contact: get in touch with, get in contact with, reach out to
deliver to: ship to
look-for: search for, look for
find-out: find out, figure out
check if: check whether, test if, test whether, see if, see whether, verify that, verify whether
check if: determine if, determine whether, check that
can not: unable to, not able to, can not, not be able to
not: fails to, fail to, refuses to, refuse to
can i: is it possible to, am i able to, am i allowed to, is it possible for me to, may i
can i: could i
must: have to, has to, need to, needs to, required to
to: in order to, so as to
what is: what's, whats
n:2fa: two factor authentication, #2 factor authentication, two-factor authentication
n:2fa: 2-factor authentication, two step verification, #2 step verification
statefulset: stateful set, stateful sets, statefulsets
configmap: config map, config maps, configmaps
daemonset: daemon set, daemon sets, daemonsets
replicaset: replica set, replica sets, replicasets
cronjob: cron job, cron jobs, cronjobs
n:wwii: second world war, world war #2, world war ii, n:ww2, world war two, wwii, #2th world war
n:wwi: first world war, #1th world war, world war #1, world war i, n:ww1, world war one, wwi
n:usa: united states of america, united states, usa, n:US, u.s., c:U.S, u.s.a
n:uk: united kingdom, uk, great britain
n:eu: european union, eu
environment-variable: environment variable, environment variables, env var, env vars
environment-variable: env variable, env variables
email: e mail, email address, e mail address, email addresses
pull-request: pull request, pull requests, merge request, merge requests
api: application programming interface
html: hypertext markup language
os: operating system, operating systems
credit-card: credit card, credit cards
dark-mode: dark mode, dark theme, night mode
for-loop: for loop, for loops
while-loop: while loop, while loops
the average of: the mean of, the arithmetic mean of
kind of: type of, sort of, types of, kinds of, sorts of
of: belonging to
not have: have no, has no, had no, lack, lacks
all: every single, each and every
regular-expression: regular expression, regex, regexp
antonym of: opposite of
u:celsius: degrees u:celsius, degree u:celsius
u:fahrenheit: degrees u:fahrenheit, degree u:fahrenheit
create an account: sign up for an account, register an account, register for an account
transfer money: move money
op:*: multiplied by
op:/: divided by
op:^: to the power of, raised to the power of
a-few: a few
a-little: a little
come-up: come up, comes up
"""
# Where a verb stands only: a list is no view.
_VERBS = """
show: display, view, see, list
delete: remove, erase
create: make
change: modify, alter
start: begin, launch
stop: halt
fix: repair, solve
buy: purchase
use: utilise, utilize, employ
enable: activate
disable: deactivate
increase: raise
decrease: reduce
find: locate, look-for
obtain: get, receive
build: construct
decompress: unzip, uncompress
compress: zip
end: finish
happen: occur
"""
_SINGLE = """
biggest: largest
big: large
fast: quick, speedy
fastest: quickest
maximum: max
minimum: min
advantage: benefit
disadvantage: drawback, downside
average: avg
film: movie
car: automobile
child: kid
photo: photograph
physician: doctor
directory: folder
repository: repo
configuration: config
application: app
database: db
kubernetes: n:k8s, k8
postgresql: postgres
javascript: js
typescript: ts
integer: int
boolean: bool
dictionary: dict
function: func
namespace: ns
information: info
phone: telephone
tap: faucet
delivery: shipping
price: cost
all: every, each
if: whether
to: into
within: inside
n:2fa: 2fa
built: constructed
color: colour
center: centre
behavior: behaviour
organize: organise
optimize: optimise
initialize: initialise
authorize: authorise
summarize: summarise
recognize: recognise
analyze: analyse
serialize: serialise
customize: customise
favorite: favourite
neighbor: neighbour
license: licence
defense: defence
gray: grey
tire: tyre
catalog: catalogue
dialog: dialogue
theater: theatre
fiber: fibre
aluminum: aluminium
canceled: cancelled
traveling: travelling
labeled: labelled
labeling: labelling
modeling: modelling
skeptic: sceptic
jewelry: jewellery
plow: plough
pajamas: pyjamas
authentication: authn
authorization: authz
parameter: param
argument: arg
administrator: admin
specification: spec
message: msg
password: passwd, pw
address: addr
versus: vs
bicycle: bike
television: tv
airplane: aeroplane
gasoline: petrol
truck: lorry
"""
_NOTHING = """
a an the is are am be do does there please really actually exactly just simply so some
currently basically
"""

DETERMINERS = frozenset({"a", "an", "the", "my", "your", "our", "some"})
NOTHING = frozenset(_NOTHING.split())

# What is inside these belongs to them: "pods in a namespace" are "pods of a namespace".
CONTAINERS = words("""
    namespace cluster node pod container deployment kubernetes git docker linux bash list array
    string dictionary table database repository branch directory file year month week country city
    world system set loop word sentence bottle house
    """)
# A quality of something: "the symbol for gold" is "the symbol of gold".
ATTRIBUTES = words("""
    symbol price formula synonym antonym limit log name word definition invoice abbreviation
    timestamp default size term capital population plural recipe
    """)


PHRASES = replacements(_PHRASES)
SYNONYMS = replacements(_SINGLE)
VERB_SYNONYMS = replacements(_VERBS)
_PHRASE = re.compile(
    r"(?<= )(?:" + "|".join(map(re.escape, sorted(PHRASES, key=len, reverse=True))) + r")(?= )"
)


def with_phrases(text: str) -> str:
    """A text of tokens with the phrases that the table knows put in their one form."""
    return _PHRASE.sub(lambda found: PHRASES[found[0]], f" {text} ").strip()


def canonical(word: str, *, is_verb: bool) -> str:
    """What stands for a word and all that mean the same."""
    if is_verb and word in VERB_SYNONYMS:
        return VERB_SYNONYMS[word]
    return SYNONYMS.get(word, word)
