/**
 * What is wrong with a fixture, in words: one line per fault, each naming the place and what was expected there.
 * @module
 */

import type * as z from 'zod';
import { didYouMean } from '../lib/nearest.js';

/** The part of a schema that this looks into. */
interface Schema {
  def: {
    type: string;
    shape?: Record<string, Schema>;
    element?: Schema;
    valueType?: Schema;
    innerType?: Schema;
    options?: Schema[];
  };
}

export type Path = readonly PropertyKey[];

/** `pci.functions[0].vendor`; names that are no identifiers in brackets and quotes. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[a-z_$][\w$]*$/i.test(String(step))) text += text === '' ? String(step) : `.${String(step)}`;
    else text += `[${JSON.stringify(String(step))}]`;
  }
  return text;
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) at = (at as Record<PropertyKey, unknown> | null | undefined)?.[step];
  return at;
}

/** What to say of a value that is none of some names. @param expected such as `expected the name of an errno` */
export function noneOf(expected: string, word: unknown, names: Iterable<string>): string {
  return `${expected}, got ${shown(word)}${didYouMean(String(word), names)}`;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Keys that a schema knows at a path, over all alternatives that it has there. */
function keysAt(schemas: Schema[], path: Path): string[] {
  const flat = schemas.flatMap(alternatives);
  const [step, ...rest] = path;
  if (step === undefined) return flat.flatMap(({ def }) => Object.keys(def.shape ?? {}));
  const next = flat.flatMap(({ def }) => {
    if (def.shape) return def.shape[String(step)] ?? [];
    return (typeof step === 'number' ? def.element : def.valueType) ?? [];
  });
  return next.length > 0 ? keysAt(next, rest) : [];
}

function alternatives(schema: Schema): Schema[] {
  const { innerType, options } = schema.def;
  if (innerType) return alternatives(innerType);
  return options ? options.flatMap(alternatives) : [schema];
}

/**
 * @param value what was checked
 * @returns lines without the file name, such as `pci.functions[0].vendor: expected 4 hexadecimal digits, got "zz"`
 */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  value: unknown,
): string[] {
  // A key that is mistyped is missing elsewhere.
  const isUnknownKey = ({ code }: z.core.$ZodIssue) => code === 'unrecognized_keys';
  const inOrder = [...issues.filter(isUnknownKey), ...issues.filter((issue) => !isUnknownKey(issue))];
  return inOrder.flatMap((issue) => describe(issue, [], schema as unknown as Schema, value));
}

function describe(issue: z.core.$ZodIssue, above: Path, schema: Schema, value: unknown): string[] {
  const path = [...above, ...issue.path];
  const at = path.length > 0 ? `${formatPath(path)}: ` : '';
  const got = /, got /.test(issue.message) ? '' : `, got ${shown(valueAt(value, path))}`;
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = keysAt([schema], path);
      return issue.keys.map((key) => `${formatPath([...path, key])}: unknown key${didYouMean(key, known)}`);
    }
    case 'invalid_key':
      return issue.issues.map((inner) => `${at}${inner.message}, got the name ${shown(path.at(-1))}`);
    case 'invalid_union':
      return describeUnion(issue, path, schema, value);
    case 'invalid_value':
      if (/^expected /.test(issue.message)) return [`${at}${issue.message}${got}`];
      return [`${at}expected ${issue.values.map((word) => JSON.stringify(word)).join(' or ')}${got}`];
    case 'invalid_type':
      return [`${at}expected ${withArticle(issue.expected)}${got}`];
    default:
      return [`${at}${/^expected /.test(issue.message) ? issue.message : expectation(issue)}${got}`];
  }
}

/** Of several alternatives, the faults of the one that came closest; or what the alternatives are. */
function describeUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: Path,
  schema: Schema,
  value: unknown,
): string[] {
  const isWrongKind = (inner: z.core.$ZodIssue) => inner.code === 'invalid_type' && inner.path.length === 0;
  const near = issue.errors.filter((branch) => !branch.some(isWrongKind));
  if (near.length > 0) {
    near.sort((a, b) => a.length - b.length);
    return near[0]!.flatMap((inner) => describe(inner, path, schema, value));
  }
  const kinds = issue.errors.flatMap((branch) =>
    branch.flatMap((inner) => (inner.code === 'invalid_type' ? [withArticle(inner.expected)] : [])),
  );
  const expected = kinds.length > 0 ? `expected ${[...new Set(kinds)].join(' or ')}` : issue.message;
  return [`${formatPath(path)}: ${expected}, got ${shown(valueAt(value, path))}`];
}

function expectation(issue: z.core.$ZodIssue): string {
  const unit =
    'origin' in issue && (issue.origin === 'array' || issue.origin === 'string') ? ' in length' : '';
  if (issue.code === 'too_small')
    return `expected ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${unit}`;
  if (issue.code === 'too_big')
    return `expected ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${unit}`;
  return `expected something else (${issue.message})`;
}

function withArticle(kind: string): string {
  if (kind === 'int') return 'a whole number';
  if (kind === 'record') return 'an object';
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
