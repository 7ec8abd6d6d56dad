import { LuaError } from './values.js';

export interface Token {
  readonly kind: 'name' | 'keyword' | 'number' | 'string' | 'sign' | 'end';
  readonly text: string;
  readonly line: number;
}

const KEYWORDS = new Set(
  'and break do else elseif end false for function if in local nil not or repeat return then true until while'.split(' '),
);
const TOKEN = new RegExp(
  [
    /(?<space>[ \t\r\n]+|--(?!\[=*\[)[^\n]*|--\[(?<commented>=*)\[[\s\S]*?\]\k<commented>\])/,
    /(?<name>[A-Za-z_]\w*)/,
    /(?<number>0[xX][\da-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/,
    /(?<quoted>"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*')/,
    /\[(?<long>=*)\[\n?(?<body>[\s\S]*?)\]\k<long>\]/,
    /(?<sign>\.\.\.|\.\.|[=~<>]=|[-+*/%^#<>=(){}[\];:,.])/,
  ].map(({ source }) => source).join('|'),
  'y',
);
const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** The tokens of a script; a first line of flags is not one of them. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  TOKEN.lastIndex = source.startsWith('#!') ? Math.max(0, source.indexOf('\n')) : 0;
  for (;;) {
    const at = TOKEN.lastIndex;
    if (at >= source.length) break;
    const found = TOKEN.exec(source);
    if (!found) throw new LuaError(`user_script:${line}: unexpected symbol near '${source[at]}'`);
    const token = tokenOf(found.groups!, line);
    if (token) tokens.push(token);
    line += found[0].split('\n').length - 1;
  }
  tokens.push({ kind: 'end', text: '<eof>', line });
  return tokens;
}

function tokenOf({ name, number, quoted, body, sign }: Readonly<Record<string, string | undefined>>, line: number): Token | null {
  if (name !== undefined) return { kind: KEYWORDS.has(name) ? 'keyword' : 'name', text: name, line };
  if (number !== undefined) return { kind: 'number', text: number, line };
  if (quoted !== undefined) return { kind: 'string', text: unescaped(quoted.slice(1, -1)), line };
  if (body !== undefined) return { kind: 'string', text: body, line };
  return sign === undefined ? null : { kind: 'sign', text: sign, line };
}

function unescaped(text: string): string {
  return text.replace(/\\(\d{1,3}|[\s\S])/g, (_, code: string) => {
    return /\d/.test(code) ? String.fromCharCode(Number(code)) : (ESCAPES[code] ?? code);
  });
}
