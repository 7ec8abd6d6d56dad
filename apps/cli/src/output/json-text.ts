/** All that is not seen or steers a terminal but the line breaks between the parts of a document. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON, on one line unless it is indented. It is the same value in any program, and moves no terminal. */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(UNSEEN, (unseen) => unseen.replace(/[^]/g, escaped));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
