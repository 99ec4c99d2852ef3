/**
 * The JSON Schema of fixtures, by which editors complete and check them. `fixtures/schema.json` is this text.
 * @module
 */

import * as z from 'zod';
import { fixtureSchema } from './fixture-schema.js';

/** Limits that say nothing. */
function tidy({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (JSON.stringify(jsonSchema.propertyNames) === '{"type":"string"}') delete jsonSchema.propertyNames;
}

/** The schema as the text of a file. */
export function fixtureJsonSchema(): string {
  const schema = z.toJSONSchema(fixtureSchema, { target: 'draft-7', io: 'input', override: tidy });
  return `${JSON.stringify({ ...schema, title: 'A host for mdevfs' }, undefined, 2)}\n`;
}
