import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { type TestRedisOptions, uniqueName } from '@millrace/testing';
import { Ground } from './ground.js';

export type { StartOptions } from './ground.js';

/** The ground of one spec, with a prefix for each test, and processes that are stopped after it. */
export class Bed extends Ground {
  /** Call it where `describe` is called: it registers hooks. */
  constructor(name: string, options: TestRedisOptions = {}) {
    super(options);
    beforeAll(() => this.open());
    beforeEach(() => void (this.prefix = uniqueName(name)));
    afterEach(() => this.clear());
    afterAll(() => this.close());
  }
}
