import { compileFunction } from 'node:vm';
import { RedisError, type Reply } from '../reply.js';
import { baseLibrary, libraryTable, mathLibrary, tableLibrary } from './base-library.js';
import { decode, encode } from './cjson.js';
import { compile } from './compiler.js';
import * as operators from './operators.js';
import { type CallRedis, redisLibrary, toReply } from './redis-library.js';
import { stringLibrary } from './string-library.js';
import { type LuaFunction, type LuaResult, LuaTable, type LuaValue, NULL } from './table.js';
import { first, isTrue, list, LuaError, RaisedError, stringOf, textOf } from './values.js';

export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly call: CallRedis;
}

export type CompiledScript = (call: ScriptCall) => Reply;

/** The line of the script that runs. */
interface Position {
  line: number;
}

type Chunk = (keys: LuaTable, args: LuaTable) => LuaResult;

/** Operators and results, by the names that compiled scripts call them by. */
const runtime = { ...operators, first, isTrue, list };

/**
 * Makes a function of a script: its Lua becomes JavaScript once, so that a call costs about as much as it does inside Redis. Keep
 * it for all of a process: what V8 has learnt about it then serves every Redis that is made.
 *
 * @throws RedisError the script cannot be compiled
 */
export function compileScript(source: string, sha: string): CompiledScript {
  const at: Position = { line: 0 };
  const redis: { call: CallRedis | null } = { call: null };
  const chunk = chunkOf(source, at, (name, args) => redis.call!(name, args));
  return ({ keys, args, call }) => {
    redis.call = call;
    return toReply(run(() => first(chunk(new LuaTable([...keys]), new LuaTable([...args]))), { at, sha }));
  };
}

function chunkOf(source: string, at: Position, call: CallRedis): Chunk {
  const globals = globalsOf(at, call);
  try {
    const { body, globals: used } = compile(source, (name) => globals.get(name) !== undefined);
    const names = Object.keys(runtime).join(', ');
    const own = [...used].map(([name, path]) => `const ${name} = lookUp(${JSON.stringify(path)});`).join('\n');
    const text = `'use strict';\nconst { ${names} } = runtime;\n${own}\nreturn (KEYS, ARGV) => {\n${body}\nreturn [];\n};`;
    const make = compileFunction(text, ['runtime', 'at', 'lookUp']) as (...parts: unknown[]) => Chunk;
    return make(runtime, at, (path: string) => lookUp(globals, path));
  } catch (error) {
    if (!(error instanceof LuaError)) throw error;
    throw new RedisError(`ERR Error compiling script (new function): ${error.message}`);
  }
}

function lookUp(globals: LuaTable, path: string): LuaValue {
  const [name, field] = path.split('.');
  const value = globals.get(name);
  return value instanceof LuaTable && field !== undefined ? value.get(field) : value;
}

function globalsOf(at: Position, call: CallRedis): LuaTable {
  const raise: LuaFunction = (value, level = 1) => {
    throw new RaisedError(typeof value === 'string' && level !== 0 ? positioned(value, at) : value);
  };
  const attempt: LuaFunction = (work, ...args) => {
    // No line of the script has raised it then.
    if (work === raise) return [false, textIn(args[0])];
    try {
      return [true, ...list((work as LuaFunction)(...args))];
    } catch (error) {
      return [false, textIn(caught(error, at))];
    }
  };
  const assert: LuaFunction = (...values) => {
    if (!isTrue(values[0])) throw new LuaError(values.length > 1 ? stringOf(values[1], "#2 to 'assert'") : 'assertion failed!');
    return values;
  };
  const json = { decode: guarded((text) => decode(stringOf(text, "#1 to 'decode'"))), encode: guarded((value) => encode(value)) };
  return libraryTable({ ...baseLibrary, error: raise, pcall: attempt, assert }, [
    ['string', libraryTable(stringLibrary)],
    ['table', libraryTable(tableLibrary, [['unpack', baseLibrary['unpack']]])],
    ['math', libraryTable(mathLibrary, [['huge', Number.POSITIVE_INFINITY], ['pi', Math.PI]])],
    ['cjson', libraryTable(json, [['null', NULL]])],
    ['redis', libraryTable(redisLibrary(call))],
  ]);
}

/** Redis has a `pcall` of its own: of an error that is a table with a text it gives the text. */
function textIn(value: LuaValue): LuaValue {
  const text = value instanceof LuaTable ? value.get('err') : undefined;
  return typeof text === 'string' ? text : value;
}

function guarded(work: (value: LuaValue) => LuaValue): LuaFunction {
  return (value) => work(value);
}

function positioned(text: string, { line }: Position): string {
  return `user_script:${line}: ${text}`;
}

/** The value of an error that a script can catch. All others are faults of this code, and end the call. */
function caught(error: unknown, at: Position): LuaValue {
  if (error instanceof RaisedError) return error.value;
  if (error instanceof LuaError) return positioned(error.message, at);
  // The code of a script may be of another realm, whose errors are of other classes.
  const { name, message } = error as Error;
  if (name === 'TypeError' && message.endsWith('is not a function')) return positioned('attempt to call a nil value', at);
  if (name === 'RangeError' && message.startsWith('Maximum call stack')) return positioned('stack overflow', at);
  throw error;
}

/** Redis adds to an error that no script has caught where it was raised. */
function run(work: () => LuaValue, { at, sha }: { at: Position; sha: string }): LuaValue {
  try {
    return work();
  } catch (error) {
    const value = caught(error, at);
    const text = value instanceof LuaTable ? textOf(value.get('err')) : `ERR ${textOf(value)}`;
    throw new RedisError(`${text} script: ${sha}, on @user_script:${at.line}.`);
  }
}
