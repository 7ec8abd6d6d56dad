import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Clock } from './clock.js';
import { delayOf, VirtualTimer } from './virtual-timer.js';

type Callback = (...args: unknown[]) => void;
type Builtins = Record<string, unknown>;

const require = createRequire(import.meta.url);

/** Puts functions that go by the virtual time in the place of those of Node, wherever code gets them from. */
export function replaceBuiltins(time: Clock): void {
  const timers = timersOf(time);
  Object.assign(globalThis, timers);
  Object.assign(require('node:timers') as Builtins, timers);
  Object.assign(require('node:timers/promises') as Builtins, promisesOf(time));
  Object.assign(require('node:crypto') as Builtins, randomOf(time));
  replaceIdentity();
  syncBuiltinESMExports();
  replaceClocks(time);
  Math.random = () => time.random();
}

/** Names that are made of these are the same on every machine. */
function replaceIdentity(): void {
  (require('node:os') as Builtins)['hostname'] = () => 'simulated';
  Object.defineProperty(process, 'pid', { value: 1 });
}

function timersOf(time: Clock): Builtins {
  const bound = (callback: Callback, args: unknown[]): Callback => (args.length === 0 ? callback : () => callback(...args));
  const timer = (repeats: boolean) => (callback: Callback, ms?: unknown, ...args: unknown[]) =>
    new VirtualTimer(time, bound(callback, args), { ms: delayOf(ms), repeats });
  const setImmediate = (callback: Callback, ...args: unknown[]): VirtualTimer => {
    return new VirtualTimer(time, bound(callback, args), { ms: 0, repeats: false });
  };
  const clear = (given: unknown): void => {
    if (given instanceof VirtualTimer) given.close();
  };
  return {
    setTimeout: timer(false), setInterval: timer(true), setImmediate,
    clearTimeout: clear, clearInterval: clear, clearImmediate: clear,
  };
}

interface PromiseOptions {
  readonly signal?: AbortSignal;
}

function promisesOf(time: Clock): Builtins {
  const wait = (ms: number, value: unknown, { signal }: PromiseOptions = {}): Promise<unknown> => {
    if (signal?.aborted) return Promise.reject(abortError(signal));
    return new Promise((resolve, reject) => {
      const due = (): void => {
        signal?.removeEventListener('abort', aborted);
        resolve(value);
      };
      const timer = new VirtualTimer(time, due, { ms, repeats: false });
      const aborted = (): void => {
        timer.close();
        reject(abortError(signal!));
      };
      signal?.addEventListener('abort', aborted, { once: true });
    });
  };
  return {
    setTimeout: (ms?: unknown, value?: unknown, options?: PromiseOptions) => wait(delayOf(ms), value, options),
    setImmediate: (value?: unknown, options?: PromiseOptions) => wait(0, value, options),
    setInterval: () => {
      throw new Error('VirtualTime has no setInterval of node:timers/promises.');
    },
  };
}

function abortError({ reason }: AbortSignal): Error {
  return Object.assign(new Error('The operation was aborted', { cause: reason }), { name: 'AbortError', code: 'ABORT_ERR' });
}

function randomOf(time: Clock): Builtins {
  const bytes = (size: number): Buffer => Buffer.from(Array.from({ length: size }, () => Math.floor(time.random() * 256)));
  return {
    randomBytes: bytes,
    randomUUID: () => {
      const hex = bytes(16).toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
  };
}

function replaceClocks(time: Clock): void {
  Object.defineProperty(performance, 'now', { value: () => time.nowMs, configurable: true, writable: true });
  const wallMs = (): number => time.wallMs();
  Date.now = wallMs;
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [wallMs()] : args, newTarget) as object,
    apply: () => new Date(wallMs()).toString(),
  });
}
