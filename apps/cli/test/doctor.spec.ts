import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startTestRedis, type TestRedis } from '@millrace/testing';
import { CliBed } from './cli-bed.js';

const bed = new CliBed('doctor');

let misconfigured: TestRedis;

beforeAll(async () => {
  misconfigured = await startTestRedis({ extra: ['--maxmemory-policy', 'allkeys-lru', '--save', '', '--timeout', '60'] });
});

afterAll(() => misconfigured.stop());

describe('millrace doctor', () => {
  it('names each fault of a misconfigured Redis with its remedy, and ends with 7', async () => {
    const { code, stdout, stderr } = await bed.run(['doctor', '--redis', misconfigured.url]);
    expect(code).toBe(7);
    expect(stdout).toMatch(/^eviction policy +fault +allkeys-lru$/m);
    expect(stdout).toMatch(/^persistence +fault +none$/m);
    expect(stdout).toMatch(/^idle connections +warning +closed after 60 s$/m);
    expect(stdout).toMatch(/^permissions +ok +/m);
    expect(stderr).toContain('Set maxmemory-policy noeviction.');
    expect(stderr).toContain('Set appendonly yes.');
    expect(stderr).toMatch(/error: .* is not fit for Millrace: eviction policy, persistence\. .* \[CHECK_FAILED\]/);
  });

  it('prints one JSON document', async () => {
    const { code, stdout } = await bed.run(['doctor', '--redis', misconfigured.url, '--json']);
    expect(code).toBe(7);
    const findings = expect.arrayContaining([expect.objectContaining({ check: 'eviction policy', state: 'fault', found: 'allkeys-lru' })]);
    expect(JSON.parse(stdout)).toMatchObject({ apiVersion: 1, ok: false, items: findings });
  });

  it('ends with 5 and says where it looked when nobody answers', async () => {
    const port = await freePort();
    const { code, stdout, stderr } = await bed.run(['doctor', '--redis', `redis://127.0.0.1:${port}`]);
    expect([code, stdout]).toEqual([5, '']);
    expect(stderr).toContain(`127.0.0.1:${port}`);
  });
});
