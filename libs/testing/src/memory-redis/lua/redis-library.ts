import { createHash } from 'node:crypto';
import { general } from '../numbers.js';
import { RedisError, type Reply, Status } from '../reply.js';
import { type LuaFunction, LuaTable, type LuaValue } from './table.js';
import { RaisedError, textOf } from './values.js';

/** Runs a command for a script. */
export type CallRedis = (name: string, args: string[]) => Reply;

export function tableWith(field: string, value: LuaValue): LuaTable {
  const table = new LuaTable();
  table.set(field, value);
  return table;
}

function toLua(reply: Reply): LuaValue {
  if (reply === null) return false;
  if (Array.isArray(reply)) return new LuaTable(reply.map(toLua));
  return reply instanceof Status ? tableWith('ok', reply.text) : reply;
}

function argumentText(value: LuaValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return general(value, 17);
  throw new RedisError('ERR Lua redis lib command arguments must be strings or integers');
}

function called(call: CallRedis, values: readonly LuaValue[]): LuaValue {
  if (values.length === 0) throw new RedisError('ERR Please specify at least one argument for this redis lib call');
  const [name, ...args] = values.map(argumentText);
  return toLua(call(name!, args));
}

/** Redis takes the first word of an error for its code. */
function errorReply(value: LuaValue): LuaTable {
  const text = textOf(value).replace(/^-/, '').replace(/[\r\n]+$/, '');
  return tableWith('err', text.includes(' ') ? text : `ERR ${text}`);
}

export function redisLibrary(call: CallRedis): Readonly<Record<string, LuaFunction>> {
  const attempt = (values: readonly LuaValue[], failed: (failure: LuaTable) => LuaValue): LuaValue => {
    try {
      return called(call, values);
    } catch (error) {
      if (error instanceof RedisError) return failed(tableWith('err', error.message));
      throw error;
    }
  };
  return {
    call: (...values) => attempt(values, raise),
    pcall: (...values) => attempt(values, (failure) => failure),
    error_reply: errorReply,
    status_reply: (text) => tableWith('ok', textOf(text)),
    sha1hex: (text) => createHash('sha1').update(textOf(text), 'latin1').digest('hex'),
    log: () => [],
    replicate_commands: () => true,
    set_repl: () => [],
  };
}

function raise(failure: LuaTable): never {
  throw new RaisedError(failure);
}

/** @throws RedisError the reply is an error */
export function toReply(value: LuaValue): Reply {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Math.trunc(value) + 0;
  if (value === true) return 1;
  if (!(value instanceof LuaTable)) return null;
  const [error, status] = [value.get('err'), value.get('ok')];
  if (typeof error === 'string') throw new RedisError(oneLine(error));
  if (typeof status === 'string') return new Status(oneLine(status));
  return value.values().map(toReply);
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}
