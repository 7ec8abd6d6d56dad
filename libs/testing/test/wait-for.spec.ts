import { describe, expect, it } from '@jest/globals';
import { uniqueName, waitFor } from '@millrace/testing';

describe('waitFor', () => {
  it('resolves with the first truthy value', async () => {
    const values = [0, null, '', 'there'];
    expect(await waitFor(() => values.shift(), { what: 'a value' })).toBe('there');
  });

  it('takes what throws as not yet', async () => {
    let rounds = 0;
    await waitFor(
      () => {
        rounds += 1;
        expect(rounds).toBe(3);
        return true;
      },
      { what: 'three rounds' },
    );
    expect(rounds).toBe(3);
  });

  it('says what it waited for and what came last', async () => {
    await expect(waitFor(() => false, { what: 'the moon', timeoutMs: 30 })).rejects.toThrow('Waited 30 ms for the moon, in vain; last: false.');
  });

  it('says what the condition threw, and keeps it', async () => {
    const cause = new Error('no such crater');
    const failing = waitFor(() => Promise.reject(cause), { what: 'the moon', timeoutMs: 30 });
    await expect(failing).rejects.toMatchObject({ message: expect.stringContaining('no such crater'), cause });
  });

  it('does not wait for a condition that never settles', async () => {
    await expect(waitFor(() => new Promise(() => undefined), { what: 'the end', timeoutMs: 30 })).rejects.toThrow('it never settled');
  });
});

describe('uniqueName', () => {
  it('is a name that no one else has', () => {
    const names = Array.from({ length: 1_000 }, () => uniqueName('orders'));
    expect(new Set(names).size).toBe(1_000);
    expect(names[0]).toMatch(/^orders-[0-9a-f]{12}$/);
  });
});
