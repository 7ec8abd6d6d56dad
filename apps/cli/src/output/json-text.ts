import { withoutUnseen } from './unseen.js';

/** JSON, on one line unless it is indented. It is the same value in any program, and moves no terminal. */
export function jsonText(value: unknown, indent = 0): string {
  return withoutUnseen(JSON.stringify(value, null, indent), escaped);
}

/** Line breaks stand between the parts of a document, and in no text of it. */
function escaped(unseen: string): string {
  return unseen === '\n' ? unseen : unseen.replace(/[^]/g, escapedUnit);
}

function escapedUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
