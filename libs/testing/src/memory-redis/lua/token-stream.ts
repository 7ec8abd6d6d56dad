import type { Token } from './lexer.js';
import { LuaError } from './values.js';

/** The tokens of a script, one after the other. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#at]!;
  }

  get following(): Token {
    return this.#tokens[Math.min(this.#at + 1, this.#tokens.length - 1)]!;
  }

  get line(): number {
    return this.current.line;
  }

  take(): Token {
    const { current } = this;
    if (current.kind !== 'end') this.#at += 1;
    return current;
  }

  /** Whether it is this keyword or sign. */
  is(...texts: readonly string[]): boolean {
    const { kind, text } = this.current;
    return (kind === 'keyword' || kind === 'sign' || kind === 'end') && texts.includes(text);
  }

  accepts(text: string): boolean {
    const isIt = this.is(text);
    if (isIt) this.#at += 1;
    return isIt;
  }

  expect(text: string): void {
    if (!this.accepts(text)) throw this.failure(`'${text}' expected`);
  }

  name(): string {
    if (this.current.kind !== 'name') throw this.failure('<name> expected');
    return this.take().text;
  }

  failure(what: string): LuaError {
    return new LuaError(`user_script:${this.line}: ${what} near '${this.current.text}'`);
  }
}
