import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { examplesOf } from '../repository/documents.js';
import { pathOf } from '../repository/repository.js';
import { watched } from './watched-code.js';

/** The TypeScript examples of a document as files side by side, which report the parts of them that run. */
export class RunningExamples {
  readonly #folder: string;
  readonly #log: string;
  readonly #places: readonly string[];

  constructor(document: string) {
    mkdirSync(pathOf('dist'), { recursive: true });
    this.#folder = mkdtempSync(pathOf('dist/examples-'));
    this.#log = join(this.#folder, 'run.log');
    writeFileSync(this.#log, '');
    this.#places = [...examplesOf(document)].flatMap(([name, text]) => this.#write(name, text));
  }

  /** The exports of the example, once it has run in this process. */
  async load<Exports>(name: string): Promise<Exports> {
    return (await import(join(this.#folder, name))) as Exports;
  }

  /** For a process of its own. */
  fileOf(name: string): URL {
    return pathToFileURL(join(this.#folder, name));
  }

  /** The functions that nobody has called yet, and the examples that have not run to their end. */
  notRun(): string[] {
    const run = new Set(readFileSync(this.#log, 'utf8').split('\n'));
    return this.#places.filter((place) => !run.has(place));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #write(name: string, text: string): readonly string[] {
    const { code, places } = watched(name, text, this.#log);
    writeFileSync(join(this.#folder, name), code);
    return places;
  }
}
