/** The storage of class-transformer's decorators. It has no types of its own, and there is no other way to read them. */
declare module 'class-transformer/cjs/storage.js' {
  import type { ExposeMetadata, TypeMetadata } from 'class-transformer';

  type Decorated<Metadata> = ReadonlyMap<unknown, ReadonlyMap<string | undefined, Metadata>>;

  export const defaultMetadataStorage: {
    readonly _typeMetadatas: Decorated<TypeMetadata>;
    readonly _exposeMetadatas: Decorated<ExposeMetadata>;
    readonly _excludeMetadatas: Decorated<unknown>;
    readonly _transformMetadatas: Decorated<unknown>;
  };
}
