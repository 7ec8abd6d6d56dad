import type { ServiceName } from '../keys.js';
import { MethodCounts, type MethodFigures } from './method-counts.js';

export interface CalledMethod extends ServiceName {
  readonly method: string;
}

/** Methods that are counted apart; the names are whatever callers make up. */
const MOST_METHODS = 1_024;
const OTHER: CalledMethod = { service: 'other', version: '-', method: 'other' };

/** Counts the calls of one side of this process, by method. */
export class CallMonitor {
  readonly #side: MethodFigures['side'];
  /** By service, version and method: nothing is put together for a call. */
  readonly #counts = new Map<string, Map<string, Map<string, MethodCounts>>>();
  readonly #all: MethodCounts[] = [];
  #other: MethodCounts | null = null;

  constructor(side: MethodFigures['side']) {
    this.#side = side;
  }

  of(called: CalledMethod): MethodCounts {
    return this.#counts.get(called.service)?.get(called.version)?.get(called.method) ?? this.#newCounts(called);
  }

  read(): MethodFigures[] {
    return this.#all.map((counts) => counts.read());
  }

  #newCounts(called: CalledMethod): MethodCounts {
    if (this.#all.length > MOST_METHODS) return (this.#other ??= this.#kept(OTHER));
    const { service, version, method } = called;
    const versions = this.#counts.get(service) ?? new Map<string, Map<string, MethodCounts>>();
    const methods = versions.get(version) ?? new Map<string, MethodCounts>();
    const counts = this.#kept({ service, version, method });
    this.#counts.set(service, versions.set(version, methods.set(method, counts)));
    return counts;
  }

  #kept(called: CalledMethod): MethodCounts {
    const counts = new MethodCounts({ side: this.#side, ...called });
    this.#all.push(counts);
    return counts;
  }
}
