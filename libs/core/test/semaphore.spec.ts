import { describe, expect, it } from '@jest/globals';
import { Semaphore } from '@millrace/core';

const later = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('Semaphore', () => {
  it('lets its count in at once, and the others in the order in which they came', async () => {
    const semaphore = new Semaphore(2);
    const begun: number[] = [];
    for (let n = 0; n < 5; n += 1) void semaphore.acquire().then(() => begun.push(n));
    await later();
    expect(begun).toEqual([0, 1]);
    semaphore.release();
    await later();
    expect(begun).toEqual([0, 1, 2]);
    semaphore.release();
    semaphore.release();
    await later();
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  it('is free again when more were released than wait', async () => {
    const semaphore = new Semaphore(1);
    await semaphore.acquire();
    semaphore.release();
    await expect(semaphore.acquire()).resolves.toBeUndefined();
  });

  it('gives a caller up when its time is over, and passes it over afterwards', async () => {
    const semaphore = new Semaphore(1);
    await semaphore.acquire();
    const late = semaphore.acquire({ waitMs: 1, tooLate: () => new Error('too late') });
    const patient = semaphore.acquire({ waitMs: 60_000, tooLate: () => new Error('never') });
    await expect(late).rejects.toThrow('too late');
    semaphore.release();
    await expect(patient).resolves.toBeUndefined();
  });
});
