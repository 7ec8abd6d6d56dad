/** One instruction of a Dockerfile: `{ name: 'COPY', text: '. .' }`. */
export interface Instruction {
  name: string;
  text: string;
}

/** The stages of a Dockerfile, each beginning with its FROM. */
export function stagesOf(dockerfile: string): Instruction[][] {
  const stages: Instruction[][] = [];
  for (const line of dockerfile.replaceAll('\\\n', ' ').split('\n')) {
    const [, name, text] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
    if (name === undefined || text === undefined) continue;
    if (name === 'FROM') stages.push([]);
    stages.at(-1)?.push({ name, text });
  }
  return stages;
}

/** The text of the last instruction of that name. */
export function lastOf(stage: readonly Instruction[], name: string): string {
  return stage.findLast((instruction) => instruction.name === name)?.text ?? '';
}

/** What is copied from the build context: its paths, from the root of the repository. */
export function copiedFromContext(stage: readonly Instruction[]): string[] {
  const copies = stage.filter(({ name, text }) => name === 'COPY' && !text.includes('--from='));
  return copies.flatMap(({ text }) => text.split(/\s+/).slice(0, -1));
}
