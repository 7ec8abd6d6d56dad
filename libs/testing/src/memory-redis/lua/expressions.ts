import { boolean, conditionOf, elementsOf, type Expression, plain, valueOf } from './expression.js';
import type { Scope } from './scope.js';
import type { TokenStream } from './token-stream.js';

/** How strongly each operator binds its left and its right side. */
const BINDING: Readonly<Record<string, readonly [left: number, right: number]>> = {
  or: [1, 1], and: [2, 2], '<': [3, 3], '>': [3, 3], '<=': [3, 3], '>=': [3, 3], '~=': [3, 3], '==': [3, 3],
  '..': [5, 4], '+': [6, 6], '-': [6, 6], '*': [7, 7], '/': [7, 7], '%': [7, 7], '^': [10, 9],
};
const UNARY_BINDING = 8;
const ARITHMETIC: Readonly<Record<string, string>> = { '+': 'add', '-': 'sub', '*': 'mul', '/': 'div', '%': 'mod', '^': 'pow', '..': 'cat' };
const LIBRARIES = ['string', 'table', 'math', 'redis', 'cjson'];

export interface ExpressionParts {
  readonly tokens: TokenStream;
  readonly scope: Scope;
  /** Compiles parameters and body of a function. */
  readonly functionBody: (parameters: readonly string[]) => string;
  readonly isGlobal: (name: string) => boolean;
}

/** Compiles expressions. */
export class Expressions {
  readonly #tokens: TokenStream;
  readonly #scope: Scope;
  readonly #functionBody: ExpressionParts['functionBody'];
  readonly #isGlobal: ExpressionParts['isGlobal'];

  constructor({ tokens, scope, functionBody, isGlobal }: ExpressionParts) {
    this.#tokens = tokens;
    this.#scope = scope;
    this.#functionBody = functionBody;
    this.#isGlobal = isGlobal;
  }

  list(): Expression[] {
    const found = [this.one()];
    while (this.#tokens.accepts(',')) found.push(this.one());
    return found;
  }

  /** An expression of operators that bind more strongly than the limit. */
  one(limit = 0): Expression {
    let left = this.#unary();
    for (;;) {
      const { kind, text } = this.#tokens.current;
      const binding = kind === 'sign' || kind === 'keyword' ? BINDING[text] : undefined;
      if (!binding || binding[0] <= limit) return left;
      this.#tokens.take();
      left = this.#binary(text, left, this.one(binding[1]));
    }
  }

  #binary(operator: string, left: Expression, right: Expression): Expression {
    const [one, other] = [valueOf(left), valueOf(right)];
    const arithmetic = ARITHMETIC[operator];
    if (arithmetic !== undefined) return plain(`${arithmetic}(${one}, ${other})`, left, right);
    switch (operator) {
      case '==':
        return boolean(`(${one} === ${other})`, left, right);
      case '~=':
        return boolean(`(${one} !== ${other})`, left, right);
      case '<':
      case '<=':
        return boolean(`${operator === '<' ? 'lt' : 'le'}(${one}, ${other})`, left, right);
      case '>':
      case '>=':
        return this.#reversed(operator === '>' ? 'lt' : 'le', left, right);
      default:
        return this.#choice(operator, left, right);
    }
  }

  /** The left side is computed first, though it is compared second. */
  #reversed(name: string, left: Expression, right: Expression): Expression {
    const kept = this.#scope.temporary();
    return boolean(`(${kept} = ${valueOf(left)}, ${name}(${valueOf(right)}, ${kept}))`, left, right);
  }

  #choice(operator: string, left: Expression, right: Expression): Expression {
    if (left.kind === 'boolean' && right.kind === 'boolean') {
      return boolean(`(${left.js} ${operator === 'and' ? '&&' : '||'} ${right.js})`, left, right);
    }
    const kept = this.#scope.temporary();
    const test = left.kind === 'boolean' ? `(${kept} = ${left.js})` : `isTrue(${kept} = ${valueOf(left)})`;
    const [then, otherwise] = operator === 'and' ? [valueOf(right), kept] : [kept, valueOf(right)];
    return plain(`(${test} ? ${then} : ${otherwise})`, left, right);
  }

  #unary(): Expression {
    const { kind, text } = this.#tokens.current;
    if (kind === 'keyword' && text === 'not') {
      const value = this.#operand();
      return boolean(`!${conditionOf(value)}`, value);
    }
    if (kind === 'sign' && (text === '-' || text === '#')) {
      const value = this.#operand();
      return plain(`${text === '-' ? 'neg' : 'len'}(${valueOf(value)})`, value);
    }
    return this.#simple();
  }

  #operand(): Expression {
    this.#tokens.take();
    return this.one(UNARY_BINDING);
  }

  #simple(): Expression {
    const { kind, text } = this.#tokens.current;
    if (kind === 'name' || (text === '(' && kind === 'sign')) return this.suffixed();
    this.#tokens.take();
    if (kind === 'number') return plain(String(Number(text)));
    if (kind === 'string') return plain(JSON.stringify(text));
    return this.#word(text);
  }

  #word(text: string): Expression {
    switch (text) {
      case 'nil':
        return plain('undefined');
      case 'true':
      case 'false':
        return boolean(text);
      case 'function':
        return plain(this.function());
      case '{':
        return this.#table();
      case '...':
        if (!this.#scope.isVariadic) throw this.#tokens.failure("cannot use '...' outside a vararg function");
        return { js: 'rest$', kind: 'many', hasCall: false };
      default:
        throw this.#tokens.failure('unexpected symbol');
    }
  }

  /** A function behind its keyword. */
  function(): string {
    const parameters: string[] = [];
    this.#tokens.expect('(');
    while (!this.#tokens.is(')')) {
      parameters.push(this.#tokens.is('...') ? this.#tokens.take().text : this.#tokens.name());
      if (!this.#tokens.accepts(',')) break;
    }
    this.#tokens.expect(')');
    return this.#functionBody(parameters);
  }

  /** A name or a parenthesis, with the indexes and calls behind it. */
  suffixed(): Expression {
    let expression = this.#primary();
    for (;;) {
      const { kind, text } = this.#tokens.current;
      if (kind === 'string') expression = this.#call(expression, [plain(JSON.stringify(this.#tokens.take().text))]);
      else if (kind !== 'sign') return expression;
      else if (text === '.' || text === '[') expression = this.#item(expression);
      else if (text === '(') expression = this.#call(expression, null);
      else if (text === ':') throw this.#tokens.failure('methods are not known');
      else return expression;
    }
  }

  #primary(): Expression {
    if (!this.#tokens.accepts('(')) return this.#named(this.#tokens.name());
    const inner = this.one();
    this.#tokens.expect(')');
    return inner.kind === 'boolean' ? boolean(`(${inner.js})`, inner) : plain(`(${valueOf(inner)})`, inner);
  }

  #named(name: string): Expression {
    const local = this.#scope.local(name);
    if (local !== undefined) return { ...plain(local), target: { kind: 'name', js: local } };
    if (name === 'KEYS' || name === 'ARGV') return plain(name);
    if (!this.#isGlobal(name)) return plain(`missing(${JSON.stringify(name)})`);
    if (!LIBRARIES.includes(name) || !this.#tokens.is('.')) return plain(this.#scope.global(name));
    this.#tokens.take();
    return plain(this.#scope.global(`${name}.${this.#tokens.name()}`));
  }

  #item(table: Expression): Expression {
    const isDot = this.#tokens.take().text === '.';
    const key = isDot ? plain(JSON.stringify(this.#tokens.name())) : this.one();
    if (!isDot) this.#tokens.expect(']');
    return { ...plain(`get(${valueOf(table)}, ${valueOf(key)})`, table, key), target: { kind: 'item', table, key } };
  }

  /** The line of a call is noted when all arguments are computed. */
  #call(callee: Expression, given: Expression[] | null): Expression {
    const { line } = this.#tokens;
    const args = given ?? this.#arguments();
    const note = `at.line = ${line}`;
    const last = args.pop();
    if (!last || ![...args, last].some(({ hasCall }) => hasCall)) {
      const all = elementsOf(last ? [...args, last] : []);
      return { js: `(${note}, ${valueOf(callee)})(${all})`, kind: 'many', hasCall: true };
    }
    const noted = { ...last, js: `noted(${last.js}, ${note})` };
    return { js: `${valueOf(callee)}(${elementsOf([...args, noted])})`, kind: 'many', hasCall: true };
  }

  #arguments(): Expression[] {
    this.#tokens.expect('(');
    if (this.#tokens.accepts(')')) return [];
    const args = this.list();
    this.#tokens.expect(')');
    return args;
  }

  #table(): Expression {
    const [values, pairs]: [Expression[], Expression[]] = [[], []];
    while (!this.#tokens.is('}')) {
      if (this.#tokens.current.kind === 'name' && this.#tokens.following.text === '=') {
        pairs.push(plain(JSON.stringify(this.#tokens.name())), this.#valueBehind('='));
      } else if (this.#tokens.accepts('[')) {
        const key = this.one();
        this.#tokens.expect(']');
        pairs.push(key, this.#valueBehind('='));
      } else values.push(this.one());
      if (!this.#tokens.accepts(',') && !this.#tokens.accepts(';')) break;
    }
    this.#tokens.expect('}');
    return plain(`table([${elementsOf(values)}], [${pairs.map(valueOf).join(', ')}])`, ...values, ...pairs);
  }

  #valueBehind(sign: string): Expression {
    this.#tokens.expect(sign);
    return this.one();
  }
}
