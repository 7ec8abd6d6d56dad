import { type DynamicModule, type FactoryProvider, Module, type ModuleMetadata } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { Admission, SERVER_SETTINGS } from './admission.js';
import { BodyClaim } from './body-claim.js';
import { CONTROLLERS } from './controllers.js';
import { Gate } from './gate.guard.js';
import { type MillraceServerOptions, readBase, readServerSettings, type ServerSettings } from './server-module-options.js';
import { ServiceCalls } from './service-calls.js';
import { UnknownPaths } from './unknown-paths.js';

/** The options of `MillraceServerModule.forRootAsync`. */
export interface MillraceServerAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /** As in `forRoot`. It is said here, since routes are made before the factory runs. */
  readonly path?: string;
  /** Makes all options but the path. */
  readonly useFactory: (...injected: never[]) => FactoryOptions | Promise<FactoryOptions>;
  readonly inject?: FactoryProvider['inject'];
}

type FactoryOptions = Omit<MillraceServerOptions, 'path'>;

/**
 * The HTTP API of Millrace in an application that imports `MillraceModule`, on Express or Fastify: operators' use cases, publish,
 * enqueue, health and metrics under `/millrace/api/v1`. Global filters, pipes and parsers of the application stay as they are.
 */
@Module({})
export class MillraceServerModule {
  /** @throws MillraceError INVALID_OPTIONS */
  static forRoot(options: MillraceServerOptions = {}): DynamicModule {
    const settings = readServerSettings(options, process.env);
    return moduleOf(settings.base, { useValue: settings });
  }

  /**
   * With options that a factory makes when the application starts.
   *
   * @throws MillraceError INVALID_OPTIONS, of the factory's options when the application starts
   */
  static forRootAsync({ path, imports = [], inject = [], useFactory }: MillraceServerAsyncOptions): DynamicModule {
    const settings = {
      inject,
      useFactory: async (...injected: never[]) => readServerSettings({ ...(await useFactory(...injected)), path }, process.env),
    };
    const made = moduleOf(readBase(path), settings);
    return { ...made, imports: [...made.imports!, ...imports] };
  }
}

function moduleOf(path: string, settings: Omit<FactoryProvider, 'provide'> | { readonly useValue: ServerSettings }): DynamicModule {
  return {
    module: MillraceServerModule,
    imports: [RouterModule.register([{ path, module: MillraceServerModule }])],
    controllers: [...CONTROLLERS],
    providers: [{ provide: SERVER_SETTINGS, ...settings }, Admission, BodyClaim, Gate, ServiceCalls, UnknownPaths],
  };
}
