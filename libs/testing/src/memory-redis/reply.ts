/** A reply as the commands make it: bytes are characters up to 255, and a status is not the text that it shows. */
export type Reply = string | number | null | Status | Reply[];

/** A reply like OK: scripts get it as a table, everyone else as text. */
export class Status {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const OK = new Status('OK');

/** An error that Redis replies: the message is the text that it sends. */
export class RedisError extends Error {
  override readonly name = 'ReplyError';
}

export function wrongType(): RedisError {
  return new RedisError('WRONGTYPE Operation against a key holding the wrong kind of value');
}

export function syntaxError(): RedisError {
  return new RedisError('ERR syntax error');
}

export function noSuchKey(): RedisError {
  return new RedisError('ERR no such key');
}

export function wrongArity(command: string): RedisError {
  return new RedisError(`ERR wrong number of arguments for '${command.toLowerCase()}' command`);
}

/** A part of a command that Redis has and this one does not: an answer would be wrong. */
export function unsupported(what: string): Error {
  return new Error(`MemoryRedis does not know ${what}.`);
}
