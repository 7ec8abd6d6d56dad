/** The encoding of files. `latin1` is ISO-8859-1; Windows-1252 has 27 signs more, such as the euro. */
export const ENCODINGS = ['utf-8', 'latin1'] as const;
export type Encoding = (typeof ENCODINGS)[number];
