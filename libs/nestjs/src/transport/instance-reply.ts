import { RpcNoInstanceError, type RegistryView } from '@millrace/rpc';
import { catchError, defer, from, map, mergeMap, type Observable, of } from 'rxjs';
import { REQUEST_VERSION } from './request-service.js';

/** One word of an instance in reply to a broadcast: a value of its handler, or why there is none, or no more. */
export type InstanceReply<Value = unknown> =
  | { readonly instance: string; readonly value: Value }
  | { readonly instance: string; readonly error: unknown };

interface BroadcastParts {
  readonly instances: RegistryView;
  readonly service: string;
  /** The values of one instance. */
  readonly ask: (instance: string) => Observable<unknown>;
}

/** Asks all instances that take requests, side by side. It completes when all have ended, and fails when there is none. */
export function repliesOfAll({ instances, service, ask }: BroadcastParts): Observable<InstanceReply> {
  const repliesOf = (instance: string): Observable<InstanceReply> => ask(instance).pipe(
    map((value) => ({ instance, value })),
    catchError((error: unknown) => of({ instance, error })),
  );
  return defer(() => instances.use(service)).pipe(
    mergeMap(() => from(membersOf(instances, service))),
    mergeMap(repliesOf),
  );
}

/** @throws RpcNoInstanceError */
function membersOf(instances: RegistryView, service: string): string[] {
  const members = instances.instances({ service, version: REQUEST_VERSION }).map(({ member }) => member);
  if (members.length > 0) return members;
  throw new RpcNoInstanceError(`No server with the service '${service}' is running, so nobody was asked. Start one, then ask again.`);
}
