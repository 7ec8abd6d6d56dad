/** A service in one of its versions. Neither holds `:`, `{` or `}`; no key is put together anywhere else. */
export interface ServiceName {
  readonly service: string;
  readonly version: string;
}

/** Stream of the requests that any instance of the service may take; its consumer group is {@link SERVERS}. */
export function requestsKey(prefix: string, { service, version }: ServiceName): string {
  return `${prefix}:{rpc:${service}:${version}}:requests`;
}

/** Stream of the requests for one instance, a member of a process; its consumer group is {@link SERVERS}. */
export function instanceKey(prefix: string, member: string): string {
  return `${prefix}:{rpc:instance:${member}}:requests`;
}

/** Stream of the answers to the calls of one process, by the name of its member. */
export function inboxKey(prefix: string, member: string): string {
  return `${prefix}:{rpc:inbox:${member}}:answers`;
}

/** The inbox of a call whose answer is fetched later, in the place of that of a process. No member has such a name. */
export function handleInbox(id: string): string {
  return HANDLE + id;
}

/** Whether the answer goes to the inbox of a call, and not to that of a process. */
export function isHandleInbox(inbox: string): boolean {
  return inbox.startsWith(HANDLE);
}

const HANDLE = '_later.';

/** Channel, no key: callers say here that they wait no longer for a request to any instance, which one has taken. */
export function cancellationChannel(prefix: string, { service, version }: ServiceName): string {
  return `${prefix}:{rpc:${service}:${version}}:cancel`;
}

/** The same for requests that went to one instance: a script may publish in the slot of its keys alone. */
export function instanceCancellationChannel(prefix: string, member: string): string {
  return `${prefix}:{rpc:instance:${member}}:cancel`;
}

/** Channel, no key: callers say here how many items of streamed answers an instance may send. */
export function grantChannel(prefix: string, member: string): string {
  return `${prefix}:{rpc:instance:${member}}:grants`;
}

/** The one consumer group of a stream of requests; its consumers are named after the members that serve. */
export const SERVERS = 'servers';

/** The consumer that holds requests which an instance has read, not begun, and put back. No member has this name. */
export const PUT_BACK = 'put-back';

const MEMBER_PATTERN = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;

/** Whether a text may stand as the name of a member in a key: a forged one leads to no other kind of key. */
export function isMemberName(value: unknown): value is string {
  return typeof value === 'string' && MEMBER_PATTERN.test(value);
}

/** The registry of instances, in one slot. */
export interface RegistryKeys {
  /** Hash: `<service>:<version>:<member>` -> the text of the instance. */
  readonly instances: string;
  /** Hash: `version`, a number that each change of the instances raises. */
  readonly state: string;
  /** Channel, no key: each change is published in it. */
  readonly changes: string;
}

export function registryKeys(prefix: string): RegistryKeys {
  const base = `${prefix}:{rpc:registry}`;
  return { instances: `${base}:instances`, state: `${base}:state`, changes: `${base}:changes` };
}
