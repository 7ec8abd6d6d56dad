import { asError } from '@millrace/core';
import type { OutgoingCall } from '../call/outgoing-call.js';
import { RpcTimeoutError } from '../errors.js';
import type { Balancer } from './balancer.js';
import type { Choice } from './choice.js';
import type { InstanceCircuits } from './instance-circuits.js';
import { ended, type Policy } from './outbound.js';
import type { Router } from './router.js';

/** Decides once for each call which instances it may go to: its attempts go the same way. */
export function routing(router: Router, balancer: Balancer): Policy {
  return (next) => (outbound) => {
    const { service, key } = outbound.call;
    const routed = (): Promise<string | null> => {
      outbound.pool = outbound.named === undefined ? router.route(key) : router.rest;
      return next(outbound);
    };
    const looking = balancer.before(service);
    if (looking === null) return routed();
    return outbound.wait(looking).then((isDone) => {
      if (!isDone && !outbound.call.signal?.aborted) throw unread(outbound.call);
      outbound.shorten();
      return routed();
    });
  };
}

/** The circuits around attempts; null: calls are made whatever became of those before. */
export interface Circuits {
  /** The circuit of the service, for attempts that any instance may take. */
  readonly breaking: Policy | null;
  readonly instances: InstanceCircuits | null;
}

/** Chooses the instance of each attempt, and counts what it has in flight. */
export function choosing(choice: Choice, { breaking, instances }: Circuits): Policy {
  return (next) => {
    const pulled = breaking === null ? next : breaking(next);
    const send = instances === null ? next : guarded(instances)(next);
    return (outbound) => {
      try {
        choice.choose(outbound);
      } catch (error) {
        return Promise.reject(asError(error));
      }
      const { target } = outbound;
      if (target === null) return pulled(outbound);
      target.inFlight += 1;
      return ended(send(outbound), () => (target.inFlight -= 1));
    };
  };
}

function unread({ service, version, method, timeoutMs, idempotent }: OutgoingCall): RpcTimeoutError {
  const what = `The call of '${method}' of service '${service}' ${version} was not sent: Redis did not tell its instances within ${timeoutMs} ms.`;
  return new RpcTimeoutError(`${what} Check the connection, then call again.`, { retryable: idempotent, mayHaveRun: false });
}

function guarded(circuits: InstanceCircuits): Policy {
  return (next) => (outbound) => circuits.of(outbound.target!, outbound.call).run(() => next(outbound), outbound.begun?.opened);
}
