import type { PresencePort } from '@millrace/core';

/** A look at the presence of others may be late by so much on a busy machine. */
const SLACK_MS = 1_000;
/** A process is known to be dead after nine tenths of a lease of silence, and two beats. */
const LEASES = 1.25;

/**
 * Watches members for as long as it takes to find out that they are dead, and less when all of them turn out to be gone.
 *
 * @returns those that live, as far as can be known
 */
export function livingAmong(presence: PresencePort, members: readonly string[], signal: AbortSignal): Promise<string[]> {
  const living = (): string[] => members.filter((member) => presence.fateOf(member) === 'living');
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      const found = living();
      presence.unwatch(watcher);
      resolve(found);
    };
    const onGone = (): void => {
      if (living().length === 0) end();
    };
    const watcher = { watched: members, onGone, onReturn: () => undefined };
    const timer = setTimeout(end, presence.leaseMs * LEASES + SLACK_MS);
    signal.addEventListener('abort', end);
    presence.watch(watcher);
    onGone();
  });
}
