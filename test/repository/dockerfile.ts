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

/** A stage by its name, behind the stages of the same file that it is built on. */
export function stageNamed(stages: readonly Instruction[][], name: string): Instruction[] {
  const stage = stages.find(([from]) => from?.text.endsWith(` AS ${name}`)) ?? [];
  const [base = ''] = stage[0]?.text.split(' ') ?? [];
  return [...(base === '' ? [] : stageNamed(stages, base)), ...stage];
}

/** The variables that an image of that stage sets. */
export function environmentOf(stage: readonly Instruction[]): Record<string, string> {
  const set = stage.filter(({ name }) => name === 'ENV').flatMap(({ text }) => [...text.matchAll(/(\w+)=(\S*)/g)]);
  return Object.fromEntries(set.map(([, name = '', value = '']) => [name, value]));
}

/** The command of an instruction in the form of a JSON array. */
export function commandOf(stage: readonly Instruction[], name: 'CMD' | 'HEALTHCHECK'): string[] {
  const text = lastOf(stage, name);
  return JSON.parse(text.slice(text.indexOf('['))) as string[];
}

/** The text of the last instruction of that name. */
export function lastOf(stage: readonly Instruction[], name: string): string {
  return stage.findLast((instruction) => instruction.name === name)?.text ?? '';
}

/** The paths that are copied from the build context, from the root of the repository. */
export function copiedFromContext(stage: readonly Instruction[]): string[] {
  const copies = stage.filter(({ name, text }) => name === 'COPY' && !text.includes('--from='));
  return copies.flatMap(({ text }) => text.split(/\s+/).slice(0, -1));
}
