let given: string | undefined;

/**
 * The seed of a random test: `MILLRACE_SEED`, which repeats a run, or a new one. It takes the variable out of the environment:
 * an application that is started from here would refuse a variable of Millrace that it does not know.
 */
export function seedOf(): number {
  given ??= process.env['MILLRACE_SEED'];
  delete process.env['MILLRACE_SEED'];
  return Number(given ?? Math.floor(Math.random() * 2 ** 31));
}
