"""Units and currencies: one token each, however they are written.

What differs by its case only (MB and Mb, 500m and 500M) keeps it.
"""

from __future__ import annotations

import re

from tracemypods.ask.semantic.numbers import number

_NAMES = """
km kilometre kilometres kilometer kilometers kms
m metre metres meter meters
cm centimetre centimetres centimeter centimeters
mm millimetre millimetres millimeter millimeters
mi mile miles
nmi nauticalmile nauticalmiles
ft foot feet
inch inches
yd yard yards
kg kilogram kilograms kilo kilos kilogramme kilogrammes kgs
g gram grams gramme grammes
mg milligram milligrams
t tonne tonnes
ton tons
lb pound pounds lbs
oz ounce ounces
stone stones
l litre litres liter liters
ml millilitre millilitres milliliter milliliters
gal gallon gallons
pint pints
quart quarts
cup cups
tbsp tablespoon tablespoons
tsp teaspoon teaspoons
ms millisecond milliseconds
s seconds sec secs
min minute minutes mins
h hour hours hrs hr
day days
week weeks
month months
year years
decade decades
century centuries
celsius centigrade
fahrenheit
kelvin kelvins
mph
km/h kph kmh
m/s
km/s
knot knots
percent %
usd dollar dollars
eur euro euros
gbp sterling
inr rupee rupees
jpy yen
bit bits
byte bytes
kilobyte kilobytes
megabyte megabytes
gigabyte gigabytes
terabyte terabytes
kibibyte kibibytes
mebibyte mebibytes
gibibyte gibibytes
volt volts
amp amps ampere amperes
watt watts
joule joules
calorie calories
acre acres
hectare hectares
"""
_UNITS = {word: line.split()[0] for line in _NAMES.strip().splitlines() for word in line.split()}

# Letters that are a unit behind a number, and something else anywhere else.
_ONLY_BEHIND_NUMBERS = {"m", "g", "t", "l", "s", "h", "mi", "min", "ms", "sec", "ton", "stone"}
_ONLY_BEHIND_NUMBERS |= {"gal", "hr", "oz", "lb", "lbs", "cup", "foot", "yard", "knot", "kilo"}
_EXACT = re.compile(r"[kKMGTP]i?[bB](?:/s|ps)?")
_SYMBOLS = {"$": "usd", "€": "eur", "£": "gbp", "₹": "inr", "¥": "jpy", "%": "percent"}
_DEGREES = {"°c": "celsius", "°f": "fahrenheit", "c": "celsius", "f": "fahrenheit"}
_GLUED = re.compile(r"([$€£₹¥]?)([\d,.]*\d)([a-zA-Z/%°€£]*)")

_ALWAYS = {word for word in _UNITS if word not in _ONLY_BEHIND_NUMBERS}


def unit(text: str, *, behind_number: bool) -> str | None:
    """The token of a unit, None for anything else."""
    if _EXACT.fullmatch(text):
        return "u:" + text
    if text == "°C" or text == "°F":
        return "u:" + _DEGREES[text.lower()]
    low = text.lower()
    if low in _ALWAYS or (behind_number and low in _UNITS):
        return "u:" + _UNITS[low]
    return "u:usd" if text == "$" else None


def with_number(text: str) -> list[str] | None:
    """The tokens of a number with a unit at it: 100kg, $5, 20%, 30°C. None for anything else."""
    glued = _GLUED.fullmatch(text)
    if glued is None:
        return None
    value = number(glued[2])
    if value is None or not (glued[1] or glued[3]):
        return None
    # 500m is half a processor in Kubernetes, and 500 metres elsewhere: it stays as it is written.
    if glued[3] and len(glued[3]) == 1 and glued[3] in "mMkKG":
        return None
    name = glued[3]
    known = _SYMBOLS.get(glued[1] or name) or _DEGREES.get(name.lower() if "°" in name else "")
    if known:
        return [value, "u:" + known]
    token = unit(name, behind_number=True)
    return [value, token] if token and not glued[1] else None
