import type { ServiceName } from '../keys.js';
import type { Candidate } from './candidate.js';
import { Circuit } from './circuit.js';
import type { CircuitRule } from './client-rules.js';

/** The circuits of the instances of a service, one for each. */
export class InstanceCircuits {
  readonly #rule: CircuitRule;

  constructor(rule: CircuitRule) {
    this.#rule = rule;
  }

  /** When the instance may be called again, in Unix milliseconds; 0 when it may now. */
  closedUntilMs(candidate: Candidate): number {
    return candidate.circuits.get(this.#rule)?.closedUntilMs ?? 0;
  }

  of(candidate: Candidate, { service, version }: ServiceName): Circuit {
    const known = candidate.circuits.get(this.#rule);
    if (known) return known;
    const circuit = new Circuit({ service, version, instance: candidate.member }, this.#rule);
    candidate.circuits.set(this.#rule, circuit);
    return circuit;
  }
}
