import { readdirSync } from 'node:fs';
import { pathOf, read } from './repository.js';

/** A fenced block of a document: the text between two lines of three back quotes. */
export interface Block {
  readonly document: string;
  /** The number of the first line of its text, from 1. */
  readonly line: number;
  /** The word behind the back quotes: `ts`, `sh`, ...; empty for nothing. */
  readonly language: string;
  /** The file name in a comment on the first line, such as `// shop.ts`; null without one. */
  readonly name: string | null;
  readonly text: string;
}

/** Paths of the Markdown files that users read. Decision records and the change log speak of what was, and show no examples. */
export function documents(): string[] {
  const pages = readdirSync(pathOf('docs'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  return ['README.md', 'CONTRIBUTING.md', ...pages.map((page) => `docs/${page}`).sort()].filter((path) => !path.startsWith('docs/adr/'));
}

const FENCED = /^```([^\n]*)\n(.*?)^```$/gms;
const NAME = /^(?:\/\/|#|--) ([\w.-]+)\n/;

export function blocksOf(document: string): Block[] {
  const whole = read(document);
  return [...whole.matchAll(FENCED)].map(({ index, 1: language = '', 2: text = '' }) => ({
    document,
    line: whole.slice(0, index).split('\n').length + 1,
    language,
    name: NAME.exec(text)?.[1] ?? null,
    text,
  }));
}

export function allBlocks(): Block[] {
  return documents().flatMap(blocksOf);
}

/** The TypeScript of a document, by the name of the file. */
export function examplesOf(document: string): Map<string, string> {
  const named = blocksOf(document).filter(({ language, name }) => language === 'ts' && name !== null);
  return new Map(named.map(({ name, text }) => [name!, text]));
}
