import { createRequire } from 'node:module';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { ApplicationFolder } from './application-folder.js';
import { CliBed } from './cli-bed.js';

const bed = new CliBed('schema', { isShared: true });

let folder: ApplicationFolder;
beforeAll(async () => void (folder = await ApplicationFolder.of('described.module')));
afterAll(() => folder.remove());

describe('millrace schema export', () => {
  it('prints the topics of an application as AsyncAPI, and makes none of its providers', async () => {
    const { code, stdout, stderr } = await bed.runProcess(['schema', 'export', '--app', folder.file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const document = JSON.parse(stdout) as object;
    expect(document).toMatchObject({
      channels: {
        'shop.orders': {
          'x-millrace-partitions': 3,
          messages: { payload: { payload: { $ref: '#/components/schemas/OrderPlaced' } }, large: { 'x-millrace-version': 2 } },
        },
      },
      components: { schemas: { OrderPlaced: { properties: { lines: { type: 'integer', maximum: 99 } }, required: ['orderId'] } } },
    });
    const { schemasWithoutId } = createRequire(import.meta.url)('@asyncapi/specs') as { schemasWithoutId: Record<string, object> };
    const isValid = new Ajv({ strict: false, validateFormats: false }).compile(schemasWithoutId['3.0.0']!);
    expect({ valid: isValid(document), errors: isValid.errors }).toEqual({ valid: true, errors: null });
  });

  it('prints them as one JSON Schema that messages are checked by', async () => {
    const { code, stdout } = await bed.runProcess(['schema', 'export', '--jsonschema'], { MILLRACE_APP: folder.file });
    expect(code).toBe(0);
    const isValid = new Ajv2020({ strict: false }).compile(JSON.parse(stdout) as object);
    expect(isValid({ 'shop.orders': { payload: { orderId: 'o-1', lines: 2 } } })).toBe(true);
    expect(isValid({ 'shop.orders': { payload: { orderId: 'o-1', lines: 100 } } })).toBe(false);
    expect(isValid({ 'shop.orders': { large: { orderId: 'o-1' } } })).toBe(false);
  });

  it('says what to do without an application or a server, for a file that is none, and for one without Millrace', async () => {
    expect(await bed.run(['schema', 'export'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/Say --app .* or --url/) as unknown });
    expect(await bed.run(['schema', 'export', '--app', 'a.js', '--url', 'http://127.0.0.1:1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Leave one out') as unknown });
    expect(await bed.run(['schema', 'export', '--app', join(folder.path, 'none.js')])).toMatchObject({ code: 2, stderr: expect.stringContaining('Build the application first') as unknown });
    const alone = join(bed.home, 'app.mjs');
    await writeFile(alone, '');
    expect(await bed.runProcess(['schema', 'export', '--app', alone])).toMatchObject({ code: 3, stderr: expect.stringContaining('npm install @millrace/nestjs') as unknown });
    expect(await bed.run(['schema', 'export', '--url', 'http://127.0.0.1:1'])).toMatchObject({ code: 5, stderr: expect.stringContaining('[API_UNREACHABLE]') as unknown });
  });
});
