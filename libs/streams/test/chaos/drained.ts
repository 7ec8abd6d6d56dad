import type { GroupState } from '@millrace/streams';
import { waitFor } from '@millrace/testing';
import type { Process } from '../fixture.js';
import type { SiteGround } from '../site-ground.js';
import { Skewed } from './skewed.js';

/** A group whose counts do not fall for so long is stuck. */
const PATIENCE_MS = 20_000;
/** Sentinels wait so long before they try a failover again. */
const AWAY_MS = 60_000;

/** Resolves when no message is left, or when the group is stuck; it may be slow. */
export async function drained(ground: SiteGround, looker: Pick<Process, 'streams'>, group: string): Promise<void> {
  // The last fault may have cut off this connection, too.
  const state = (): Promise<GroupState> => 
    waitFor(() => ground.state(looker, Skewed, group), { what: `the state of ${group} to be read`, timeoutMs: AWAY_MS });
  const lag = async (): Promise<number> => (await state()).lag;
  for (let before = Number.POSITIVE_INFINITY, now = await lag(); now < before; now = await lag()) {
    before = now;
    const isDone = await ground.drained(looker, Skewed, group, PATIENCE_MS).catch(() => false);
    if (isDone) return;
  }
}
