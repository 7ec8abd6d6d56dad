import type { OutgoingCall } from '../call/outgoing-call.js';
import type { CallPort } from '../contract/call-port.js';
import type { ContractDefinition } from '../contract/rpc-contract.js';
import { BalancedStream } from './balanced-stream.js';
import type { Balancer } from './balancer.js';
import { breaking } from './breaking.js';
import { Choice } from './choice.js';
import type { ClientRules, FailureRule } from './client-rules.js';
import { failingOver, failingSafe } from './failing.js';
import { InstanceCircuits } from './instance-circuits.js';
import { limiting } from './limiting.js';
import { Outbound, type Policy, type Send } from './outbound.js';
import { Router } from './router.js';
import { choosing, routing } from './routing.js';

export interface BalancedCallsParts {
  readonly calls: CallPort;
  readonly balancer: Balancer;
  readonly definition: ContractDefinition;
  readonly rules: ClientRules;
}

/** Calls a service with the policies of one client. */
export class BalancedCalls implements CallPort {
  /** By method. */
  readonly #sends: ReadonlyMap<string, Send>;
  readonly #calls: CallPort;
  readonly #shared: SharedPolicies;

  constructor({ calls, balancer, definition, rules }: BalancedCallsParts) {
    const send: Send = ({ call }) => calls.call(call);
    this.#calls = calls;
    this.#shared = sharedPolicies(balancer, definition, rules);
    this.#sends = new Map([...definition.methods.keys()].map((method) => {
      return [method, around(listed(this.#shared, rules.failureOf(method)), send)];
    }));
  }

  call(call: OutgoingCall): Promise<string | null> {
    return this.#sends.get(call.method)!(new Outbound(call));
  }

  /** A stream that has failed is not begun again: only its consumer knows from where on. */
  stream(call: OutgoingCall): AsyncIterable<string> {
    const policies = listed(this.#shared, FAIL_FAST);
    return new BalancedStream({ call, around: (send) => around(policies, send), open: (sent) => this.#calls.stream(sent) });
  }
}

const FAIL_FAST: FailureRule = { mode: 'fail-fast', retries: 0, attemptTimeoutMs: null };

function around(policies: readonly Policy[], send: Send): Send {
  return policies.reduceRight((next, policy) => policy(next), send);
}

/** The policies that the methods of a client share; null for those that it does not have. */
interface SharedPolicies {
  readonly limiting: Policy | null;
  readonly routing: Policy | null;
  readonly breaking: Policy | null;
  readonly choosing: Policy | null;
}

function sharedPolicies(balancer: Balancer, definition: ContractDefinition, rules: ClientRules): SharedPolicies {
  const { limit, isStrict, strategy, routes } = rules;
  const circuit = rules.circuit === null ? null : balancer.sharedRule(rules.circuit);
  const limited = limit === null ? null : limiting(balancer.inFlightOf(definition.service), limit);
  const guarded = circuit === null ? null : breaking(balancer, circuit);
  // Whichever instance is free takes the call: there is nothing to choose.
  const isPlain = strategy === 'pull' && routes.length === 1 && routes[0]!.version === definition.version;
  if (isPlain) return { limiting: limited, breaking: guarded, routing: null, choosing: null };
  const router = new Router(balancer, definition, rules);
  const instances = circuit === null || strategy === 'pull' ? null : new InstanceCircuits(circuit);
  const choice = new Choice({ router, isStrict, circuits: instances });
  // One instance that fails is no reason to stop calling the others: the circuit of the service is for calls of any.
  const chosen = choosing(choice, { breaking: guarded, instances });
  return { limiting: limited, breaking: null, routing: routing(router, balancer), choosing: chosen };
}

/** From the outermost: those up to the routing are around all attempts of a call, those behind it around each. */
function listed(shared: SharedPolicies, failure: FailureRule): Policy[] {
  const safe = failure.mode === 'fail-safe' ? failingSafe() : null;
  const over = failure.mode === 'fail-over' ? failingOver(failure) : null;
  return [safe, shared.limiting, shared.routing, over, shared.breaking, shared.choosing].filter((policy) => policy !== null);
}
