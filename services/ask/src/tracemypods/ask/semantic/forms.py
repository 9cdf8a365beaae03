"""Forms of words: plurals become singulars, and forms of known verbs the verb."""

from __future__ import annotations

from tracemypods.ask.semantic.tables import words

VERBS = words("""
    accept access activate add allow answer apply ask attach authenticate automate backup bake boil
    book boot build buy calculate call cancel change charge check choose chown clean clear click
    clone close collect combine comment commit compare compile complete compress configure connect
    contact contain convert cook copy cordon count crash create cut deactivate debug declare decline
    decode decompress decrease decrypt define delete deliver deploy describe design detach detect
    disable discover display divide download drain draw drop earn edit enable encode encrypt evict
    exclude execute exit expand expire explain export expose extend extract fetch filter find fix
    forget format forward freeze generate get give grow happen heat host identify import improve
    include increase initialise insert inspect install invent iterate join keep kill label launch
    learn leave limit link list load lock log login logout look lose lower make manage measure merge
    migrate modify monitor mount move name need open optimise order overwrite own pack paint parse
    paste patch pause pay perform plan plant play point poach prepare prevent print process program
    protect provision pull push put query raise reach read reboot rebase receive recover redirect
    reduce refund register reject release reload remove rename repair repeat replace request reset
    resize restart restore resume retrieve retry return reuse reverse revert revoke rewrite roll
    round route run save scale scan schedule search secure see select sell send separate serve set
    setup share ship show sign sleep slice solve sort speak speed spell split stage start stop store
    subscribe subtract switch sync taint terminate test thaw tie track train transfer translate trim
    troubleshoot turn type understand undo uninstall unlock unmount unstage unsubscribe unzip
    update upgrade upload use validate verify view visit wait wash watch water weigh work wrap write
    zip construct locate purchase utilise employ begin swim cost obtain concatenate sum walk drive
    teach
    """)
_IRREGULAR = {
    "begun": "begin",
    "built": "build",
    "drawn": "draw",
    "found": "find",
    "frozen": "freeze",
    "given": "give",
    "got": "get",
    "gotten": "get",
    "kept": "keep",
    "lost": "lose",
    "made": "make",
    "paid": "pay",
    "run": "run",
    "seen": "see",
    "sent": "send",
    "shown": "show",
    "spoken": "speak",
    "split": "split",
    "told": "tell",
    "undone": "undo",
    "used": "use",
    "written": "write",
}
_VOWELS = "aeiou"

PLURALS = {
    "children": "child",
    "men": "man",
    "women": "woman",
    "mice": "mouse",
    "teeth": "tooth",
    "geese": "goose",
    "bacteria": "bacterium",
    "viruses": "virus",
    "indices": "index",
    "vertices": "vertex",
    "wolves": "wolf",
    "knives": "knife",
    "does": "do",
    "goes": "go",
    "has": "have",
    "statuses": "status",
    "buses": "bus",
    "caches": "cache",
    "axes": "axes",
    "databases": "database",
    "releases": "release",
    "cases": "case",
    "uses": "use",
    "aliases": "alias",
    "movies": "movie",
    "cookies": "cookie",
    "ties": "tie",
}
# What ends in s and is no plural, or means something else without it.
_KEEP = words("""
    kubernetes redis postgres aws dns https tls news windows always perhaps less this was its us as
    is plus minus times glasses customs goods arms species series pandas macos ios alias canvas bus
    gas lens yes thus various previous keras jenkins travis ansible atlas texas paris athens wales
    mars venus jesus moses james charles netherlands philippines honduras cyprus laos christmas
    chess pass jeans pants scissors means politics savings earnings headquarters sls afs gps sms css
    rss oss sas nas ass toss afterwards towards besides needs numbers notes pages maps photos docs
    sheets slides drives forces leaves lives looks spirits manners remains odds ends thanks whereas
    """)


def _inflections(verb: str) -> tuple[list[str], list[str]]:
    """The -ing forms and the -ed forms of a verb, among them some that nobody writes."""
    stem = verb.removesuffix("e")
    doubled = [verb + verb[-1]] if verb[-1] not in _VOWELS + "wxy" else []
    stems = [stem, *doubled]
    past = [one + "ed" for one in stems]
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        past.append(verb[:-1] + "ied")
    if verb.endswith("ie"):
        stems.append(verb[:-2] + "y")
    return [one + "ing" for one in stems], past


GERUNDS = {form: verb for verb in sorted(VERBS) for form in _inflections(verb)[0]}
PARTICIPLES = {form: verb for verb in sorted(VERBS) for form in _inflections(verb)[1]} | _IRREGULAR


def singular(word: str) -> str:
    """A noun's singular, or a verb without the s of its third person."""
    if word in PLURALS:
        return PLURALS[word]
    if len(word) < 4 or word in _KEEP or not word.isascii():
        return word
    if not word.endswith("s") or word.endswith(("ss", "us", "is", "ics", "'s")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zzes")):
        return word[:-2]
    return word[:-1]
