import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { millrace } from './tools/lint/plugin.js';

const TESTS = ['**/*.spec.ts', '**/test/**/*.ts'];
const NODE_GLOBALS = Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly']));
const SENTENCES = { ignoreStrings: true, ignoreTemplateLiterals: true };
const VAGUE = '{util,utils,common,helper,helpers,manager,misc,shared}';

const FEW_PARAMETERS = 'Take at most 3 positional parameters: name the rest in one object.';
/** What may not be written. Where Nest injects by constructor, constructors may take more than other functions. */
const syntax = [
  { selector: 'TSInterfaceDeclaration[id.name=/^I[A-Z]/]', message: 'Interfaces have no I before their name.' },
  { selector: 'TSEnumDeclaration', message: 'Write a union of literals, or an object `as const`.' },
  { selector: 'FunctionDeclaration[params.length>3]', message: FEW_PARAMETERS },
  { selector: 'ArrowFunctionExpression[params.length>3]', message: FEW_PARAMETERS },
  { selector: ':not(MethodDefinition[kind="constructor"]) > FunctionExpression[params.length>3]', message: FEW_PARAMETERS },
  { selector: 'TSMethodSignature[params.length>3]', message: FEW_PARAMETERS },
  { selector: 'TSFunctionType[params.length>3]', message: FEW_PARAMETERS },
];
const manyConstructorParameters = {
  selector: 'MethodDefinition[kind="constructor"] > FunctionExpression[params.length>3]',
  message: FEW_PARAMETERS,
};

export default defineConfig(
  globalIgnores(['**/dist/', '**/coverage/', '**/.millrace/']),
  {
    name: 'millrace/everything',
    extends: [js.configs.recommended],
    plugins: { millrace },
    settings: { millrace: { root: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { globals: NODE_GLOBALS },
    rules: {
      'millrace/imports': 'error',
      'millrace/reasoned-disable': 'error',
      complexity: ['error', 12],
      eqeqeq: 'error',
      'max-depth': ['error', 3],
      // Sentences in errors and titles of tests may run on: cutting them would keep them from being searched for.
      'max-len': ['error', { code: 130, ignoreUrls: true, ignoreRegExpLiterals: true, ...SENTENCES }],
      'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: false, skipComments: false }],
      'no-restricted-syntax': ['error', ...syntax, manyConstructorParameters],
      'no-var': 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'] }],
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  {
    name: 'millrace/typescript',
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      // Type imports are written where a value import would break the metadata of decorators, never enforced: the rule would
      // erase the classes that Nest injects by.
      '@typescript-eslint/consistent-type-imports': 'off',
      // `listen = (event) => listener(event)` is how callbacks are passed on.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // A Nest module is an empty class with a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // With noUncheckedIndexedAccess an index that the line above has proven is written `row[i]!`.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Contracts and options are classes that callers fill with plain objects: the class is the schema, not the origin.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // There are no enums to check, see `syntax`, and this rule takes the longest of all.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      // Boundaries check at run time what the types promise, because callers may be JavaScript.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // A type parameter used once ties a decorator or an option to the payload that the caller names.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
    },
  },
  {
    name: 'millrace/libraries',
    files: ['libs/**/*.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    name: 'millrace/injected-constructors',
    files: ['libs/nestjs/**/*.ts', 'apps/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...syntax] },
  },
  {
    name: 'millrace/tests',
    files: TESTS,
    rules: {
      'max-lines-per-function': 'off',
      'no-console': 'off',
      // Jest hands the columns of a table to a test one by one.
      'no-restricted-syntax': 'off',
      '@typescript-eslint/explicit-function-return-type': 'off',
      // Payloads are made from one another by spreading, and classes stand for any class.
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      // A handler under test is async because its type is, whether or not it waits.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    name: 'millrace/vague-names',
    files: [`**/${VAGUE}.ts`, `**/*-${VAGUE}.ts`, `**/${VAGUE}/**/*.ts`],
    rules: {
      'no-restricted-syntax': ['error', { selector: 'Program', message: 'Name a file after the one noun that it holds.' }],
    },
  },
);
