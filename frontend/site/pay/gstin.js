import { STATES } from "./places.js";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
// State, PAN (five letters, four digits, a letter), number of the registration, Z, check character.
const FORM = /^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]$/;

/**
 * The fifteenth character of a GSTIN from its first fourteen: each one's value in base 36 is
 * weighted by 1 and 2 in turn, the quotients and remainders by 36 are summed, and the sum is made
 * up to a multiple of 36.
 *
 * @param {string} first
 */
export function checkCharacter(first) {
  let total = 0;
  [...first].forEach((character, place) => {
    const product = ALPHABET.indexOf(character) * (1 + (place % 2));
    total += Math.floor(product / 36) + (product % 36);
  });
  return ALPHABET[(36 - (total % 36)) % 36];
}

/** As people write it: with spaces, or in small letters. @param {string} text */
export function tidyGstin(text) {
  return text.replace(/[\s-]/g, "").toUpperCase();
}

/**
 * @param {string} gstin tidy
 * @param {string} state the code of the state that was chosen, if one was
 * @returns {string} what is wrong with it; empty when nothing is
 */
export function gstinProblem(gstin, state) {
  if (!FORM.test(gstin)) return "A GSTIN has 15 characters, such as 27AAPFU0939F1ZV.";
  const own = STATES[gstin.slice(0, 2)];
  if (!own) return `There is no state with the code ${gstin.slice(0, 2)}.`;
  if (checkCharacter(gstin.slice(0, 14)) !== gstin[14]) {
    return "One of its characters is mistyped: the last does not fit the others.";
  }
  if (state && gstin.slice(0, 2) !== state) {
    return `This GSTIN is of ${own}; choose that state, or give the GSTIN of yours.`;
  }
  return "";
}
