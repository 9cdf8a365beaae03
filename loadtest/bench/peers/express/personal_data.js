// Finds what must not be cached, as ask's cache/personal_data.py does: e-mail addresses, phone,
// card, PAN and Aadhaar numbers.

const EMAIL = /[\p{L}\p{N}_.+-]@[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)+/u;
const PAN = /\b[A-Z]{5}[0-9]{4}[A-Z]\b/i;
const DIGITS = /\d+(?:[ \u00a0().\-/]{1,2}\d+)*/g;

const MULTIPLY = [
  "0123456789",
  "1234067895",
  "2340178956",
  "3401289567",
  "4012395678",
  "5987604321",
  "6598710432",
  "7659821043",
  "8765932104",
  "9876543210",
];
const PERMUTE = [
  "0123456789",
  "1576283094",
  "5803796142",
  "8916043527",
  "9453126870",
  "4286573901",
  "2793806415",
  "7046913258",
];
const LONGEST = 19; // digits of a card

export function hasPersonalData(text) {
  if (EMAIL.test(text) || PAN.test(text)) return true;
  return (text.match(DIGITS) ?? []).some((run) => holdsANumber(run.match(/\d+/g)));
}

// Some groups in a row may make one, with a card's date or a list's number beside it.
function holdsANumber(groups) {
  for (let first = 0; first < groups.length; first += 1) {
    let digits = "";
    for (let last = first; last < groups.length; last += 1) {
      digits += groups[last];
      if (digits.length > LONGEST) break;
      if (isNumberOfAPerson(digits)) return true;
    }
  }
  return false;
}

function isNumberOfAPerson(digits) {
  if (digits.length >= 13 && luhn(digits)) return true;
  if (digits.length === 12 && !"01".includes(digits[0]) && verhoeff(digits)) return true;
  return digits.length >= 10 && digits.length <= 15;
}

function luhn(digits) {
  let total = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const value = Number(digits[digits.length - 1 - index]) * (index % 2 ? 2 : 1);
    total += value > 9 ? value - 9 : value;
  }
  return total % 10 === 0;
}

function verhoeff(digits) {
  let check = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    check = Number(MULTIPLY[check][Number(PERMUTE[index % 8][digit])]);
  }
  return check === 0;
}
