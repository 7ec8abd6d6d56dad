import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { Numbered } from './topics.js';

const bed = new Bed('silence');

describe('the silence of a group', () => {
  it('is not known before a member lived, and grows when the last member has left', async () => {
    const [process, watcher] = [await bed.start(), await bed.start()];
    const silentMs = (): Promise<number | null> => watcher.streams.inspector.silentMs(Numbered, 'g');
    expect(await silentMs()).toBeNull();
    const subscription = await subscribe(process, { topic: Numbered, group: 'g' }, () => Promise.resolve());
    expect(await silentMs()).not.toBeNull();
    await subscription.stop(0);
    await waitFor(async () => Number(await silentMs()) > 600, { what: 'twice a lease to pass in silence' });
  });
});
