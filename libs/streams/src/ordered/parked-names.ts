/**
 * The names of messages that wait for an operator: the key, a space, the offset in 16 digits. For each key they are in the order
 * of the offsets. A key is encoded as in a URI, since it may hold any character, and no key may begin like the names of another.
 */
export function parkedName(key: string, offset: number): string {
  return `${parkedKey(key)} ${String(Math.max(0, offset)).padStart(16, '0')}`;
}

/** A key as Redis has it: it has no space. */
export function parkedKey(key: string): string {
  return encodeURIComponent(key);
}

/** The key out of its form in Redis. */
export function keyIn(parked: string): string {
  try {
    return decodeURIComponent(parked);
  } catch {
    // It was not written by Millrace.
    return parked;
  }
}

/** The key in the name of a message. */
export function keyOfParked(name: string): string {
  return keyIn(name.slice(0, name.lastIndexOf(' ')));
}

/** The ends of the names of a key, for a range by names. */
export function namesOf(key: string): [from: string, to: string] {
  return [`[${parkedKey(key)} `, `(${parkedKey(key)}!`];
}
