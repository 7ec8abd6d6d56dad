import type { Instance } from '../registry/instance.js';
import type { Circuit } from './circuit.js';
import type { CircuitRule } from './client-rules.js';
import { hashOf } from './hash.js';

/** An instance that a call may go to, with what this process knows of it. */
export class Candidate {
  readonly member: string;
  readonly hash: number;
  weight: number;
  tags: readonly string[];
  /** Calls of this process that it has. */
  inFlight = 0;
  readonly circuits = new Map<CircuitRule, Circuit>();

  constructor({ member, weight, tags }: Instance) {
    this.member = member;
    this.hash = hashOf(member);
    this.weight = weight;
    this.tags = tags;
  }

  /** Whether it is still as it was chosen by. */
  isLike({ member, weight, tags }: Instance): boolean {
    const hasTags = tags.length === this.tags.length && tags.every((tag, index) => tag === this.tags[index]);
    return member === this.member && weight === this.weight && hasTags;
  }

  /** Its calls, as weighed against those of others. */
  get load(): number {
    return this.inFlight / this.weight;
  }
}
