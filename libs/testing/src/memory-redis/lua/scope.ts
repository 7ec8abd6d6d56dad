/** A function that is being compiled. */
interface Frame {
  readonly temporaries: string[];
  readonly isVariadic: boolean;
}

/** Which names of JavaScript stand for the local and the global names of a script. Each local has one of its own. */
export class Scope {
  /** Values of libraries that the script uses, by their names of JavaScript. */
  readonly globals = new Map<string, string>();
  readonly #blocks: Map<string, string>[] = [];
  readonly #frames: Frame[] = [];
  #count = 0;

  block<T>(work: () => T): T {
    this.#blocks.push(new Map());
    try {
      return work();
    } finally {
      this.#blocks.pop();
    }
  }

  /** The body of a function, with the names of its temporary values declared before it. */
  function(isVariadic: boolean, work: () => string): string {
    const frame = { temporaries: [], isVariadic };
    this.#frames.push(frame);
    const body = this.block(work);
    this.#frames.pop();
    return frame.temporaries.length > 0 ? `let ${frame.temporaries.join(', ')};\n${body}` : body;
  }

  get isVariadic(): boolean {
    return this.#frames[this.#frames.length - 1]!.isVariadic;
  }

  declare(name: string): string {
    const own = this.fresh(name);
    this.#blocks[this.#blocks.length - 1]!.set(name, own);
    return own;
  }

  fresh(name: string): string {
    this.#count += 1;
    return `${name}$${this.#count}`;
  }

  temporary(): string {
    const own = this.fresh('$');
    this.#frames[this.#frames.length - 1]!.temporaries.push(own);
    return own;
  }

  local(name: string): string | undefined {
    for (let i = this.#blocks.length - 1; i >= 0; i -= 1) {
      const own = this.#blocks[i]!.get(name);
      if (own !== undefined) return own;
    }
    return undefined;
  }

  /** A global value, or one of a library: `string.format`. It is looked up once. */
  global(path: string): string {
    const own = `$${path.replace('.', '$')}`;
    this.globals.set(own, path);
    return own;
  }
}
