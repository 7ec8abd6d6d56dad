import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CliBed } from './cli-bed.js';
import { ServerProcess } from './server-process.js';
import { Order } from './topics.js';

const TOKEN = 'a-token-of-this-test-alone-and-no-other';

const bed = new CliBed('schema', { isShared: true });

let server: ServerProcess;
beforeAll(async () => void (server = await ServerProcess.start(bed.env, TOKEN)));
afterAll(() => server.stop());

describe('millrace schema on a server', () => {
  it('prints the document of the server, and has a token that may see it', async () => {
    await bed.publisher.publish(Order, { total: 1 });
    const line = ['schema', 'export', '--url', server.url, '--token'];
    const { code, stdout } = await bed.run([...line, TOKEN, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ asyncapi: '3.0.0', channels: { 'shop.orders': { messages: {} } } });
    expect(await bed.run([...line, 'another'])).toMatchObject({ code: 4 });
  });
});
