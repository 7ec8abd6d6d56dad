import { EMOJI, isListed } from './emoji.js';

/** Letters, signs and marks of which nothing is seen, and that Unicode does not count among those to be left out. */
const BLANKS = String.raw`\u{16FE4}\u2800\u{13441}\u{13442}\u{1D159}`;

const CLASS = String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\p{Default_Ignorable_Code_Point}${BLANKS}]`;

const UNSEEN = new RegExp(CLASS, 'gu');

const PARTS = new RegExp(`${EMOJI}|${CLASS}`, 'gu');

/**
 * A text with something else in the place of each character that steers a terminal or is not seen and no space: controls,
 * directions, joiners, tags, selectors, fillers. Those within an emoji that Unicode lists stay: it is seen as one picture.
 */
export function withoutUnseen(text: string, instead: (unseen: string) => string): string {
  return text.replace(PARTS, (part) => {
    const without = part.replace(UNSEEN, instead);
    return without !== part && isListed(part) ? part : without;
  });
}
