import { readdirSync } from 'node:fs';
import ts from 'typescript';
import { compilerOptions } from './complaints.js';
import { pathOf } from './repository.js';

/** A symbol that a package exports. */
export interface Exported {
  readonly name: string;
  /** The names of its public properties and methods, also of the classes that it extends; empty for a symbol without any. */
  readonly members: readonly string[];
  /** Those of them that it declares itself. */
  readonly ownMembers: readonly string[];
}

const LIBRARIES = readdirSync(pathOf('libs'));

const program = ts.createProgram(LIBRARIES.map(indexOf), { ...compilerOptions(), noEmit: true });
const checker = program.getTypeChecker();

/** Those of a library, by the name of its folder. */
export function exportsOf(library: string): Exported[] {
  const index = checker.getSymbolAtLocation(program.getSourceFile(indexOf(library))!)!;
  return checker.getExportsOfModule(index).map((symbol) => exported(symbol));
}

/** The names that all libraries export. */
export function allExportedNames(): Set<string> {
  return new Set(LIBRARIES.flatMap(exportsOf).map(({ name }) => name));
}

function indexOf(library: string): string {
  return pathOf(`libs/${library}/src/index.ts`);
}

function exported(symbol: ts.Symbol): Exported {
  const declared = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const isType = (declared.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) !== 0;
  const properties = isType ? checker.getDeclaredTypeOfSymbol(declared).getProperties().filter(isPublic) : [];
  const own = properties.filter((property) => declared.members?.has(property.escapedName));
  return { name: symbol.name, members: properties.map(({ name }) => name), ownMembers: own.map(({ name }) => name) };
}

/** Private members have names that no user can write. */
function isPublic(property: ts.Symbol): boolean {
  const { valueDeclaration } = property;
  const modifiers = valueDeclaration ? ts.getCombinedModifierFlags(valueDeclaration) : ts.ModifierFlags.None;
  return !property.escapedName.toString().startsWith('__#') && (modifiers & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) === 0;
}
