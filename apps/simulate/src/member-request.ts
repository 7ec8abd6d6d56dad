import { loadScript, refusedWhenFull } from '@millrace/redis';
import type { Packet } from '@millrace/testing';

/** The requests by which messages change hands. `note`: a member marks a message as begun, or keeps its attempts. */
export type MemberRequest = 'read' | 'settle' | 'note' | 'redrive';

const SCRIPTS = '../../../libs/streams/src/scripts';

const settle = loadScript(`${SCRIPTS}/settle.lua`, import.meta.url);

const byDigest = new Map<unknown, MemberRequest>([
  [loadScript(`${SCRIPTS}/fetch.lua`, import.meta.url).sha, 'read'],
  [settle.sha, 'settle'],
  [refusedWhenFull(settle).sha, 'settle'],
  [loadScript(`${SCRIPTS}/note.lua`, import.meta.url).sha, 'note'],
  [loadScript(`${SCRIPTS}/begin.lua`, import.meta.url).sha, 'note'],
  [loadScript(`${SCRIPTS}/redrive.lua`, import.meta.url).sha, 'redrive'],
]);

/** Null for all other packets. A script that Redis does not know yet is sent twice; the first time counts. */
export function memberRequestIn({ direction, command, args }: Packet): MemberRequest | null {
  if (direction !== 'request') return null;
  return (command === 'EVALSHA' ? byDigest.get(args[0]) : command === 'XREADGROUP' ? 'read' : null) ?? null;
}

/** Behind the keys of `settle.lua`: group, who settles, stream, page, '1' for a repetition. */
const REPETITION = 4;

/** Whether a packet settles again what an earlier one may have settled, which may arrive later than this one. */
export function isSettledAgain(packet: Packet): boolean {
  const [, keys] = packet.args;
  return memberRequestIn(packet) === 'settle' && packet.args[2 + Number(keys) + REPETITION] === '1';
}
