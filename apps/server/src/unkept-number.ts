const NUMBER = /-?\d[\d.eE+-]*/y;
/** A longer number is not worth a closer look: a double has 17 digits. */
const LONGEST_KEPT = 40;
const LONGEST_SHOWN = 40;

/**
 * The first number in a JSON text that a double would not keep: a whole one beyond 2^53 - 1, or one with an exponent whose digits
 * would change. JSON.parse rounds those without a word. Fractions are rounded to doubles everywhere, and are not reported.
 *
 * @param json may be no JSON at all; then the answer does not matter
 */
export function unkeptNumber(json: string): string | null {
  for (let at = 0; at < json.length; at += 1) {
    const character = json.charCodeAt(at);
    if (character === QUOTE) at = endOfString(json, at);
    if (!startsNumber(character)) continue;
    const token = numberAt(json, at);
    if (isUnkept(token)) return token.slice(0, LONGEST_SHOWN);
    at += Math.max(token.length, 1) - 1;
  }
  return null;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const [ZERO, NINE] = [0x30, 0x39];

function startsNumber(character: number): boolean {
  return character === MINUS || (character >= ZERO && character <= NINE);
}

/** The place of its closing quote. */
function endOfString(json: string, start: number): number {
  for (let end = start + 1; end < json.length; end += 1) {
    const character = json.charCodeAt(end);
    if (character === QUOTE) return end;
    if (character === BACKSLASH) end += 1;
  }
  return json.length;
}

function numberAt(json: string, at: number): string {
  NUMBER.lastIndex = at;
  return NUMBER.exec(json)?.[0] ?? '';
}

function isUnkept(token: string): boolean {
  const value = Number(token);
  if (Number.isNaN(value) || Math.abs(value) <= Number.MAX_SAFE_INTEGER) return false;
  return token.length > LONGEST_KEPT || !/e/i.test(token) || significant(token) !== significant(String(value));
}

/** The digits without leading and trailing zeros; infinity has none. */
function significant(number: string): string {
  return number.replace(/e.*$/i, '').replace(/\D/g, '').replace(/^0+|0+$/g, '');
}
