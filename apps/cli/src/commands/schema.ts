import { readFile } from 'node:fs/promises';
import { asError } from '@millrace/core';
import { Option } from 'commander';
import { CliError, usage } from '../failure/cli-error.js';
import { TEXT } from '../output/humanise.js';
import { jsonText } from '../output/json-text.js';
import type { Shape } from '../output/output.js';
import type { Change } from '../schema/change.js';
import { changesOf } from '../schema/changes.js';
import { type Contracts, contractsIn } from '../schema/contracts.js';
import { jsonSchemaOf } from '../schema/json-schema.js';
import { topicsDocument } from '../schema/topics-document.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import type { Session } from '../session/session.js';

function appOption(): Option {
  return new Option('--app <file>', 'the JavaScript file that exports your application module (MILLRACE_APP), instead of a server');
}

const exportTopics: CommandSpec = {
  name: 'export',
  summary: 'Print the topics of an application with the schemas of their messages.',
  options: [
    appOption(),
    new Option('--asyncapi', 'as an AsyncAPI 3.0 document; the default').conflicts('jsonschema'),
    new Option('--jsonschema', 'as one JSON Schema (2020-12), with a property for each topic, and one in it for each type'),
  ],
  help: `A server (--url) tells of its application, and of the names that it knows in Redis. With --app the modules are read in this process: no
provider is made, and nothing connects. The file exports the module and does nothing else: one that starts the application, as dist/main.js, would start
it here. The topics are those of MillraceModule.forFeature.`,
  examples: [
    'millrace schema export --app dist/app.module.js > topics.json',
    'millrace schema export --jsonschema --url http://127.0.0.1:3000 > topics.schema.json',
  ],
  run: async (session) => {
    const document = await topicsDocument(session);
    const { jsonschema } = session.options<{ jsonschema?: boolean }>();
    const printed = jsonschema ? jsonSchemaOf(contractsIn(document, 'The document')) : document;
    session.output.data(`${jsonText(printed, session.options().jsonl ? 0 : 2)}\n`);
  },
};

const CHANGES: Shape<Change> = {
  id: ({ path }) => path,
  columns: [
    { title: 'kind', form: TEXT, of: ({ kind }) => kind },
    { title: 'path', form: TEXT, of: ({ path }) => path },
    { title: 'change', form: TEXT, of: ({ what }) => what },
  ],
};

const diff: CommandSpec = {
  name: 'diff',
  summary: 'Compare two exported documents, or an exported one with the live one.',
  args: ['<old.json>', '[new.json]'],
  options: [
    appOption(),
    new Option('--fail-on <kind>', 'the changes that end it with code 7').choices(['breaking', 'any']).default('breaking'),
  ],
  help: `A change is breaking when messages of before do not fit any more, or their readers miss something: a topic, a type or a field that is gone or has
another name, a new required field, another or a narrower type, a value of an enum that is gone, a tighter bound, fewer partitions. Without the
second file it is compared with the live document, that of --app, whose file exports the module and starts nothing, or of the server.`,
  examples: ['millrace schema diff old.json new.json', 'millrace schema diff topics.json --app dist/app.module.js --fail-on any'],
  run: async (session) => {
    const { app, url } = session.options<{ app?: string }>();
    if (session.arg(1) !== '' && (app ?? url) !== undefined) throw usage('The second file, --app and --url each say what the first is compared with. Say one of them alone.');
    const before = await contractsOfFile(session.arg(0));
    const after = session.arg(1) === '' ? contractsIn(await topicsDocument(session), 'The live document') : await contractsOfFile(session.arg(1));
    const items = changesOf(before, after);
    const breaking = items.filter(({ kind }) => kind === 'breaking').length;
    tell(session, items, breaking);
    const { failOn } = session.options<{ failOn: 'breaking' | 'any' }>();
    if ((failOn === 'any' ? items.length : breaking) === 0) return;
    throw new CliError('CHECK_FAILED', `${breaking} of ${items.length} changes are breaking. Take them back, or give the messages a new type and keep the old one.`);
  },
};

function tell({ output }: Session, items: readonly Change[], breaking: number): void {
  if (items.length === 0 && output.isForPeople) return output.note('Nothing has changed.');
  const list = { breaking, compatible: items.length - breaking, items };
  output.list(list, CHANGES);
}

/** @throws CliError USAGE */
async function contractsOfFile(path: string): Promise<Contracts> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    throw usage(`${path} cannot be read: ${asError(thrown).message}. Name a file that millrace schema export has printed.`);
  }
  try {
    return contractsIn(JSON.parse(text) as unknown, path);
  } catch (thrown) {
    if (thrown instanceof CliError) throw thrown;
    throw usage(`${path} is no JSON: ${asError(thrown).message}. Export it again with millrace schema export.`);
  }
}

export const schema: CommandGroup = { name: 'schema', summary: 'Schemas of the messages of topics.', commands: [exportTopics, diff] };
