import { read } from './repository.js';

const PROOF = /`(?<file>[^`]+\.spec\.ts) › (?<title>[^`]+)`/g;

/** A test that a document names. */
export interface Proof {
  readonly file: string;
  readonly title: string;
}

export function proofsOf(text: string): Proof[] {
  return [...text.matchAll(PROOF)].map(({ groups }) => ({ file: groups?.['file'] ?? '', title: groups?.['title'] ?? '' }));
}

export function holdsTest({ file, title }: Proof): boolean {
  const source = read(file);
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`));
}
