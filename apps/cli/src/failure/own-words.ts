/** Advice of the libraries, which speak to applications, and the same for whoever types commands. */
const WORDS: readonly (readonly [advice: RegExp, own: string])[] = [
  [/\bSee the list of queues\./, 'See millrace jobs ls.'],
  [/\bor the option redis\b/, 'or --redis'],
];

/** A message of a library with the ways of the command line in the place of those of an application. */
export function inOwnWords(message: string): string {
  return WORDS.reduce((text, [advice, own]) => text.replace(advice, own), message);
}
