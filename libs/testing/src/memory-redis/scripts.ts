import { createHash } from 'node:crypto';
import type { Command, Context } from './command.js';
import { assertRoom, commandOf, fits, full } from './dispatcher.js';
import { type CompiledScript, compileScript } from './lua/script.js';
import { parseInteger } from './numbers.js';
import { OK, RedisError, type Reply, unsupported } from './reply.js';

interface Script {
  readonly sha: string;
  readonly isReadOnly: boolean;
  /** Whether its writes go on while Redis is full. */
  readonly mayGrow: boolean;
  /** Whether it is refused as a whole while Redis is full; one without a first line of flags is not. */
  readonly isChecked: boolean;
  readonly run: CompiledScript;
}

const FLAGS = ['allow-oom', 'no-writes', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'];

function flagsOf(source: string): string[] | null {
  const [, head] = /^#!(.*)\n/.exec(source) ?? [];
  if (head === undefined) return null;
  const [engine, ...parts] = head.trim().split(/\s+/);
  if (engine !== 'lua') throw new RedisError(`ERR Unexpected engine in script shebang: #!${engine}`);
  const flags = parts.flatMap((part) => {
    if (!part.startsWith('flags=')) throw new RedisError(`ERR Unknown lua shebang option: ${part}`);
    return part.slice('flags='.length).split(',').filter((flag) => flag !== '');
  });
  const strange = flags.find((flag) => !FLAGS.includes(flag));
  if (strange !== undefined) throw new RedisError(`ERR Unexpected flag in script shebang: ${strange}`);
  return flags;
}

/** By their texts, for all of a process: many simulations run the same scripts, each of which begins with none. */
const compiled = new Map<string, Script>();

function compiledOnce(source: string): Script {
  const sha = createHash('sha1').update(source, 'latin1').digest('hex');
  const flags = flagsOf(source);
  const [isReadOnly, mayGrow] = [flags?.includes('no-writes') ?? false, flags?.includes('allow-oom') ?? false];
  const isChecked = flags !== null && !mayGrow && !isReadOnly;
  return { sha, isReadOnly, mayGrow, isChecked, run: compileScript(source, sha) };
}

/** The scripts that were run or loaded, by their digests. */
export class Scripts {
  readonly #known = new Map<string, Script>();
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  eval(source: string, args: readonly string[]): Reply {
    return this.#run(this.#load(source), args);
  }

  evalByDigest(sha: string, args: readonly string[]): Reply {
    const script = this.#known.get(sha.toLowerCase());
    if (!script) throw new RedisError('NOSCRIPT No matching script. Please use EVAL.');
    return this.#run(script, args);
  }

  manage(name: string, args: readonly string[]): Reply {
    switch (name.toUpperCase()) {
      case 'LOAD':
        return this.#load(args[0] ?? '').sha;
      case 'FLUSH':
        this.#known.clear();
        return OK;
      case 'EXISTS':
        return args.map((sha) => (this.#known.has(sha.toLowerCase()) ? 1 : 0));
      default:
        throw unsupported(`SCRIPT ${name}`);
    }
  }

  #load(source: string): Script {
    const script = compiled.get(source) ?? compiledOnce(source);
    compiled.set(source, script);
    this.#known.set(script.sha, script);
    return script;
  }

  #run(script: Script, [countText = '', ...rest]: readonly string[]): Reply {
    const count = parseInteger(countText);
    if (count > rest.length) throw new RedisError("ERR Number of keys can't be greater than number of args");
    if (count < 0) throw new RedisError("ERR Number of keys can't be negative");
    if (script.isChecked && this.#context.isFull()) throw full();
    const call = (name: string, args: string[]): Reply => this.#call(script, name, args);
    return script.run({ keys: rest.slice(0, count), args: rest.slice(count), call });
  }

  #call(script: Script, name: string, args: string[]): Reply {
    const command = commandOf(name);
    if (!command) throw new RedisError('ERR Unknown Redis command called from script');
    if (!fits(command, args)) throw new RedisError('ERR Wrong number of args calling Redis command from script');
    this.#assertAllowed(script, command);
    if (!script.mayGrow) assertRoom(this.#context, { command, name, args });
    return command.run(this.#context, args);
  }

  #assertAllowed({ isReadOnly }: Script, { isWrite }: Command): void {
    if (isReadOnly && isWrite) throw new RedisError('ERR Write commands are not allowed from read-only scripts.');
  }
}
