import { describe, it } from '@jest/globals';
import { callWithoutRegistry } from './registry-away.js';
import { RpcGround } from './rpc-ground.js';

const AWAY_MS = 30_000;

describe('a registry that its caller cannot reach', () => {
  const ground = new RpcGround('away');

  it(`for ${AWAY_MS / 1_000} s stops no call, and shows what has changed when it is back`, () => callWithoutRegistry(ground, AWAY_MS), 120_000);
});
