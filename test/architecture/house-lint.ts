import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';

export const REPOSITORY = resolve(import.meta.dirname, '../..');

/** A complaint of the lint about a text: the rule, and for the import rule the part of it. */
export type Complaint = string;

/** The repository's own ESLint configuration, over a made-up source tree in a temporary folder. Without types. */
export class MadeUpTree {
  readonly #root: string;
  readonly #eslint: ESLint;

  private constructor(root: string) {
    this.#root = root;
    this.#eslint = new ESLint({
      cwd: root,
      overrideConfigFile: join(REPOSITORY, 'eslint.config.js'),
      overrideConfig: [tseslint.configs.disableTypeChecked, { settings: { millrace: { root } } }],
    });
  }

  static async create(files: Record<string, string> = {}): Promise<MadeUpTree> {
    const root = await mkdtemp(join(tmpdir(), 'millrace-lint-'));
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    return new MadeUpTree(root);
  }

  /** @param path the place that the text pretends to have; the file need not be there */
  async lint(path: string, text: string): Promise<Complaint[]> {
    return complaints(await this.#eslint.lintText(text, { filePath: join(this.#root, path) }));
  }

  remove(): Promise<void> {
    return rm(this.#root, { recursive: true, force: true });
  }
}

/** Lints a text in the place of a file of this repository, with types. */
export async function lintAs(path: string, text: string): Promise<Complaint[]> {
  return complaints(await typed.lintText(text, { filePath: join(REPOSITORY, path) }));
}

const typed = new ESLint({ cwd: REPOSITORY });

function complaints(results: ESLint.LintResult[]): Complaint[] {
  return results.flatMap(({ messages }) =>
    messages.map(({ ruleId, messageId, message }) => {
      if (ruleId === null) return message;
      return ruleId === 'millrace/imports' ? `imports: ${messageId}` : ruleId;
    }),
  );
}
