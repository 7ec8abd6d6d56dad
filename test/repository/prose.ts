import { readdirSync } from 'node:fs';
import ts from 'typescript';
import { pathOf, read } from './repository.js';

/** A piece of prose: a comment, a title of a test, a text in the code, a document. */
export interface Prose {
  readonly file: string;
  /** The number of its first line, from 1. */
  readonly line: number;
  readonly text: string;
}

const SOURCE = /\.(?:ts|js)$/;
const HASHED = /\.(?:ya?ml|conf|acl|sh)$|(?:^|\/)(?:Dockerfile|\.env\.example)$/;
const TITLED = ['it', 'test', 'describe'];

/** A sentence begins behind an empty line, behind another sentence, in a cell of a table, in an item of a list, in a heading. */
const BEGINNING = /(?<=\n\n\s*|[.!?:;]['"`)*]*\s|[|>] |^ *(?:[-*]|\d+\.|#+) )(?:What|Whatever|Whoever|Of(?! course\b))\b[^\n]{0,60}/gm;

/** The places where a sentence begins with a word that names neither a thing nor an actor: `file:line: What is ...`. */
export function vagueBeginnings(pieces: readonly Prose[]): string[] {
  return pieces.flatMap(({ file, line, text }) =>
    [...`\n\n${text}`.matchAll(BEGINNING)].map((found) => `${file}:${line + lineOf(text, found.index - 2)}: ${found[0]}`));
}

/** The files of a folder that hold prose, those of its own folders included. */
export function filesWithProse(folder: string): string[] {
  const entries = readdirSync(pathOf(folder), { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => `${entry.parentPath.slice(pathOf('.').length + 1)}/${entry.name}`);
  return paths.filter((path) => !/(?:^|\/)(?:node_modules|dist)\//.test(path) && hasProse(path)).sort();
}

function hasProse(path: string): boolean {
  return SOURCE.test(path) || /\.(?:lua|md)$/.test(path) || HASHED.test(path);
}

export function proseOf(file: string, text = read(file)): Prose[] {
  if (SOURCE.test(file)) return ofSource(file, text);
  if (file.endsWith('.md')) return [{ file, line: 1, text: withoutCode(text) }];
  return commentLines(file, text, file.endsWith('.lua') ? '--' : '#');
}

/** Lines stay where they were, so that a place can be named. */
function withoutCode(text: string): string {
  const blank = (code: string): string => code.replace(/[^\n]/g, '');
  return text.replace(/^ *```[^]*?^ *```$/gm, blank).replace(/`[^`\n]*`/g, '`code`');
}

/** Lines of comment that follow each other are one piece. */
function commentLines(file: string, text: string, sign: string): Prose[] {
  const pieces: Prose[] = [];
  let above = -1;
  for (const [index, line] of text.split('\n').entries()) {
    if (!line.trimStart().startsWith(sign)) continue;
    const words = line.trimStart().slice(sign.length).trim();
    const last = above === index - 1 ? pieces.pop() : undefined;
    pieces.push(last ? { ...last, text: `${last.text}\n${words}` } : { file, line: index + 1, text: words });
    above = index;
  }
  return pieces;
}

function ofSource(file: string, text: string): Prose[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const pieces = new Map<number, Prose>();
  const add = (at: number, words: string): void => {
    pieces.set(at, { file, line: source.getLineAndCharacterOfPosition(at).line + 1, text: words });
  };
  const visit = (node: ts.Node): void => {
    for (const { pos, end } of commentsAround(text, node)) add(pos, wordsOfComment(text.slice(pos, end)));
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) add(node.getStart(), wordsOfText(node));
    node.getChildren(source).forEach(visit);
  };
  visit(source);
  return [...pieces.values()];
}

function commentsAround(text: string, node: ts.Node): readonly ts.CommentRange[] {
  return [...ts.getLeadingCommentRanges(text, node.pos) ?? [], ...ts.getTrailingCommentRanges(text, node.end) ?? []];
}

/** A comment without its signs, line by line. */
function wordsOfComment(comment: string): string {
  return comment.replace(/^\/\*\*?|\*\/$|^\/\//g, '').replace(/^ *\* ?/gm, '').replace(/`[^`\n]*`/g, '`code`');
}

/** A title goes on from a subject, in small letters. */
function wordsOfText(node: ts.StringLiteralLike | ts.TemplateHead): string {
  return isTitle(node) ? node.text.slice(0, 1).toUpperCase() + node.text.slice(1) : node.text;
}

/** `it('...')`, `describe.each(...)('...')` and the like. */
function isTitle(node: ts.Node): boolean {
  const holder = ts.isTemplateHead(node) ? node.parent : node;
  const call = holder.parent;
  return ts.isCallExpression(call) && call.arguments[0] === holder && TITLED.includes(call.expression.getText().split(/[^\w$]/)[0]!);
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length - 1;
}
