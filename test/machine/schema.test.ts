import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import * as z from 'zod';
import { fixtureJsonSchema } from '../../src/machine/fixture-json-schema.js';
import { documentedFields, type Field, type JsonSchema, schemaFields, schemaRules } from './documented.js';

const root = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const read = (path: string) => readFileSync(root(path), 'utf8');

t.test('fixtures/schema.json is what `npm run schema` writes', async (t) => {
  t.equal(read('fixtures/schema.json'), fixtureJsonSchema());
});

const schema = z.fromJSONSchema(JSON.parse(fixtureJsonSchema()));

for (const file of readdirSync(root('fixtures')).filter((name) => name !== 'schema.json')) {
  t.test(`fixtures/${file} meets it, and tells editors where it is`, async (t) => {
    const fixture = JSON.parse(read(`fixtures/${file}`));
    t.equal(fixture.$schema, './schema.json');
    t.equal(`${fixture.name}.json`, file);
    t.strictSame(schema.safeParse(fixture).error?.issues ?? [], []);
  });
}

t.test('it refuses what the program refuses', async (t) => {
  for (const fixture of [
    {},
    { name: 'x', cpu: 2 },
    { name: 'x', cpus: 0 },
    { name: 'x', devices: [{ name: 'a', devices: [{ nam: 'b' }] }] },
    { name: 'x', nodes: { '/proc/x': '' } },
    { name: 'x', nodes: { '/sys/x': { entries: { y: { size: -1 } } } } },
    {
      name: 'x',
      pci: { functions: [{ address: '0000:00:02.0', vendor: '12', device: '5678', class: '030000' }] },
    },
    { name: 'x', mdevs: [{ uuid: '1', parent: 'mtty', type: 'mtty-1' }] },
  ]) {
    t.notOk(schema.safeParse(fixture).success, JSON.stringify(fixture));
  }
});

const json: JsonSchema = JSON.parse(fixtureJsonSchema());
const docs = read('docs/fixtures.md');

t.test('docs/fixtures.md describes every field, and no other', async (t) => {
  const names = (fields: readonly Field[] | undefined) => fields?.map(({ name }) => name).sort();
  const documented = documentedFields(docs);
  const expected = schemaFields(json);
  t.strictSame([...documented.keys()].sort(), [...expected.keys()].sort());
  for (const [section, fields] of expected)
    t.strictSame(names(documented.get(section)), names(fields), section);
  const rules = documentedFields(docs, '`rule`').get('`policy`');
  t.strictSame(names(rules), schemaRules(json).map(String).sort());
});

t.test('and with the defaults that they have', async (t) => {
  const documented = documentedFields(docs);
  for (const [section, fields] of schemaFields(json)) {
    for (const { name, otherwise } of fields) {
      const said = documented.get(section)?.find((field) => field.name === name)?.otherwise;
      if (said === undefined) continue;
      const inWords = said !== '' && said !== 'required' && !/^(`[^ ]*`|-?\d+)$/.test(said);
      // A default in words has none in the schema, or a long one.
      if (inWords || (otherwise === '' && said !== 'required')) continue;
      t.equal(said, otherwise, `${section}: ${name}`);
    }
  }
});
