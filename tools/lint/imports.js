import { builtinModules } from 'node:module';
import { isAbsolute, relative, sep } from 'node:path';
import { ImportGraph, sourceOf } from './import-graph.js';
import { BESIDE_TESTS, FOR_TESTS, LIBRARIES, PACKAGES, PURE } from './layers.js';

const ALIAS = '@millrace/';
const graph = new ImportGraph();

/** The rule that keeps the layers: see layers.js for the table. Its setting `millrace.root` is the repository's folder. */
export const imports = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      upward: '{{unit}} may not import {{target}}: imports point down only. It may import {{allowed}}.',
      unknown: '{{target}} is no library of this repository (see tools/lint/layers.js).',
      deep: "'{{specifier}}' reaches into a library: import its index, '{{target}}', and export there what others need.",
      self: "A library does not import its own index: import the file that declares it, by a relative path.",
      escape: "'{{specifier}}' leaves {{unit}}: other libraries are imported by their alias, applications not at all.",
      test: "'{{specifier}}' is test code: what ships does not import it.",
      cycle: 'This import closes a cycle: {{path}}. Move what both need into a file of its own.',
      package: "'{{specifier}}' may not be imported in {{place}}: {{where}}.",
      pure: "'{{specifier}}' does input and output, which {{unit}} leaves to the libraries above it.",
    },
  },
  create(context) {
    const root = context.settings.millrace.root;
    const file = context.physicalFilename;
    const place = placeOf(root, file);
    const check = (node) => {
      const specifier = literal(node);
      if (specifier === null) return;
      const problem = problemOf({ root, file, place, specifier });
      if (problem) context.report({ node, ...problem });
    };
    return {
      ImportDeclaration: ({ source }) => check(source),
      ExportNamedDeclaration: ({ source }) => check(source),
      ExportAllDeclaration: ({ source }) => check(source),
      ImportExpression: ({ source }) => check(source),
      TSImportType: ({ source }) => check(source),
      TSExternalModuleReference: ({ expression }) => check(expression),
      'CallExpression[callee.name="require"]': (node) => check(node.arguments[0]),
    };
  },
};

function literal(node) {
  return node?.type === 'Literal' && typeof node.value === 'string' ? node.value : null;
}

function problemOf(found) {
  const { specifier } = found;
  if (specifier.startsWith('.')) return relativeProblem(found);
  if (specifier.startsWith(ALIAS)) return libraryProblem(found);
  if (isBuiltin(specifier)) return builtinProblem(found);
  return packageProblem(found);
}

function relativeProblem({ root, file, place, specifier }) {
  const source = sourceOf(file, specifier);
  const target = placeOf(root, source);
  if (target.unit !== place.unit) return { messageId: 'escape', data: { specifier, unit: place.unit ?? 'this folder' } };
  if (target.test && !place.test && place.unit) return { messageId: 'test', data: { specifier } };
  const back = graph.path(source, file);
  return back && { messageId: 'cycle', data: { path: [file, ...back].map((step) => relative(root, step)).join(' -> ') } };
}

function libraryProblem({ place, specifier }) {
  const [name, ...rest] = specifier.slice(ALIAS.length).split('/');
  const target = `${ALIAS}${name}`;
  if (!Object.hasOwn(LIBRARIES, name)) return { messageId: 'unknown', data: { target } };
  if (rest.length > 0) return { messageId: 'deep', data: { specifier, target } };
  if (place.kind !== 'libs') return null;
  if (name === place.name) return place.test ? null : { messageId: 'self' };
  const allowed = [...(LIBRARIES[place.name] ?? []), ...(place.test ? [...FOR_TESTS, ...(BESIDE_TESTS[place.name] ?? [])] : [])];
  if (allowed.includes(name)) return null;
  return { messageId: 'upward', data: { unit: place.unit, target, allowed: allowed.join(', ') || 'no other library' } };
}

function isBuiltin(specifier) {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

function builtinProblem({ place, specifier }) {
  const pure = place.kind === 'libs' && !place.test && PURE.libraries.includes(place.name);
  if (!pure || !PURE.builtins.includes(specifier.replace(/^node:/, ''))) return null;
  return { messageId: 'pure', data: { specifier, unit: place.unit } };
}

function packageProblem({ place, specifier }) {
  const wall = PACKAGES.find(({ packages }) => packages.some((pattern) => covers(pattern, specifier)));
  if (!wall || !place.unit) return null;
  if (stands(place, wall.code) || (place.test && stands(place, wall.tests))) return null;
  const where = wall.code.length > 0 ? `it belongs to ${wall.code.join(' and ')}` : 'it is used nowhere here';
  return { messageId: 'package', data: { specifier, place: place.unit, where } };
}

function covers(pattern, specifier) {
  if (pattern.endsWith('/*')) return specifier.startsWith(pattern.slice(0, -1));
  return specifier === pattern || specifier.startsWith(`${pattern}/`);
}

function stands(place, units) {
  return units.includes(place.unit) || units.includes(`${place.kind}/*`);
}

/**
 * The place of a file: `unit` is the library or application that owns it (`libs/core`, `apps/shop`), or null for the files
 * around them; `test` is true in the `test` folder of a unit and in specs.
 *
 * @param {string} root absolute path of the repository
 * @param {string} file absolute path
 */
function placeOf(root, file) {
  const inside = relative(root, file);
  if (isAbsolute(inside) || inside.startsWith('..')) return { unit: null, kind: 'outside', name: '', test: false };
  const [kind = '', name = '', folder = ''] = inside.split(sep);
  const test = folder === 'test' || inside.endsWith('.spec.ts');
  if (kind !== 'libs' && kind !== 'apps') return { unit: null, kind: 'around', name: '', test };
  return { unit: `${kind}/${name}`, kind, name, test };
}
