import type { Balancer } from './balancer.js';
import type { CircuitRule } from './client-rules.js';
import type { Policy } from './outbound.js';

/** Sends nothing while the circuit of the service is open. */
export function breaking(balancer: Balancer, rule: CircuitRule): Policy {
  return (next) => (outbound) => {
    const { service } = outbound.call;
    const version = outbound.pool?.version ?? outbound.call.version;
    return balancer.circuitOf({ service, version }, rule).run(() => next(outbound), outbound.begun?.opened);
  };
}
