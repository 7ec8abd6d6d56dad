import ts from 'typescript';

/** Code that reports the parts of itself that run. */
export interface WatchedCode {
  readonly code: string;
  /** All of its reports: its end, and each of its functions, as `shop.ts:12 place(order: OrderPlaced) {`. */
  readonly places: readonly string[];
}

interface Insertion {
  readonly at: number;
  readonly text: string;
}

/**
 * Makes the code append a line to a file when it has run to its end, and whenever one of its functions is called. Its lines keep
 * their numbers.
 *
 * @param file the name of the example
 * @param log the path of the file
 */
export function watched(file: string, code: string, log: string): WatchedCode {
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true);
  const end = `${file} to its end`;
  const functions = bodiesOf(source).map((body) => ({ body, place: placeOf(source, body) }));
  const insertions = functions.flatMap(({ body, place }) => insertionsOf(body, place));
  return { code: `${withInsertions(code, insertions)}\n${teller(log)}\n${telling(end)};\n`, places: [end, ...functions.map(({ place }) => place)] };
}

function bodiesOf(source: ts.SourceFile): ts.ConciseBody[] {
  const bodies: ts.ConciseBody[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) bodies.push(node.body);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return bodies;
}

/** Without the decorators, which may be long. */
function placeOf(source: ts.SourceFile, body: ts.ConciseBody): string {
  const { name } = body.parent as ts.FunctionLikeDeclaration;
  const start = (name ?? body.parent).getStart(source);
  const { line } = source.getLineAndCharacterOfPosition(start);
  const text = source.text.slice(start, body.getStart(source)).replace(/\s+/g, ' ').trim();
  return `${source.fileName}:${line + 1} ${text}`;
}

function insertionsOf(body: ts.ConciseBody, place: string): Insertion[] {
  if (ts.isBlock(body)) return [{ at: body.getStart() + 1, text: ` ${telling(place)};` }];
  return [{ at: body.getStart(), text: `(${telling(place)}, ` }, { at: body.getEnd(), text: ')' }];
}

function withInsertions(code: string, insertions: readonly Insertion[]): string {
  const backwards = [...insertions].sort((a, b) => b.at - a.at);
  return backwards.reduce((text, { at, text: inserted }) => text.slice(0, at) + inserted + text.slice(at), code);
}

function telling(place: string): string {
  return `tellTest(${JSON.stringify(place)})`;
}

function teller(log: string): string {
  const append = `appendForTest(${JSON.stringify(log)}, place + '\\n')`;
  return `import { appendFileSync as appendForTest } from 'node:fs';\nfunction tellTest(place: string): void { ${append}; }`;
}
