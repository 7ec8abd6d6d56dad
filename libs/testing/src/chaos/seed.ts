/** The seed of a random test: `MILLRACE_SEED`, which repeats a run, or a new one. */
export function seedOf(): number {
  return Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
}
