import { describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import ts from 'typescript';
import { ERROR_CODES } from '@millrace/core';
import { has, pathOf, read } from './repository.js';

/** `===` and `!==`: a compared code is not thrown. */
const COMPARISONS = new Set([ts.SyntaxKind.EqualsEqualsEqualsToken, ts.SyntaxKind.ExclamationEqualsEqualsToken]);
const LISTS = ['ERROR_CODES', 'DEAD_LETTER_REASONS'];

/** The files of code of all libraries and applications. */
function sources(): string[] {
  const parts = ['libs', 'apps'].flatMap((folder) => readdirSync(pathOf(folder)).map((name) => `${folder}/${name}/src`)).filter(has);
  const files = parts.flatMap((part) => readdirSync(pathOf(part), { recursive: true, encoding: 'utf8' }).map((name) => `${part}/${name}`));
  return files.filter((path) => path.endsWith('.ts'));
}

/** Types, comparisons and the lists themselves only speak of codes. */
function speaksOnly(node: ts.Node): boolean {
  if (ts.isTypeNode(node)) return true;
  if (ts.isBinaryExpression(node)) return COMPARISONS.has(node.operatorToken.kind);
  return ts.isVariableDeclaration(node) && LISTS.includes(node.name.getText());
}

/** The texts that a file does something with. */
function textsOf(path: string): string[] {
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    if (speaksOnly(node)) return;
    if (ts.isStringLiteral(node) && !ts.isCaseClause(node.parent)) texts.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true));
  return texts;
}

describe('the codes of errors', () => {
  it('are each thrown somewhere', () => {
    const used = new Set(sources().flatMap(textsOf));
    expect(ERROR_CODES.filter((code) => !used.has(code))).toEqual([]);
  });
});
