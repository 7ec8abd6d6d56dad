import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { ENVIRONMENT } from '@millrace/nestjs';

const file = fileURLToPath(new URL('../../../.env.example', import.meta.url));

describe('.env.example', () => {
  it('has every variable with its description and its default, in order, and no others', () => {
    const blocks = readFileSync(file, 'utf8').split('\n\n').slice(1);
    const written = blocks.map((block) => block.trim());
    expect(written).toEqual(ENVIRONMENT.map(({ name, default: value, description }) => `# ${description}\n${name}=${value}`));
  });
});
