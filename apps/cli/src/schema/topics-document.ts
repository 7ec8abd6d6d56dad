import { pathToFileURL } from 'node:url';
import { durationMs } from '@millrace/core';
import type { describeTopics, loadApplication } from '@millrace/nestjs';
import { placeOf, type ServerPlace } from '../connection/connection.js';
import { CliError, usage } from '../failure/cli-error.js';
import { HttpOperator } from '../operator/http-operator.js';
import { REQUEST_TIMEOUT } from '../operator/time-limit.js';
import type { Session } from '../session/session.js';

/** The part of an application's `@millrace/nestjs` that is for this. */
interface Describing {
  readonly loadApplication: typeof loadApplication;
  readonly describeTopics: typeof describeTopics;
}

/**
 * The topics as an AsyncAPI document: of the application that `--app` names, else of the server that is asked, else of the
 * application of `MILLRACE_APP`.
 *
 * @throws CliError USAGE when none of them is said, NOT_FOUND, API_UNREACHABLE; MillraceError INVALID_OPTIONS
 */
export async function topicsDocument(session: Session): Promise<object> {
  const { app, url } = session.options<{ app?: string }>();
  if (app !== undefined && url !== undefined) throw usage('--url and --app both say whose topics. Leave one out.');
  if (app !== undefined) return ofApplication(session, app);
  const place = placeOf(session.options(), session.surroundings.env);
  if ('url' in place) return ofServer(session, place);
  if (session.surroundings.env['MILLRACE_APP']?.trim()) return ofApplication(session, undefined);
  throw usage('Redis knows topics by their names alone. Say --app dist/app.module.js for an application, or --url for a server beside one.');
}

async function ofApplication({ surroundings: { env } }: Session, app: string | undefined): Promise<object> {
  const { applicationFile, packageOf } = await import('@millrace/host');
  const file = applicationFile(app, env);
  // The application's own one: another copy knows nothing of its classes.
  const found = packageOf(file, '@millrace/nestjs');
  if (found === null) throw new CliError('NOT_FOUND', `No package @millrace/nestjs is installed beside ${file}. Run npm install @millrace/nestjs there.`);
  const describing = (await import(pathToFileURL(found).href)) as Describing;
  return describing.describeTopics(await describing.loadApplication({ MILLRACE_APP: file }));
}

async function ofServer(session: Session, place: ServerPlace): Promise<object> {
  const requestMs = durationMs(session.options().requestTimeout ?? REQUEST_TIMEOUT);
  const document = await new HttpOperator({ ...place, requestMs }).document('asyncapi.json');
  if (document !== null && typeof document === 'object') return document;
  throw new CliError('API_UNREACHABLE', 'The server has no asyncapi.json. Check --url, or MILLRACE_URL, and that it is as new as this command line.');
}
