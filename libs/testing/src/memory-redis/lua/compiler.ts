import { conditionOf, elementsOf, type Expression, type Target, valueOf } from './expression.js';
import { Expressions } from './expressions.js';
import { tokensOf } from './lexer.js';
import { Scope } from './scope.js';
import { TokenStream } from './token-stream.js';

const BLOCK_ENDS = ['end', 'else', 'elseif', 'until', '<eof>'];

/** A script as JavaScript. */
export interface Compiled {
  /** Body of a function of `KEYS` and `ARGV`. */
  readonly body: string;
  /** Values of libraries that it uses, by their names of JavaScript. */
  readonly globals: ReadonlyMap<string, string>;
}

/**
 * @param isGlobal whether there is a global value of a name
 * @throws LuaError
 */
export function compile(source: string, isGlobal: (name: string) => boolean): Compiled {
  return new Compiler(source, isGlobal).chunk();
}

/** Compiles statements. */
class Compiler {
  readonly #tokens: TokenStream;
  readonly #scope = new Scope();
  readonly #expressions: Expressions;

  constructor(source: string, isGlobal: (name: string) => boolean) {
    this.#tokens = new TokenStream(tokensOf(source));
    const functionBody = (parameters: readonly string[]): string => this.#function(parameters);
    this.#expressions = new Expressions({ tokens: this.#tokens, scope: this.#scope, functionBody, isGlobal });
  }

  chunk(): Compiled {
    const body = this.#scope.function(false, () => this.#block());
    if (!this.#tokens.is('<eof>')) throw this.#tokens.failure("'<eof>' expected");
    return { body, globals: this.#scope.globals };
  }

  #function(parameters: readonly string[]): string {
    let names: string[] = [];
    const body = this.#scope.function(parameters.includes('...'), () => {
      names = parameters.map((name) => (name === '...' ? '...rest$' : this.#scope.declare(name)));
      return this.#block();
    });
    this.#tokens.expect('end');
    return `((${names.join(', ')}) => {\n${body}\nreturn [];\n})`;
  }

  #block(): string {
    return this.#scope.block(() => {
      const statements: string[] = [];
      while (!this.#tokens.is(...BLOCK_ENDS)) {
        statements.push(`at.line = ${this.#tokens.line};`, this.#statement());
        this.#tokens.accepts(';');
      }
      return statements.join('\n');
    });
  }

  #statement(): string {
    const { kind, text } = this.#tokens.current;
    if (kind !== 'keyword') return this.#assignmentOrCall();
    this.#tokens.take();
    switch (text) {
      case 'local':
        return this.#tokens.accepts('function') ? this.#localFunction() : this.#local();
      case 'if':
        return this.#if();
      case 'for':
        return this.#tokens.following.text === '=' ? this.#countingLoop() : this.#loopOverAll();
      case 'while':
        return this.#while();
      case 'repeat':
        return this.#repeat();
      case 'do':
        return this.#body('');
      case 'break':
        return 'break;';
      case 'return':
        return this.#return();
      default:
        throw this.#tokens.failure('unexpected symbol');
    }
  }

  /** A block up to its end, in braces. */
  #body(head: string): string {
    const block = this.#block();
    this.#tokens.expect('end');
    return `{\n${head}${block}\n}`;
  }

  #localFunction(): string {
    const name = this.#scope.declare(this.#tokens.name());
    return `let ${name}; ${name} = ${this.#expressions.function()};`;
  }

  /** The values are computed before the names are known. */
  #local(): string {
    const names = [this.#tokens.name()];
    while (this.#tokens.accepts(',')) names.push(this.#tokens.name());
    const values = this.#tokens.accepts('=') ? this.#expressions.list() : [];
    const computed = values.length === names.length ? values.map(valueOf) : this.#spread(values, names.length);
    const head = typeof computed === 'string' ? `const ${computed};\n` : '';
    const given = typeof computed === 'string' ? names.map((_, index) => `${computed.split(' ')[0]}[${index}]`) : computed;
    const owns = names.map((name) => this.#scope.declare(name));
    return `${head}let ${owns.map((own, index) => `${own} = ${given[index] ?? 'undefined'}`).join(', ')};`;
  }

  /** The declaration of a list of all values, or the values themselves where no call gives several. */
  #spread(values: readonly Expression[], wanted: number): string | string[] {
    if (values.length === 0) return [];
    const isOpen = values.length < wanted && values[values.length - 1]!.kind === 'many';
    if (!isOpen && values.length < wanted) return values.map(valueOf);
    return `${this.#scope.fresh('values')} = [${elementsOf(values)}]`;
  }

  #if(): string {
    const condition = conditionOf(this.#expressions.one());
    this.#tokens.expect('then');
    const then = this.#block();
    const head = `if (${condition}) {\n${then}\n}`;
    if (this.#tokens.accepts('elseif')) return `${head} else {\n${this.#if()}\n}`;
    if (this.#tokens.accepts('else')) return `${head} else ${this.#body('')}`;
    this.#tokens.expect('end');
    return head;
  }

  #countingLoop(): string {
    const name = this.#tokens.name();
    this.#tokens.expect('=');
    const [from, to, by] = this.#expressions.list();
    if (!from || !to) throw this.#tokens.failure("',' expected");
    this.#tokens.expect('do');
    const [index, limit, step] = [this.#scope.fresh('index'), this.#scope.fresh('limit'), this.#scope.fresh('step')];
    const begin = `let ${index} = bound(${valueOf(from)}, 'initial value'), ${limit} = bound(${valueOf(to)}, 'limit')`;
    const stepped = `${step} = ${by ? `bound(${valueOf(by)}, 'step')` : '1'}`;
    const body = this.#scope.block(() => this.#body(`let ${this.#scope.declare(name)} = ${index};\n`));
    const goesOn = by ? `${step} > 0 ? ${index} <= ${limit} : ${index} >= ${limit}` : `${index} <= ${limit}`;
    return `for (${begin}, ${stepped}; ${goesOn}; ${index} += ${step}) ${body}`;
  }

  #loopOverAll(): string {
    const names = [this.#tokens.name()];
    while (this.#tokens.accepts(',')) names.push(this.#tokens.name());
    this.#tokens.expect('in');
    const values = this.#expressions.list();
    this.#tokens.expect('do');
    const [next, state, control] = [this.#scope.fresh('next'), this.#scope.fresh('state'), this.#scope.fresh('control')];
    const row = this.#scope.fresh('row');
    const body = this.#scope.block(() => {
      const owns = names.map((name) => this.#scope.declare(name));
      const taken = `const ${row} = list(${next}(${state}, ${control}));\nif ((${control} = ${row}[0]) === undefined) break;\n`;
      return this.#body(`${taken}let ${owns.map((own, index) => `${own} = ${row}[${index}]`).join(', ')};\n`);
    });
    return `for (let [${next}, ${state}, ${control}] = [${elementsOf(values)}];;) ${body}`;
  }

  #while(): string {
    const condition = conditionOf(this.#expressions.one());
    this.#tokens.expect('do');
    return `while (${condition}) ${this.#body('')}`;
  }

  /** The condition sees the names of the block. */
  #repeat(): string {
    return this.#scope.block(() => {
      const statements: string[] = [];
      while (!this.#tokens.is(...BLOCK_ENDS)) statements.push(this.#statement());
      this.#tokens.expect('until');
      return `for (;;) {\n${statements.join('\n')}\nif (${conditionOf(this.#expressions.one())}) break;\n}`;
    });
  }

  #return(): string {
    const values = this.#tokens.is(...BLOCK_ENDS, ';') ? [] : this.#expressions.list();
    this.#tokens.accepts(';');
    if (!this.#tokens.is(...BLOCK_ENDS)) throw this.#tokens.failure("'end' expected");
    return values.length === 1 ? `return ${values[0]!.js};` : `return [${elementsOf(values)}];`;
  }

  #assignmentOrCall(): string {
    const first = this.#expressions.suffixed();
    if (!this.#tokens.is('=', ',')) {
      if (first.kind !== 'many') throw this.#tokens.failure("'=' expected");
      return `${first.js};`;
    }
    const targets = [this.#target(first)];
    while (this.#tokens.accepts(',')) targets.push(this.#target(this.#expressions.suffixed()));
    this.#tokens.expect('=');
    const values = this.#expressions.list();
    const isSingle = targets.length === 1 && values.length === 1;
    return isSingle ? assigned(targets[0]!, valueOf(values[0]!)) : this.#assignAll(targets, values);
  }

  #target({ target }: Expression): Target {
    if (!target) throw this.#tokens.failure('globals cannot be set; unexpected symbol');
    return target;
  }

  /** All parts are computed before anything is assigned. */
  #assignAll(targets: readonly Target[], values: readonly Expression[]): string {
    const head: string[] = [];
    const keep = (js: string): string => {
      const own = this.#scope.fresh('kept');
      head.push(`const ${own} = ${js};`);
      return own;
    };
    const places = targets.map((target) => {
      return target.kind === 'name' ? [target.js] : [keep(valueOf(target.table)), keep(valueOf(target.key))];
    });
    const all = keep(`[${elementsOf(values)}]`);
    const writes = places.map(([table, key], index) => {
      return key === undefined ? `${table} = ${all}[${index}];` : `set(${table}, ${key}, ${all}[${index}]);`;
    });
    return [...head, ...writes].join(' ');
  }
}

function assigned(target: Target, value: string): string {
  return target.kind === 'name' ? `${target.js} = ${value};` : `set(${valueOf(target.table)}, ${valueOf(target.key)}, ${value});`;
}
